//! Each of the guest's address spaces is an object of the host, a nested HWPT, which is attached and invalidated as a whole.

use std::collections::BTreeMap;

use super::contexts::flush;
use super::fan_out::FanOut;
use super::{CdStore, Change, Counts, Strategy};
use crate::hypervisor::{Errno, Host, Slot, Viommu};
use crate::ids::Asid;

/// The host writes the CDs and chooses their ASIDs, one for each HWPT; the guest's own numbers never reach the hardware. The VMM maps
/// them to HWPTs: one call to allocate, attach, detach or free one, and one to invalidate it.
#[derive(Clone, Debug)]
pub struct PerHwpt {
    kernel: FanOut,
    /// The host's ASID of each address space that is attached somewhere.
    hwpts: BTreeMap<Asid, Asid>,
}

impl PerHwpt {
    /// A guest without address spaces.
    pub fn new(viommu: Viommu) -> Self {
        PerHwpt {
            kernel: FanOut::new(viommu),
            hwpts: BTreeMap::new(),
        }
    }

    /// The VMM calls the kernel, once.
    fn call(&mut self) -> &mut FanOut {
        self.kernel.counts.ioctls += 1;
        &mut self.kernel
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
        self.call();
        self.hwpts.insert(asid, tag);
        Ok(tag)
    }

    /// Frees the HWPTs that are attached nowhere. Their tags are clean: detaching the last slot invalidated them.
    fn free(&mut self) {
        let before = self.hwpts.len();
        let slots = &self.kernel.contexts.slots;
        self.hwpts.retain(|_, &mut tag| !slots.of(tag).is_empty());
        self.kernel.counts.ioctls += (before - self.hwpts.len()) as u64;
    }

    fn attach(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        cd: &mut dyn FnMut(CdStore),
    ) -> Result<(), Errno> {
        let tag = self.hwpt(asid)?;
        let kernel = self.call();
        let bound = match kernel.viommu.devices.physical(slot.vsid) {
            Err(errno) => Err(errno),
            Ok(_) => {
                let (contexts, mut perform) = kernel.parts(host);
                contexts.bind(slot, tag, cd, &mut perform)
            }
        };
        self.free();
        bound
    }

    fn detach(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        cd: &mut dyn FnMut(CdStore),
    ) -> Result<(), Errno> {
        {
            let (contexts, mut perform) = self.call().parts(host);
            let (tag, last) = contexts.asid(slot)?;
            contexts.clear(slot, cd, &mut perform)?;
            if last {
                flush(tag, &mut perform)?;
            }
            contexts.slots.remove(slot);
        }
        self.free();
        Ok(())
    }
}

impl Strategy for PerHwpt {
    fn bind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        cd: &mut dyn FnMut(CdStore),
    ) -> Result<(), Errno> {
        self.kernel.counts.exits += 1;
        self.attach(host, slot, asid, cd)
    }

    fn unbind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        cd: &mut dyn FnMut(CdStore),
    ) -> Result<(), Errno> {
        self.kernel.counts.exits += 1;
        self.detach(host, slot, cd)
    }

    /// One exit, for which the VMM detaches and attaches.
    fn replace(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        cd: &mut dyn FnMut(CdStore),
    ) -> Result<(), Errno> {
        self.kernel.counts.exits += 1;
        self.detach(host, slot, cd)?;
        self.attach(host, slot, asid, cd)
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Result<(), Errno> {
        self.kernel.counts.exits += 1;
        // What is attached nowhere is cached nowhere.
        let Some(&tag) = self.hwpts.get(&asid) else {
            return Ok(());
        };
        let (contexts, mut perform) = self.call().parts(host);
        contexts.changed(tag, change, &mut perform)
    }

    fn stop(
        &mut self,
        host: &mut dyn Host,
        asid: Asid,
        cd: &mut dyn FnMut(Slot, CdStore),
    ) -> Result<(), Errno> {
        self.kernel.counts.exits += 1;
        let Some(&tag) = self.hwpts.get(&asid) else {
            return Ok(());
        };
        let (contexts, mut perform) = self.call().parts(host);
        contexts.stop(tag, cd, &mut perform)
    }

    fn counts(&self) -> Counts {
        self.kernel.counts
    }
}
