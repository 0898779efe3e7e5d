//! P-SCOPE: never less than was asked for.

use vocab::PropertyId;

use super::{Judged, Property};
use crate::machine::Machine;
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Scope,
    claim: "when a guest's request is answered with success, commands that name every tag it asked to have invalidated were issued",
    source: "include/uapi/linux/iommufd.h: struct iommu_hwpt_invalidate; Arm IHI 0070 G.b, 4.4: over-invalidation is allowed, less is not",
    witness: "a guest's request was answered with success",
    broken_by: "specs/mutants/asid-scope-narrowed.toml",
    holds: Some(holds),
    judged: Judged::UnlessHostile,
};

/// It is about steps: the machine notes an offence in the state behind the step that committed it.
fn holds(_: &Machine, state: &State) -> bool {
    state.ghost.offence & PropertyId::Scope.bit() == 0
}
