//! Which contexts use which ASID: what must be known to send an ATC invalidation, which names devices and PASIDs and no ASID.

use std::collections::BTreeMap;

use super::Errno;
use crate::ids::{Asid, StreamId, SubstreamId};

/// One entry of a guest's CD table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The device, as the guest calls it.
    pub vsid: StreamId,
    /// The PASID; `None` for traffic without one, which uses CD 0.
    pub ssid: Option<SubstreamId>,
    /// The device caches translations.
    pub ats: bool,
}

/// A multimap from ASIDs to slots; a slot has one ASID.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    by_asid: BTreeMap<Asid, Vec<Slot>>,
}

impl Slots {
    /// Adds a slot under an ASID.
    ///
    /// # Errors
    /// [`Errno::Busy`] if the slot has an ASID already.
    pub fn add(&mut self, asid: Asid, slot: Slot) -> Result<(), Errno> {
        if self.asid(slot).is_some() {
            return Err(Errno::Busy);
        }
        self.by_asid.entry(asid).or_default().push(slot);
        Ok(())
    }

    /// Takes a slot out, if it is there.
    pub fn remove(&mut self, slot: Slot) {
        self.by_asid.retain(|_, slots| {
            slots.retain(|known| !same(known, slot));
            !slots.is_empty()
        });
    }

    /// The ASID of a slot.
    pub fn asid(&self, slot: Slot) -> Option<Asid> {
        self.by_asid
            .iter()
            .find_map(|(&asid, slots)| slots.iter().any(|known| same(known, slot)).then_some(asid))
    }

    /// The slots of an ASID, in the order in which they were added.
    pub fn of(&self, asid: Asid) -> &[Slot] {
        self.by_asid.get(&asid).map_or(&[], Vec::as_slice)
    }
}

/// Whether it is the same entry of the same table.
fn same(known: &Slot, slot: Slot) -> bool {
    (known.vsid, known.ssid) == (slot.vsid, slot.ssid)
}
