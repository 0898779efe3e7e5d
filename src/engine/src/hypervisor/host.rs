//! The physical command queue, as the host's driver uses it.

use vm_memory::GuestMemoryBackend;

use super::convert::op;
use crate::command_queue::{CommandError, CommandQueue, Stopped};
use crate::endpoints::Endpoints;
use crate::layout::Command;
use crate::memory::write_word;
use crate::queue::Ring;
use crate::smmu::Smmu;

/// What happened to commands that were issued and completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Issued {
    /// The first that the SMMU called illegal (CERROR_ILL), and that was not performed. All others were.
    pub rejected: Option<usize>,
    /// Some ATC_INV was not answered in time (CERROR_ATC_INV_SYNC); the SMMU does not say which.
    pub unanswered: bool,
}

/// The queue does not move: its CMD_SYNC has not completed, and which commands were performed is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

/// Whoever performs commands for a hypervisor.
pub trait Host {
    /// Issues `commands`, then one CMD_SYNC, and waits for it.
    ///
    /// # Errors
    /// [`Stuck`].
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck>;
}

/// The main queue of an [`Smmu`], of which this is the only producer.
#[derive(Debug)]
pub struct HostQueue<'s, M, E> {
    smmu: &'s Smmu<M>,
    endpoints: &'s E,
    ring: Ring,
    queue: CommandQueue,
}

const SYNC: [u64; 2] = [op::SYNC as u64, 0];

impl<'s, M: GuestMemoryBackend, E: Endpoints> HostQueue<'s, M, E> {
    /// A queue of 2^`log2size` commands at `base`. ATC invalidations go to `endpoints`.
    ///
    /// # Panics
    /// If a batch and its CMD_SYNC do not fit: `log2size` is below 6.
    pub fn new(smmu: &'s Smmu<M>, endpoints: &'s E, base: u64, log2size: u8) -> Self {
        assert!(
            log2size >= 6,
            "a host's command queue must hold 64 commands"
        );
        HostQueue {
            smmu,
            endpoints,
            ring: Ring::new(base, log2size, Command::SIZE),
            queue: CommandQueue::new(base, log2size),
        }
    }

    fn push(&mut self, command: [u64; 2]) -> Result<(), Stuck> {
        if self.ring.is_full() {
            return Err(Stuck);
        }
        self.put(self.ring.prod_address(), command)?;
        self.ring.prod = self.ring.next(self.ring.prod);
        Ok(())
    }

    fn put(&self, at: u64, [word0, word1]: [u64; 2]) -> Result<(), Stuck> {
        let memory = self.smmu.memory();
        write_word(memory, at, word0).map_err(|_| Stuck)?;
        write_word(memory, at + 8, word1).map_err(|_| Stuck)
    }

    /// Lets the queue go on behind an error, as `__arm_smmu_cmdq_skip_err` does, and remembers the error.
    fn skip(&mut self, error: CommandError, first: u32, issued: &mut Issued) -> Result<(), Stuck> {
        match error {
            CommandError::Ill => {
                // What lies before `first` was left there by a batch that got stuck; it is skipped, and nobody waits for it.
                let nth = self.ring.distance(first, self.ring.cons);
                if nth < self.ring.distance(first, self.ring.prod) {
                    issued.rejected.get_or_insert(nth as usize);
                }
                self.put(self.ring.cons_address(), SYNC)?;
            }
            // The CMD_SYNC is consumed once more.
            CommandError::AtcInvSync => issued.unanswered = true,
            // Fetched again by Linux; memory that does not answer will not answer then.
            CommandError::Abt => return Err(Stuck),
        }
        self.smmu.acknowledge(self.smmu.gerror().gerror());
        Ok(())
    }
}

impl<M: GuestMemoryBackend, E: Endpoints> Host for HostQueue<'_, M, E> {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        let first = self.ring.prod;
        for &command in commands.iter().chain([&SYNC]) {
            self.push(command)?;
        }
        self.queue.set_prod(self.ring.prod);
        let mut issued = Issued::default();
        loop {
            let stopped = self.smmu.consume_all(&mut self.queue, self.endpoints);
            self.ring.set_cons(self.queue.cons());
            match stopped {
                Stopped::Empty => return Ok(issued),
                Stopped::Error(error) => self.skip(error, first, &mut issued)?,
                Stopped::Disabled | Stopped::Waiting => return Err(Stuck),
            }
        }
    }
}
