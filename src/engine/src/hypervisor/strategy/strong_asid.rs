//! The guest says "IOPTEs under this ASID changed", and the hypervisor knows the rest.

use super::commands::{cfgi, fan_out, tlbi};
use super::{Change, Counted, Counts, Strategy};
use crate::hypervisor::{Contract, Errno, Host, Slot, Slots, Viommu};
use crate::ids::Asid;

/// The hypervisor has the multimap from ASIDs to slots, and is called once for each intent.
///
/// The guest's CD table is its own: a guest that writes an ASID into a CD that it did not bind under it loses invalidations of its own
/// memory, and of nobody else's, since every command carries its VMID.
#[derive(Clone, Debug)]
pub struct StrongAsid {
    /// The guest's VMID and devices.
    pub viommu: Viommu,
    slots: Slots,
    counts: Counts,
}

impl StrongAsid {
    /// A guest without contexts.
    pub fn new(viommu: Viommu) -> Self {
        StrongAsid {
            viommu,
            slots: Slots::default(),
            counts: Counts::default(),
        }
    }

    fn call(&mut self) {
        self.counts.exits += 1;
        self.counts.ioctls += 1;
    }

    /// Issues commands and waits until they are complete, so that the next ones come after them.
    fn perform(&mut self, host: &mut dyn Host, commands: &[[u64; 2]]) -> Result<(), Errno> {
        let mut host = Counted {
            host,
            counts: &mut self.counts,
        };
        self.viommu
            .invalidate(&mut host, Contract::Exact, commands)
            .result
    }
}

impl Strategy for StrongAsid {
    fn bind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        write_cd: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        self.call();
        self.viommu.devices.physical(slot.vsid)?;
        // Before the context can be reached: a change under this ASID must not miss it.
        self.slots.add(asid, slot)?;
        write_cd();
        self.perform(host, &[cfgi(slot)])
    }

    fn unbind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        clear_cd: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        self.call();
        let asid = self.slots.asid(slot).ok_or(Errno::NoEntry)?;
        clear_cd();
        self.perform(host, &[cfgi(slot)])?;
        if self.slots.of(asid).len() == 1 {
            self.perform(host, &tlbi(asid, Change::All))?;
        }
        self.perform(host, &fan_out(&[slot], Change::All))?;
        // Not before its last translation is gone: a change under this ASID must not miss it.
        self.slots.remove(slot);
        Ok(())
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Result<(), Errno> {
        self.call();
        self.perform(host, &tlbi(asid, change))?;
        let fan_out = fan_out(self.slots.of(asid), change);
        self.perform(host, &fan_out)
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
