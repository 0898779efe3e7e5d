//! The guest drives an SMMU of its own, whose commands are forwarded: what Linux, QEMU and OpenVMM do.

use super::contexts::{Contexts, Issues, Parts, flush};
use super::{Cd, Cds, Change, Counted, Counts, Done, Strategy};
use crate::hypervisor::convert::op;
use crate::hypervisor::{Consumed, Forwarder, Host, Slot};
use crate::ids::Asid;

/// The guest's driver knows the slots of each ASID, and writes every command itself; each write of its queue's PROD is an exit.
#[derive(Clone, Debug)]
pub struct Native {
    /// The VMM.
    pub forwarder: Forwarder,
    contexts: Contexts,
    counts: Counts,
}

impl Native {
    /// A guest behind `forwarder`.
    pub fn new(forwarder: Forwarder) -> Self {
        Native {
            forwarder,
            contexts: Contexts::default(),
            counts: Counts::default(),
        }
    }

    /// The driver's contexts, and its queue.
    fn parts<'a>(&'a mut self, host: &'a mut dyn Host) -> Parts<'a, impl Issues> {
        let (forwarder, counts) = (&mut self.forwarder, &mut self.counts);
        let write = move |commands: &[[u64; 2]]| write(forwarder, counts, host, commands);
        (&mut self.contexts, write)
    }
}

/// The guest writes commands and a CMD_SYNC, and waits for it.
fn write(
    forwarder: &mut Forwarder,
    counts: &mut Counts,
    host: &mut dyn Host,
    commands: &[[u64; 2]],
) -> Done {
    if commands.is_empty() {
        return Ok(());
    }
    let commands = [commands, &[[op::SYNC.into(), 0]]].concat();
    counts.exits += 1;
    let before = forwarder.ioctls();
    let mut host = Counted { host, counts };
    let consumed = forwarder.consume(&mut host, &commands);
    counts.ioctls += forwarder.ioctls() - before;
    match consumed {
        Consumed::All => Ok(()),
        Consumed::Refused { errno, .. } => Err(errno),
        Consumed::Configuration { .. } => {
            panic!("this driver writes no commands about STEs")
        }
    }
}

impl Strategy for Native {
    fn bind(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        let (contexts, mut write) = self.parts(host);
        contexts.bind(slot, asid, cd, &mut write)
    }

    fn unbind(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done {
        let (contexts, mut write) = self.parts(host);
        let (asid, last) = contexts.asid(slot)?;
        contexts.clear(slot, cd, &mut write)?;
        if last {
            flush(asid, &mut write)?;
        }
        contexts.slots.remove(slot);
        Ok(())
    }

    fn replace(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        let (contexts, mut write) = self.parts(host);
        let (old, last) = contexts.asid(slot)?;
        contexts.clear(slot, cd, &mut write)?;
        contexts.slots.remove(slot);
        contexts.bind(slot, asid, cd, &mut write)?;
        if last {
            flush(old, &mut write)?;
        }
        Ok(())
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Done {
        let (contexts, mut write) = self.parts(host);
        contexts.changed(asid, change, &mut write)
    }

    fn stop(&mut self, host: &mut dyn Host, asid: Asid, cd: Cds<'_>) -> Done {
        let (contexts, mut write) = self.parts(host);
        contexts.stop(asid, cd, &mut write)
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
