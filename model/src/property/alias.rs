//! P-ALIAS: one tag, one set of tables.
//!
//! A global entry names no ASID, and is every space's by intent: it is under no tag that this is about. Whether what it says holds in each
//! of them is P-S1's question.

use vocab::{Asid, Device, Page, PropertyId, Vmid};

use super::{Judged, Property};
use crate::caches::{cd1, s1_spaces, tag};
use crate::machine::Machine;
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Alias,
    claim: "a (VMID, ASID) names the tables of one space at a time, in every descriptor that may be in use and in every entry \
            that may be cached under it: a tag is reused only after what it tagged was flushed",
    source: "Arm IHI 0070 G.b, 3.17 \"TLB tagging\", 5.4 \"Context Descriptor\": CDs with one ASID must agree",
    witness: "an ASID or a VMID was freed",
    broken_by: "specs/mutants/asid-flushed-after-reuse.toml",
    holds: Some(holds),
    judged: Judged::UnlessHostile,
};

fn holds(machine: &Machine, state: &State) -> bool {
    (0..machine.bounds.vmids).map(Vmid).all(|vmid| {
        (0..machine.bounds.asids)
            .map(Asid)
            .all(|asid| spaces_under(machine, state, vmid, asid).count_ones() <= 1)
    })
}

/// The spaces whose tables a tag names, as a bit set.
pub(crate) fn spaces_under(machine: &Machine, state: &State, vmid: Vmid, asid: Asid) -> u8 {
    let mut spaces = 0;
    for page in (0..machine.bounds.pages).map(Page) {
        let cell = tag(vmid, asid, page);
        spaces |= s1_spaces(state.caches.s1[cell]) | state.caches.ttb[cell];
    }
    for device in (0..machine.bounds.devices).map(Device) {
        if !Machine::stage_2_in_use(&state.caches, device).any(|(other, _)| other == vmid) {
            continue;
        }
        for slot in machine.slots_of(device) {
            if Machine::asids_in_use(&state.caches, slot).any(|used| used == (asid, true)) {
                let ttbs = state.caches.cd1[slot.index()];
                spaces |= ttbs >> cd1::ttb(vocab::Space(0));
            }
        }
    }
    spaces
}
