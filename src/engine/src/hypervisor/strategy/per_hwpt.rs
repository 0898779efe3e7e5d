//! Each of the guest's address spaces is an object of the host, a nested HWPT, which is attached and invalidated as a whole.

use std::collections::BTreeMap;

use super::contexts::flush;
use super::fan_out::FanOut;
use super::{Cd, Cds, Change, Counts, Done, Strategy};
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

    /// Frees an HWPT if it is attached nowhere. Its tag is clean: detaching the last slot invalidated it.
    fn free(&mut self, tag: Asid) {
        if self.kernel.contexts.slots.of(tag).is_empty() {
            self.hwpts.retain(|_, known| *known != tag);
            self.call();
        }
    }

    fn attach(&mut self, host: &mut dyn Host, slot: Slot, tag: Asid, cd: Cd<'_>) -> Done {
        let kernel = self.call();
        let bound = kernel.viommu.devices.physical(slot.vsid).and_then(|_| {
            let (contexts, mut perform) = kernel.parts(host);
            contexts.bind(slot, tag, cd, &mut perform)
        });
        if bound.is_err() {
            self.free(tag);
        }
        bound
    }

    fn detach(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done {
        let (tag, last) = self.kernel.contexts.asid(slot)?;
        {
            let (contexts, mut perform) = self.call().parts(host);
            contexts.clear(slot, cd, &mut perform)?;
            if last {
                flush(tag, &mut perform)?;
            }
        }
        self.kernel.contexts.slots.remove(slot);
        self.free(tag);
        Ok(())
    }
}

impl Strategy for PerHwpt {
    fn bind(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        self.kernel.counts.exits += 1;
        let tag = self.hwpt(asid)?;
        self.attach(host, slot, tag, cd)
    }

    fn unbind(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done {
        self.kernel.counts.exits += 1;
        self.detach(host, slot, cd)
    }

    /// One exit, for which the VMM allocates, detaches and attaches.
    fn replace(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        self.kernel.counts.exits += 1;
        let tag = self.hwpt(asid)?;
        if let Err(errno) = self.detach(host, slot, cd) {
            self.free(tag);
            return Err(errno);
        }
        self.attach(host, slot, tag, cd)
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Done {
        self.kernel.counts.exits += 1;
        // What is attached nowhere is cached nowhere.
        let Some(&tag) = self.hwpts.get(&asid) else {
            return Ok(());
        };
        let (contexts, mut perform) = self.call().parts(host);
        contexts.changed(tag, change, &mut perform)
    }

    fn stop(&mut self, host: &mut dyn Host, asid: Asid, cd: Cds<'_>) -> Done {
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
