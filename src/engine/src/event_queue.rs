//! The event queue: Arm IHI 0070, 3.5 "Command and Event queues", 7.2 and 7.4 (overflow).

use std::collections::VecDeque;

use vm_memory::GuestMemoryBackend;

use crate::layout::Event;
use crate::memory::{ExternalAbort, write_word};
use crate::mutant::{Mutant, on};
use crate::queue::Ring;

/// Bit 31 of PROD (OVFLG) and of CONS (OVACKFLG).
const OVERFLOW: u32 = 1 << 31;

/// What besides space makes the queue writable: Arm IHI 0070, 7.2.1 "Recording of events and conditions for writing to the Event queue".
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// SMMU_CR0.EVENTQEN.
    pub(crate) enabled: bool,
    /// EVENTQ_ABT_ERR has not been acknowledged.
    pub(crate) aborted: bool,
}

impl Gate {
    const fn is_open(self) -> bool {
        self.enabled && !self.aborted
    }
}

/// SMMU_EVENTQ_{BASE,PROD,CONS}, and stall records that wait for space.
#[derive(Debug, Default)]
pub struct EventQueue {
    ring: Ring,
    ovflg: bool,
    ovackflg: bool,
    waiting: VecDeque<Event>,
}

impl EventQueue {
    /// A queue of 2^log2size records at `base`, empty.
    pub fn new(base: u64, log2size: u8) -> Self {
        EventQueue {
            ring: Ring::new(base, log2size, Event::SIZE),
            ..EventQueue::default()
        }
    }

    /// SMMU_EVENTQ_PROD as software reads it.
    pub const fn prod(&self) -> u32 {
        self.ring.prod | if self.ovflg { OVERFLOW } else { 0 }
    }

    /// SMMU_EVENTQ_CONS as software wrote it.
    pub const fn cons(&self) -> u32 {
        self.ring.cons | if self.ovackflg { OVERFLOW } else { 0 }
    }

    /// Software has read up to `cons`, and acknowledges an overflow by bit 31.
    pub(crate) fn set_cons(&mut self, cons: u32) {
        self.ring.set_cons(cons & !OVERFLOW);
        self.ovackflg = cons & OVERFLOW != 0;
    }

    /// Whether an event was lost that software has not acknowledged.
    pub const fn overflowed(&self) -> bool {
        self.ovflg != self.ovackflg
    }

    /// Lies elsewhere from now on, and is empty; records that wait stay.
    pub(crate) fn replace(&mut self, queue: EventQueue) {
        let waiting = std::mem::take(&mut self.waiting);
        *self = EventQueue { waiting, ..queue };
    }

    /// Takes a record. One of a stalled transaction is never lost; another is, if the queue is not writable, and if that is because it
    /// is full, then it overflows.
    ///
    /// # Errors
    /// [`ExternalAbort`] if a record could not be written: EVENTQ_ABT_ERR.
    pub(crate) fn record<M: GuestMemoryBackend>(
        &mut self,
        memory: &M,
        event: Event,
        gate: Gate,
    ) -> Result<(), ExternalAbort> {
        if event.word1.stall() && !on(Mutant::StallRecordLost) {
            self.waiting.push_back(event);
            return self.drain(memory, gate);
        }
        if !gate.enabled {
            return Ok(());
        }
        if self.ring.is_full() {
            if !self.overflowed() || on(Mutant::OverflowTwice) {
                self.ovflg = !self.ovflg;
            }
            return Ok(());
        }
        if gate.aborted {
            return Ok(());
        }
        self.write(memory, event)
    }

    /// Writes the stall records that waited, as far as the queue is writable.
    pub(crate) fn drain<M: GuestMemoryBackend>(
        &mut self,
        memory: &M,
        gate: Gate,
    ) -> Result<(), ExternalAbort> {
        while gate.is_open() && !self.ring.is_full() {
            let Some(event) = self.waiting.pop_front() else {
                break;
            };
            self.write(memory, event)?;
        }
        Ok(())
    }

    /// The stall records that wait and are so: they will not be written.
    pub(crate) fn take_waiting(&mut self, are: impl Fn(&Event) -> bool) -> VecDeque<Event> {
        let (taken, left) = self.waiting.drain(..).partition(are);
        self.waiting = left;
        taken
    }

    fn write<M: GuestMemoryBackend>(
        &mut self,
        memory: &M,
        event: Event,
    ) -> Result<(), ExternalAbort> {
        let address = self.ring.prod_address();
        for (word, offset) in event.words().into_iter().zip((0..).step_by(8)) {
            write_word(
                memory,
                address.checked_add(offset).ok_or(ExternalAbort)?,
                word,
            )?;
        }
        self.ring.prod = self.ring.next(self.ring.prod);
        Ok(())
    }
}
