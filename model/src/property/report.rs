//! P-REPORT: truthful completion and errors.

use vocab::PropertyId;

use super::{Judged, Property};
use crate::machine::Machine;
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Report,
    claim: "when a guest's request, or a part of it, is reported as handled, every command of it was taken, completed by a SYNC, and \
            none failed; when a request is refused, something did fail (that commands name all that was asked for is P-SCOPE)",
    source: "include/uapi/linux/iommufd.h: struct iommu_hwpt_invalidate, entry_num; Arm IHI 0070 G.b, 4.1 \"Commands overview\": \
             CMDQ_CONS.ERR and the index of the command that failed, 4.7.3 \"CMD_SYNC\"",
    witness: "a SYNC completed what a guest had asked for",
    broken_by: "specs/corpus/b28-converted-reported.toml",
    holds: Some(holds),
    judged: Judged::UnlessHostile,
};

/// It is about steps: the machine notes an offence in the state behind the step that committed it.
fn holds(_: &Machine, state: &State) -> bool {
    state.ghost.offence & PropertyId::Report.bit() == 0
}
