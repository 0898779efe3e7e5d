//! What software sets while devices run: registers. And when the event queue takes records: Arm IHI 0070, 7.2.1 "Recording of events and
//! conditions for writing to the Event queue".

use vm_memory::GuestMemoryBackend;

use crate::access::Transaction;
use crate::event_queue::{EventQueue, Gate};
use crate::gerror::GlobalError;
use crate::ids::{Stag, StreamId};
use crate::layout::{Event, Response};
use crate::registers::Registers;
use crate::smmu::{REGISTERS_CHANGED, Smmu};

impl<M: GuestMemoryBackend> Smmu<M> {
    /// Sets the registers. Transactions that begin after this returns see them; so do their caches, which are emptied.
    ///
    /// Where SMMU_CR0.SMMUEN becomes 0, everything that is stalled is to end with an abort, and its record, if it still waits, is not
    /// written any more (Arm IHI 0070, 6.3.9.6 "SMMUEN").
    pub fn configure(&self, registers: Registers) {
        let before = std::mem::replace(&mut *self.registers_mut(), registers);
        self.broadcast().publish(REGISTERS_CHANGED);
        if before.smmuen && !registers.smmuen {
            self.stalls().terminate_all();
            self.events().take_waiting(|_| true);
        }
        self.deliver();
    }

    /// Software writes SMMU_GERRORN. The event queue may be writable again.
    pub fn acknowledge(&self, gerrorn: u32) {
        self.gerror_mut().acknowledge(gerrorn);
        self.deliver();
    }

    /// Places the event queue, empty. What waits of the one before is written to this one: a stalled transaction's record is not discarded.
    pub fn set_event_queue(&self, queue: EventQueue) {
        self.events().replace(queue);
        self.deliver();
    }

    /// Software writes SMMU_EVENTQ_CONS; records of stalled transactions that waited for space are written.
    pub fn set_event_queue_cons(&self, cons: u32) {
        self.events().set_cons(cons);
        self.deliver();
    }

    /// Holds a transaction; without a free tag it is terminated and recorded instead, and so it is while SMMUEN is 0, which a transaction
    /// under way may not have noticed (6.3.9.6: none stalls any more).
    pub(crate) fn stall(&self, transaction: &Transaction) -> Option<Stag> {
        let mut stalls = self.stalls();
        match self.registers().smmuen {
            true => stalls.hold(transaction.sid),
            false => None,
        }
    }

    /// Whether records may be written now.
    fn gate(&self) -> Gate {
        Gate {
            enabled: self.registers().eventqen,
            aborted: self.gerror().is_active(GlobalError::EventQueueAbort),
        }
    }

    /// Puts a record into the event queue, if that is writable.
    pub(crate) fn record(&self, event: Event) {
        let gate = self.gate();
        let written = self.events().record(self.memory(), event, gate);
        if written.is_err() {
            self.activate(GlobalError::EventQueueAbort);
        }
    }

    /// Writes what waited for the event queue to be writable, as far as it is.
    fn deliver(&self) {
        let gate = self.gate();
        let drained = self.events().drain(self.memory(), gate);
        if drained.is_err() {
            self.activate(GlobalError::EventQueueAbort);
        }
    }

    /// CMD_SYNC: no record that still waits may be written, for it may tell of what was invalidated. Its transaction is retried
    /// (Arm IHI 0070, 4.7.3 CMD_SYNC, 7.2.1 "Recording of events and conditions for writing to the Event queue").
    pub(crate) fn retry_unrecorded(&self) {
        let waiting = self.events().take_waiting(|_| true);
        for event in waiting {
            let stag = Stag(event.word1.stag());
            let sid = StreamId(event.word0.streamid());
            self.stalls().resume(sid, stag, Response::Retry);
        }
    }

    /// CMD_STALL_TERM: the stream's stalled transactions end with an abort, and their tags are free, so that no record may name one.
    pub(crate) fn terminate_stalls(&self, sid: StreamId) {
        self.stalls().terminate(sid);
        let of_stream = |event: &Event| event.word0.streamid() == sid.0;
        self.events().take_waiting(of_stream);
    }
}
