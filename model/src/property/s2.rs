//! P-S2: stage-2 freshness.

use vocab::{PropertyId, Slot, Viommu};

use super::{Judged, Property, reached};
use crate::caches::values;
use crate::machine::Machine;
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::S2,
    claim: "no device reaches a frame of its own VM after the host's reclaim of it returned",
    source: "Arm IHI 0070 G.b, 4.4 \"TLB invalidation\": CMD_TLBI_S2_IPA and combined entries; \
             drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_domain_inv_range",
    witness: "a reclaim has returned of a page to which a stage 1 in use may map",
    broken_by: "specs/corpus/b26-reclaim-s2-only.toml",
    holds: Some(|machine, state| reached::holds(PropertyId::S2, machine, state)),
    judged: Judged::Always,
};

/// The frames lent to the VMs that a slot's device serves.
pub(crate) fn lent(machine: &Machine, state: &State, slot: Slot) -> u8 {
    let attached = state.ghost.attached[machine.device_of(slot).index()];
    values(attached)
        .map(|viommu| machine.vm_of(Viommu(viommu)))
        .fold(0, |frames, vm| frames | state.ghost.lent[vm.index()])
}
