//! P-ISO: isolation of VMs.

use vocab::{Ipa, PropertyId, Slot, Viommu, Vm};

use super::{Judged, Property, reached};
use crate::caches::values;
use crate::machine::Machine;
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Iso,
    claim: "no device reaches a frame of a VM that it does not serve",
    source: "include/uapi/linux/iommufd.h: struct iommu_viommu_alloc, \"a security-isolated slice\"; Arm IHI 0070 G.b, 3.17 \"TLB tagging\"",
    witness: "devices of two VMs can reach something at the same time, or a device has moved to another vIOMMU",
    broken_by: "specs/mutants/vmid-reused-unflushed.toml",
    holds: Some(|machine, state| reached::holds(PropertyId::Iso, machine, state)),
    judged: Judged::Always,
};

/// The frames that belong to the VMs which a slot's device serves, whether lent to them now or not.
pub(crate) fn own_frames(machine: &Machine, state: &State, slot: Slot) -> u8 {
    let attached = state.ghost.attached[machine.device_of(slot).index()];
    values(attached)
        .map(|viommu| machine.vm_of(Viommu(viommu)))
        .fold(0, |frames, vm| frames | frames_of(machine, vm))
}

fn frames_of(machine: &Machine, vm: Vm) -> u8 {
    (0..machine.bounds.ipas).fold(0, |frames, ipa| frames | 1 << machine.frame(vm, Ipa(ipa)).0)
}
