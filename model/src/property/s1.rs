//! P-S1: stage-1 freshness.
//!
//! It does not ask how a frame is reached: a global entry made from one space's tables and hit through another space needs that other
//! space's grant. A driver that maps globally promises that the page is the same in all spaces.

use vocab::{Page, PropertyId, Slot, Space};

use super::{Judged, Property, reached};
use crate::caches::values;
use crate::machine::Machine;
use crate::state::{State, leaf};

pub const PROPERTY: Property = Property {
    id: PropertyId::S1,
    claim: "every frame that a DMA of (device, ssid, page) may reach now is granted by a space that is bound there: \
            no old stage-1 mapping is used after unmap, unbind, replace or exit returned",
    source: "Arm IHI 0070 G.b, 4.4 \"TLB invalidation\", 4.5 \"ATS and PRI\"; include/uapi/linux/iommufd.h: IOMMU_HWPT_INVALIDATE",
    witness: "an unmap or exit that issued a command has returned, of a space that is bound to a slot which its device may use",
    broken_by: "specs/corpus/b01-atc-before-tlbi.toml",
    holds: Some(|machine, state| reached::holds(PropertyId::S1, machine, state)),
    judged: Judged::UnlessHostile,
};

/// The union of the grants of all spaces bound to a slot. Traffic that bypasses stage 1 needs none.
pub(crate) fn granted(machine: &Machine, state: &State, slot: Slot, page: Page) -> u8 {
    if machine.bypasses_stage_1(slot) {
        return u8::MAX;
    }
    values(state.ghost.bound[slot.index()]).fold(0, |frames, space| {
        frames | state.ghost.grant[leaf(Space(space), page)]
    })
}
