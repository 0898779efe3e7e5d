//! The SMMU itself: what all its parts share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use vm_memory::GuestMemoryBackend;

use crate::access::{AddressType, Outcome, Refusal, Transaction};
use crate::broadcast::{Broadcast, Full};
use crate::cache::{Caches, Fast};
use crate::command_queue::{CommandQueue, Stopped};
use crate::endpoints::Endpoints;
use crate::event_queue::EventQueue;
use crate::fault::Fault;
use crate::features::Features;
use crate::gerror::{Gerror, GlobalError};
use crate::ids::Stag;
use crate::layout::Response;
use crate::mutant::{Mutant, on};
use crate::registers::Registers;
use crate::stall::Stalls;
use crate::tbu::Tbu;
use crate::translate::Failure;

/// Invalidations that a reader may fall behind before it forgets everything instead.
const RING: usize = 1024;
/// Readers that one SMMU has seats for, unless [`Smmu::with_readers`] says otherwise.
const READERS: usize = 64;

/// Published when registers changed; opcodes from 0x90 on are reserved, so no command looks like this.
pub(crate) const REGISTERS_CHANGED: [u64; 2] = [0xff, 0];

/// An SMMUv3 over guest memory.
///
/// Shared between device threads, each of which translates through a [`Tbu`] of its own, and whoever consumes commands.
#[derive(Debug)]
pub struct Smmu<M> {
    memory: M,
    features: Features,
    broadcast: Broadcast,
    registers: Mutex<Registers>,
    gerror: Mutex<Gerror>,
    events: Mutex<EventQueue>,
    stalls: Mutex<Stalls>,
    sync_signalled: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("no thread panics while it holds one of the SMMU's locks")
}

impl<M> Smmu<M> {
    /// An SMMU after reset, with [`Registers::RESET`] and no queues.
    pub fn new(memory: M, features: Features) -> Self {
        Smmu::with_readers(memory, features, READERS)
    }

    /// The same, for up to `readers` TBUs at a time.
    pub fn with_readers(memory: M, features: Features, readers: usize) -> Self {
        Smmu {
            memory,
            features,
            broadcast: Broadcast::new(RING, readers),
            registers: Mutex::new(Registers::RESET),
            gerror: Mutex::new(Gerror::default()),
            events: Mutex::new(EventQueue::default()),
            stalls: Mutex::new(Stalls::default()),
            sync_signalled: AtomicBool::new(false),
        }
    }

    /// Guest memory.
    pub const fn memory(&self) -> &M {
        &self.memory
    }

    /// What this SMMU offers.
    pub const fn features(&self) -> &Features {
        &self.features
    }

    /// The registers as they are.
    pub fn registers(&self) -> Registers {
        *self.registers_mut()
    }

    /// A translation unit for one device thread, with the [`Fast`] caches.
    ///
    /// # Errors
    /// [`Full`] if every seat is taken.
    pub fn tbu(&self) -> Result<Tbu<'_, M, Fast>, Full> {
        self.tbu_with(Fast::default())
    }

    /// A translation unit with other caches.
    ///
    /// # Errors
    /// [`Full`] if every seat is taken.
    pub fn tbu_with<C: Caches>(&self, caches: C) -> Result<Tbu<'_, M, C>, Full> {
        Tbu::new(self, caches)
    }

    /// SMMU_GERROR and SMMU_GERRORN.
    pub fn gerror(&self) -> Gerror {
        *self.gerror_mut()
    }

    pub(crate) fn activate(&self, error: GlobalError) {
        self.gerror_mut().activate(error);
    }

    pub(crate) fn registers_mut(&self) -> MutexGuard<'_, Registers> {
        locked(&self.registers)
    }

    pub(crate) fn gerror_mut(&self) -> MutexGuard<'_, Gerror> {
        locked(&self.gerror)
    }

    pub(crate) fn events(&self) -> MutexGuard<'_, EventQueue> {
        locked(&self.events)
    }

    pub(crate) fn stalls(&self) -> MutexGuard<'_, Stalls> {
        locked(&self.stalls)
    }

    pub(crate) const fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    pub(crate) fn signal_sync(&self) {
        self.sync_signalled.store(true, Ordering::Release);
    }

    /// Whether a CMD_SYNC with the wired interrupt has completed since this was last asked.
    pub fn take_sync_signal(&self) -> bool {
        self.sync_signalled.swap(false, Ordering::AcqRel)
    }

    /// How software answered a stalled transaction: `None` while it has not. After [`Response::Retry`] the device offers the
    /// transaction again, as if it had just arrived.
    pub fn answer(&self, stag: Stag) -> Option<Response> {
        self.stalls().take(stag)
    }

    /// Reads the event queue's registers.
    pub fn event_queue<R>(&self, read: impl FnOnce(&EventQueue) -> R) -> R {
        read(&self.events())
    }
}

impl<M: GuestMemoryBackend> Smmu<M> {
    /// Consumes commands until the queue is empty or something stops it. Call it again after [`Stopped::Waiting`].
    pub fn consume<E: Endpoints + ?Sized>(
        &self,
        queue: &mut CommandQueue,
        endpoints: &E,
    ) -> Stopped {
        queue.consume(self, endpoints)
    }

    /// The same, but waits for transactions in flight. Must not be called by a thread that has a [`crate::Burst`].
    pub fn consume_all<E: Endpoints + ?Sized>(
        &self,
        queue: &mut CommandQueue,
        endpoints: &E,
    ) -> Stopped {
        loop {
            match self.consume(queue, endpoints) {
                Stopped::Waiting => std::thread::yield_now(),
                stopped => return stopped,
            }
        }
    }

    /// Ends a transaction as its fault and software's choices say: Arm IHI 0070, 3.12 "Fault models, recording and reporting".
    pub(crate) fn refuse(
        &self,
        transaction: &Transaction,
        failure: &Failure,
        registers: &Registers,
    ) -> Refusal {
        let Failure {
            fault,
            policy,
            access,
        } = failure;
        let related = fault.is_translation_related();
        let stag = if related && policy.stall {
            self.stall(transaction)
        } else {
            None
        };
        let recorded = match fault {
            // 3.9.1.3: of translated transactions it is recorded by SMMU_CR2.REC_CFG_ATS alone.
            Fault::BadStreamId => {
                registers.recinvsid
                    || on(Mutant::RecinvsidIgnored)
                    || transaction.address_type == AddressType::Translated
            }
            Fault::Translation(..) => {
                policy.record || (policy.stall && !on(Mutant::StallNotRecorded))
            }
            _ => true,
        };
        let event = if recorded {
            fault.event(transaction, *access, stag)
        } else {
            None
        };
        if let Some(event) = event {
            self.record(event);
        }
        let outcome = match stag {
            Some(stag) => Outcome::Stalled(stag),
            None if related && !policy.abort && !on(Mutant::RazWiAborts) => Outcome::RazWi,
            None => Outcome::Abort,
        };
        Refusal { outcome, event }
    }
}
