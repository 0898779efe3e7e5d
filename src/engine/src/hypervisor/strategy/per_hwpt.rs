//! Each of the guest's address spaces is an object of the host, a nested HWPT, which is attached and invalidated as a whole.

use std::collections::BTreeMap;

use super::fan_out::FanOut;
use super::{Change, Counts, Strategy};
use crate::hypervisor::{Errno, Host, Slot, Viommu};
use crate::ids::Asid;

/// The host writes the CDs and chooses their ASIDs, one for each HWPT; the guest's own numbers never reach the hardware. The VMM maps
/// them to HWPTs: one call to allocate, attach, detach or free one, and one to invalidate it.
#[derive(Clone, Debug)]
pub struct PerHwpt {
    contexts: FanOut,
    /// The host's ASID of each address space that is attached somewhere.
    hwpts: BTreeMap<Asid, Asid>,
}

impl PerHwpt {
    /// A guest without address spaces.
    pub fn new(viommu: Viommu) -> Self {
        PerHwpt {
            contexts: FanOut::new(viommu),
            hwpts: BTreeMap::new(),
        }
    }

    /// The HWPT of an address space, allocated if there is none. ASID 0 is left out, as Linux does.
    fn hwpt(&mut self, asid: Asid) -> Result<Asid, Errno> {
        if let Some(&tag) = self.hwpts.get(&asid) {
            return Ok(tag);
        }
        let used = |tag: &Asid| self.hwpts.values().any(|known| known == tag);
        let tag = (1..=u16::MAX)
            .map(Asid)
            .find(|tag| !used(tag))
            .ok_or(Errno::NoSpace)?;
        self.contexts.counts.ioctls += 1;
        self.hwpts.insert(asid, tag);
        Ok(tag)
    }

    /// Frees the HWPTs that are attached nowhere. Their tags are clean: detaching the last slot invalidated them.
    fn free(&mut self) {
        let before = self.hwpts.len();
        let slots = &self.contexts.slots;
        self.hwpts.retain(|_, &mut tag| !slots.of(tag).is_empty());
        self.contexts.counts.ioctls += (before - self.hwpts.len()) as u64;
    }
}

impl Strategy for PerHwpt {
    fn bind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        write_cd: &mut dyn FnMut(Asid),
    ) -> Result<(), Errno> {
        self.contexts.counts.exits += 1;
        let tag = self.hwpt(asid)?;
        self.contexts.counts.ioctls += 1;
        let bound = self.contexts.bind(host, slot, tag, write_cd);
        self.free();
        bound
    }

    fn unbind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        clear_cd: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        self.contexts.counts.exits += 1;
        self.contexts.counts.ioctls += 1;
        self.contexts.unbind(host, slot, clear_cd)?;
        self.free();
        Ok(())
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Result<(), Errno> {
        self.contexts.counts.exits += 1;
        // What is attached nowhere is cached nowhere.
        let Some(&tag) = self.hwpts.get(&asid) else {
            return Ok(());
        };
        self.contexts.counts.ioctls += 1;
        self.contexts.changed(host, tag, change)
    }

    fn counts(&self) -> Counts {
        self.contexts.counts
    }
}
