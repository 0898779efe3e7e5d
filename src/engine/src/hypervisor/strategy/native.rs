//! The guest drives an SMMU of its own, whose commands are forwarded: what Linux, QEMU and OpenVMM do.

use super::commands::{cfgi, fan_out, tlbi};
use super::{Change, Counted, Counts, Strategy};
use crate::hypervisor::convert::op;
use crate::hypervisor::{Consumed, Errno, Forwarder, Host, Slot, Slots};
use crate::ids::Asid;

/// The guest's driver knows the slots of each ASID, and writes every command itself; each write of its queue's PROD is an exit.
#[derive(Clone, Debug)]
pub struct Native {
    /// The VMM.
    pub forwarder: Forwarder,
    slots: Slots,
    counts: Counts,
}

impl Native {
    /// A guest behind `forwarder`.
    pub fn new(forwarder: Forwarder) -> Self {
        Native {
            forwarder,
            slots: Slots::default(),
            counts: Counts::default(),
        }
    }

    /// The guest writes commands and a CMD_SYNC, and waits for it.
    fn write(&mut self, host: &mut dyn Host, mut commands: Vec<[u64; 2]>) -> Result<(), Errno> {
        if commands.is_empty() {
            return Ok(());
        }
        commands.push([op::SYNC.into(), 0]);
        self.counts.exits += 1;
        let before = self.forwarder.ioctls();
        let mut host = Counted {
            host,
            counts: &mut self.counts,
        };
        let consumed = self.forwarder.consume(&mut host, &commands);
        self.counts.ioctls += self.forwarder.ioctls() - before;
        match consumed {
            Consumed::All => Ok(()),
            Consumed::Refused { errno, .. } => Err(errno),
            Consumed::Configuration { .. } => {
                panic!("this driver writes no commands about STEs")
            }
        }
    }
}

impl Strategy for Native {
    fn bind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        write_cd: &mut dyn FnMut(Asid),
    ) -> Result<(), Errno> {
        self.slots.add(asid, slot)?;
        write_cd(asid);
        // Invalid CDs are cached, too.
        self.write(host, vec![cfgi(slot)])
    }

    fn unbind(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        clear_cd: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        let asid = self.slots.asid(slot).ok_or(Errno::NoEntry)?;
        clear_cd();
        self.write(host, vec![cfgi(slot)])?;
        // Another slot of this ASID still walks the same tables, and what they left in the TLB is theirs.
        if self.slots.of(asid).len() == 1 {
            self.write(host, tlbi(asid, Change::All))?;
        }
        self.write(host, fan_out(&[slot], Change::All))?;
        self.slots.remove(slot);
        Ok(())
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Result<(), Errno> {
        self.write(host, tlbi(asid, change))?;
        self.write(host, fan_out(self.slots.of(asid), change))
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
