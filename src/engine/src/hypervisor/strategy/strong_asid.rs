//! The guest says "IOPTEs under this ASID changed", and the hypervisor knows the rest.

use super::contexts::flush;
use super::fan_out::FanOut;
use super::{Cd, Cds, Change, Counts, Done, Strategy};
use crate::hypervisor::{Host, Slot, Viommu};
use crate::ids::Asid;

/// The hypervisor writes the CDs and has the multimap from ASIDs to slots. It is told of what changed, and called once for each.
///
/// ASIDs are the guest's: who gives one back says first that everything under it changed. A CD table that lies in guest memory can
/// still be written by the guest; one that puts an ASID into a CD by itself loses invalidations of its own memory, and of nobody else's,
/// since every command carries its VMID.
#[derive(Clone, Debug)]
pub struct StrongAsid {
    hypervisor: FanOut,
}

impl StrongAsid {
    /// A guest without contexts.
    pub fn new(viommu: Viommu) -> Self {
        StrongAsid {
            hypervisor: FanOut::new(viommu),
        }
    }

    /// The guest leaves, once, and the kernel is called, once.
    fn call(&mut self) -> &mut FanOut {
        self.hypervisor.counts.exits += 1;
        self.hypervisor.counts.ioctls += 1;
        &mut self.hypervisor
    }

    fn clear(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done {
        let (contexts, mut perform) = self.call().parts(host);
        contexts.clear(slot, cd, &mut perform)
    }

    fn flush(&mut self, host: &mut dyn Host, asid: Asid) -> Done {
        let (_, mut perform) = self.call().parts(host);
        flush(asid, &mut perform)
    }
}

impl Strategy for StrongAsid {
    fn bind(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        let hypervisor = self.call();
        hypervisor.viommu.devices.physical(slot.vsid)?;
        let (contexts, mut perform) = hypervisor.parts(host);
        contexts.bind(slot, asid, cd, &mut perform)
    }

    fn unbind(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done {
        let (asid, last) = self.hypervisor.contexts.asid(slot)?;
        self.clear(host, slot, cd)?;
        if last {
            self.flush(host, asid)?;
        }
        self.hypervisor.contexts.slots.remove(slot);
        Ok(())
    }

    fn replace(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        let (old, last) = self.hypervisor.contexts.asid(slot)?;
        self.clear(host, slot, cd)?;
        self.hypervisor.contexts.slots.remove(slot);
        self.bind(host, slot, asid, cd)?;
        if last {
            self.flush(host, old)?;
        }
        Ok(())
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Done {
        let (contexts, mut perform) = self.call().parts(host);
        contexts.changed(asid, change, &mut perform)
    }

    fn stop(&mut self, host: &mut dyn Host, asid: Asid, cd: Cds<'_>) -> Done {
        let (contexts, mut perform) = self.call().parts(host);
        contexts.stop(asid, cd, &mut perform)
    }

    fn counts(&self) -> Counts {
        self.hypervisor.counts
    }
}
