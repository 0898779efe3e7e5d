//! The event queue: Arm IHI 0070, 3.5 "Command and Event queues", 7.2 and 7.4 (overflow).

use std::collections::VecDeque;

use vm_memory::GuestMemoryBackend;

use crate::layout::Event;
use crate::memory::{ExternalAbort, write_word};
use crate::mutant::{Mutant, on};
use crate::queue::Ring;

/// Bit 31 of PROD (OVFLG) and of CONS (OVACKFLG).
const OVERFLOW: u32 = 1 << 31;

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

    /// Takes a record. One of a stalled transaction is never lost; another is, if the queue is full, and then the queue overflows.
    ///
    /// # Errors
    /// [`ExternalAbort`] if a record could not be written: EVENTQ_ABT_ERR.
    pub(crate) fn record<M: GuestMemoryBackend>(
        &mut self,
        memory: &M,
        event: Event,
    ) -> Result<(), ExternalAbort> {
        if event.word1.stall() && !on(Mutant::StallRecordLost) {
            self.waiting.push_back(event);
            return self.drain(memory);
        }
        if self.ring.is_full() {
            if !self.overflowed() || on(Mutant::OverflowTwice) {
                self.ovflg = !self.ovflg;
            }
            return Ok(());
        }
        self.write(memory, event)
    }

    /// Writes the stall records that waited, as far as there is space.
    pub(crate) fn drain<M: GuestMemoryBackend>(&mut self, memory: &M) -> Result<(), ExternalAbort> {
        while !self.ring.is_full() {
            let Some(event) = self.waiting.pop_front() else {
                break;
            };
            self.write(memory, event)?;
        }
        Ok(())
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
