//! P-CFG: configuration freshness.

use vocab::{Device, PropertyId, Slot, Viommu};

use super::{Judged, Property};
use crate::caches::{bit, cd0, cd1, descriptor_values, ste0};
use crate::machine::Machine;
use crate::state::{State, descriptor};

pub const PROPERTY: Property = Property {
    id: PropertyId::Cfg,
    claim: "a device is translated only with a CD table of a vIOMMU that it serves and with the tables of a space that is bound \
            to the slot; once bind has returned, not with a descriptor from before it either, nor with a stream table entry from before \
            attach once that has",
    source: "Arm IHI 0070 G.b, 3.21 \"Structure access rules and update procedures\", 4.3 \"Configuration structure invalidation\"",
    witness: "an unbind or a replace has returned",
    broken_by: "specs/mutants/bind-without-cfgi.toml",
    holds: Some(holds),
    judged: Judged::UnlessHostile,
};

fn holds(machine: &Machine, state: &State) -> bool {
    (0..machine.slots())
        .map(Slot)
        .filter(|&slot| machine.may_request(state, slot))
        .all(|slot| {
            serves(machine, state, slot)
                && is_bound(machine, state, slot)
                && is_current(machine, state, slot)
                && stream_is_current(machine, state, machine.device_of(slot))
        })
}

/// The CD tables in use belong to vIOMMUs that the device serves.
pub(crate) fn serves(machine: &Machine, state: &State, slot: Slot) -> bool {
    let device = machine.device_of(slot);
    Machine::tables_in_use(&state.caches, device)
        .all(|viommu| state.ghost.attached[device.index()] >> viommu.0 & 1 == 1)
}

/// Every CD that may start a walk points to the tables of a bound space.
pub(crate) fn is_bound(machine: &Machine, state: &State, slot: Slot) -> bool {
    let translates = Machine::stage_2_in_use(&state.caches, machine.device_of(slot))
        .next()
        .is_some();
    let walks = Machine::asids_in_use(&state.caches, slot).any(|(_, walks)| walks);
    let allowed = descriptor_values(state.ghost.bound[slot.index()]);
    !(translates && walks) || state.caches.cd1[slot.index()] & !allowed == 0
}

/// Where one space is bound, bind has returned and memory says V=1, no word 0 from before is in use: none with V=0 or another
/// ASID, and once exit has returned none with which a walk is possible either if memory says that none is.
pub(crate) fn is_current(machine: &Machine, state: &State, slot: Slot) -> bool {
    let bound = state.ghost.bound[slot.index()];
    let settled = state.memory.active >> slot.0 & 1 == 1 && bound.count_ones() == 1;
    let device = machine.device_of(slot).index();
    let in_memory = (0..machine.bounds.viommus)
        .map(Viommu)
        .find(|&viommu| state.memory.ste0[device] == ste0::nested(viommu))
        .and_then(|viommu| cd0::decode(state.memory.cd0[descriptor(viommu, slot)]));
    let (true, Some((asid, walks))) = (settled, in_memory) else {
        return true;
    };
    let is_dead = state.ghost.dead & bound != 0;
    let current = match (walks, is_dead) {
        (true, _) => bit(cd0::valid(asid)),
        (false, false) => bit(cd0::valid(asid)) | bit(cd0::epd(asid)),
        (false, true) => bit(cd0::epd(asid)),
    };
    state.caches.cd0[slot.index()] & !current == 0
}

/// Where a device serves one vIOMMU and neither attach nor detach is under way, no word of an STE from before is in use.
pub(crate) fn stream_is_current(machine: &Machine, state: &State, device: Device) -> bool {
    let place = device.index();
    let (caches, memory) = (&state.caches, &state.memory);
    let settled =
        state.ghost.attached[place].count_ones() == 1 && !machine.is_moving(state, device);
    !settled
        || [
            (caches.ste0[place], memory.ste0[place]),
            (caches.ste1[place], memory.ste1[place]),
            (caches.ste2[place], memory.ste2[place]),
        ]
        .into_iter()
        .all(|(cached, word)| cached & !bit(word) == 0)
}

const _: () = assert!(
    cd1::NONE == 0,
    "descriptor_values leaves the value for no table out"
);
