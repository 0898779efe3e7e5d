//! P-USE: what was set up can be used.

use vocab::{Device, Page, PropertyId, Slot, Space, Viommu};

use super::{Judged, Property};
use crate::caches::{cd0, cd1, ste0, values};
use crate::machine::Machine;
use crate::state::{State, descriptor, leaf};

pub const PROPERTY: Property = Property {
    id: PropertyId::Use,
    claim: "once map, bind and attach have returned, and until somebody begins to undo one of them, memory leads from the device through \
            STE, CD and both stages to the page that was mapped (that no cache says otherwise is P-CFG)",
    source: "the contract of map and bind; Arm IHI 0070 G.b, 3.4 \"Address translation\"",
    witness: "a device is attached, a slot of it bound to a space, and a page of that mapped, with nobody undoing it",
    broken_by: "specs/mutants/bind-says-nothing.toml",
    holds: Some(|machine, state| {
        pages_in_use(machine, state).all(|page| leads(machine, state, page))
    }),
    judged: Judged::Honest,
};

/// A page that a slot may use, and nobody is about to take away.
#[derive(Clone, Copy)]
pub(crate) struct InUse {
    pub slot: Slot,
    pub space: Space,
    page: Page,
    /// What it is mapped to, as a set of frames; there is one.
    frames: u8,
}

/// Everything that must work now.
pub(crate) fn pages_in_use<'a>(
    machine: &'a Machine,
    state: &'a State,
) -> impl Iterator<Item = InUse> + 'a {
    let ghost = &state.ghost;
    let slots = (0..machine.slots()).map(Slot).filter(|slot| {
        let device = machine.device_of(*slot);
        ghost.steady_slots >> slot.0 & 1 == 1
            && ghost.steady_devices >> device.0 & 1 == 1
            && ghost.bound[slot.index()].count_ones() == 1
    });
    slots.flat_map(move |slot| {
        // A guest may have bound it before the device came to another vIOMMU (the axis `early_bind`).
        let serves = ghost.attached[machine.device_of(slot).index()];
        let spaces = values(ghost.bound[slot.index()])
            .map(Space)
            .filter(move |space| serves == 1 << machine.viommu_of(*space).0);
        spaces.flat_map(move |space| {
            let pages = (0..machine.bounds.pages).map(Page);
            pages.filter_map(move |page| {
                let place = leaf(space, page);
                let frames = ghost.grant[place];
                let steady = ghost.steady_pages >> place & 1 == 1
                    && ghost.dead >> space.0 & 1 == 0
                    && frames & !ghost.steady_frames == 0;
                steady.then_some(InUse {
                    slot,
                    space,
                    page,
                    frames,
                })
            })
        })
    })
}

/// Whether memory leads to a page.
fn leads(machine: &Machine, state: &State, in_use: InUse) -> bool {
    let InUse {
        slot,
        space,
        page,
        frames,
    } = in_use;
    let (memory, device) = (&state.memory, machine.device_of(slot));
    let viommu = machine.viommu_of(space);
    let mapped = memory.ipa(space, page).is_some_and(|ipa| {
        let vm = machine.vm_of(viommu);
        memory.s2[vm.index()] >> ipa.0 & 1 == 1 && frames == 1 << machine.frame(vm, ipa).0
    });
    stream_leads(machine, state, device, viommu)
        && descriptor_leads(state, viommu, slot, space)
        && mapped
}

fn stream_leads(machine: &Machine, state: &State, device: Device, viommu: Viommu) -> bool {
    let memory = &state.memory;
    memory.ste0[device.index()] == ste0::nested(viommu)
        && memory.vmid[viommu.index()] != 0
        && memory.ste2[device.index()] == machine.ste_word2(memory.vmid[viommu.index()], viommu)
}

fn descriptor_leads(state: &State, viommu: Viommu, slot: Slot, space: Space) -> bool {
    let place = descriptor(viommu, slot);
    matches!(cd0::decode(state.memory.cd0[place]), Some((_, true)))
        && state.memory.cd1[place] == cd1::ttb(space)
}
