//! P-CONF: confinement of what guests supply.

use vocab::PropertyId;

use super::{Judged, Property};
use crate::machine::Machine;
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Conf,
    claim: "a command that is issued on a guest's behalf names only VMIDs of its own vIOMMUs and StreamIDs of devices that serve it",
    source: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c: arm_vsmmu_convert_user_cmd; \
             include/uapi/linux/iommufd.h: struct iommu_vdevice_alloc",
    witness: "a command was issued on a guest's behalf while there are two VMs",
    broken_by: "specs/corpus/b25-vsid-unchecked.toml",
    holds: Some(holds),
    judged: Judged::Always,
};

/// It is about steps: the machine notes an offence in the state behind the step that committed it.
fn holds(_: &Machine, state: &State) -> bool {
    state.ghost.offence & PropertyId::Conf.bit() == 0
}
