//! The guest says "IOPTEs under this ASID changed", and the hypervisor knows the rest.

use super::fan_out::FanOut;
use super::{Change, Counts, Strategy};
use crate::hypervisor::{Errno, Host, Slot, Viommu};
use crate::ids::Asid;

/// The hypervisor has the multimap from ASIDs to slots, and is called once for each intent.
///
/// The guest's CD table is its own: a guest that writes an ASID into a CD that it did not bind under it loses invalidations of its own
/// memory, and of nobody else's, since every command carries its VMID.
#[derive(Clone, Debug)]
pub struct StrongAsid {
    contexts: FanOut,
}

impl StrongAsid {
    /// A guest without contexts.
    pub fn new(viommu: Viommu) -> Self {
        StrongAsid {
            contexts: FanOut::new(viommu),
        }
    }

    /// The guest leaves, once, and the kernel is called, once.
    fn call(&mut self) -> &mut FanOut {
        self.contexts.counts.exits += 1;
        self.contexts.counts.ioctls += 1;
        &mut self.contexts
    }
}

impl Strategy for StrongAsid {
    fn bind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        write_cd: &mut dyn FnMut(Asid),
    ) -> Result<(), Errno> {
        self.call().bind(host, slot, asid, write_cd)
    }

    fn unbind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        clear_cd: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        self.call().unbind(host, slot, clear_cd)
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Result<(), Errno> {
        self.call().changed(host, asid, change)
    }

    fn counts(&self) -> Counts {
        self.contexts.counts
    }
}
