//! What hypervisors do that know the contexts of each ASID themselves.

use super::commands::{cfgi, fan_out, tlbi};
use super::{Change, Counted, Counts};
use crate::hypervisor::{Contract, Errno, Host, Slot, Slots, Viommu};
use crate::ids::Asid;

/// A guest's contexts, by the ASID that is in their CDs.
#[derive(Clone, Debug)]
pub(super) struct FanOut {
    pub viommu: Viommu,
    pub slots: Slots,
    pub counts: Counts,
}

impl FanOut {
    pub fn new(viommu: Viommu) -> Self {
        FanOut {
            viommu,
            slots: Slots::default(),
            counts: Counts::default(),
        }
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

    pub fn bind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        write_cd: &mut dyn FnMut(Asid),
    ) -> Result<(), Errno> {
        self.viommu.devices.physical(slot.vsid)?;
        // Before the context can be reached: a change under this ASID must not miss it.
        self.slots.add(asid, slot)?;
        write_cd(asid);
        self.perform(host, &[cfgi(slot)])
    }

    pub fn unbind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        clear_cd: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        let asid = self.slots.asid(slot).ok_or(Errno::NoEntry)?;
        clear_cd();
        self.perform(host, &[cfgi(slot)])?;
        // Another slot of this ASID still walks the same tables, and what they left in the TLB is theirs.
        if self.slots.of(asid).len() == 1 {
            self.perform(host, &tlbi(asid, Change::All))?;
        }
        self.perform(host, &fan_out(&[slot], Change::All))?;
        // Not before its last translation is gone: a change under this ASID must not miss it.
        self.slots.remove(slot);
        Ok(())
    }

    pub fn changed(
        &mut self,
        host: &mut dyn Host,
        asid: Asid,
        change: Change,
    ) -> Result<(), Errno> {
        self.perform(host, &tlbi(asid, change))?;
        let fan_out = fan_out(self.slots.of(asid), change);
        self.perform(host, &fan_out)
    }
}
