//! P-CFG: configuration freshness.

use vocab::{PropertyId, Slot, Viommu};

use super::Property;
use crate::caches::{bit, cd0, cd1, descriptor_values, ste0};
use crate::machine::Machine;
use crate::state::{State, descriptor};

pub const PROPERTY: Property = Property {
    id: PropertyId::Cfg,
    claim: "a device is translated only with a CD table of a vIOMMU that it serves and with the tables of a space that is bound \
            to the slot; once bind has returned, not with a descriptor from before it either",
    source: "Arm IHI 0070 G.b, 3.21 \"Structure access rules and update procedures\", 4.3 \"Configuration structure invalidation\"",
    witness: "an unbind or a replace has returned",
    broken_by: "specs/mutants/bind-without-cfgi.toml",
    holds: Some(holds),
    promised_to_others: false,
};

fn holds(machine: &Machine, state: &State) -> bool {
    (0..machine.slots())
        .map(Slot)
        .filter(|&slot| machine.may_request(state, slot))
        .all(|slot| {
            serves(machine, state, slot)
                && is_bound(machine, state, slot)
                && is_current(machine, state, slot)
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

/// Where one space is bound, bind has returned and memory says V=1, no V=0 from before is in use.
pub(crate) fn is_current(machine: &Machine, state: &State, slot: Slot) -> bool {
    let settled =
        state.memory.active >> slot.0 & 1 == 1 && state.ghost.bound[slot.index()].count_ones() == 1;
    let stale = state.caches.cd0[slot.index()] & bit(cd0::INVALID) != 0;
    let valid_in_memory = (0..machine.bounds.viommus).map(Viommu).any(|viommu| {
        state.memory.ste0[machine.device_of(slot).index()] == ste0::nested(viommu)
            && state.memory.cd0[descriptor(viommu, slot)] != cd0::INVALID
    });
    !(settled && valid_in_memory && stale)
}

const _: () = assert!(
    cd1::NONE == 0,
    "descriptor_values leaves the value for no table out"
);
