//! Invalidations reach readers, and SYNC learns when no reader can still use what they hit.
//!
//! Every reader (a [`crate::Tbu`]) has caches of its own. A publisher appends invalidations to a ring; before each transaction a reader
//! looks at the ring's head, one load of a line that is shared while nothing is invalidated, and if it has moved applies what is new.
//! Readers take no lock and do no atomic read-modify-write.
//!
//! A reader's *seat* says up to where it has applied the ring. It is stored when the reader applies, which is after its previous
//! transaction's memory access: so once every seat has reached a position, no access with an older translation is in flight. That is
//! the grace period of quiescent-state-based reclamation (McKenney and Slingwine, "Read-Copy Update", PDCS 1998). A reader without
//! transactions leaves its seat, and nobody waits for it.
//!
//! `tests/loom.rs` explores this file's interleavings with two readers and one publisher.

use crate::mutant::{Mutant, on};
use crate::sync::{AtomicU64, Mutex, Ordering, fence};

/// What a seat holds while its reader has no transaction in flight: later than every position.
const AWAY: u64 = u64::MAX;

/// What a reader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The two words that were published.
    Words([u64; 2]),
    /// More was published than the ring holds: everything is to be forgotten.
    Lagged,
}

/// One reader's position. Alone on its cache lines, so that readers do not disturb each other.
#[derive(Debug)]
#[repr(align(128))]
struct Seat(AtomicU64);

/// The ring and the seats.
#[derive(Debug)]
pub struct Broadcast {
    head: AtomicU64,
    ring: Box<[[AtomicU64; 2]]>,
    seats: Box<[Seat]>,
    /// Numbers of the seats that no reader has.
    free: Mutex<Vec<usize>>,
    /// Held while publishing.
    publisher: Mutex<()>,
}

/// Every seat is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("every reader's seat is taken")
    }
}

impl std::error::Error for Full {}

impl Broadcast {
    /// A ring of `capacity` messages and seats for `readers`.
    ///
    /// # Panics
    /// If `capacity` is not a power of two.
    pub fn new(capacity: usize, readers: usize) -> Self {
        assert!(
            capacity.is_power_of_two(),
            "a ring's positions are masked: its capacity must be a power of two"
        );
        Broadcast {
            head: AtomicU64::new(0),
            ring: (0..capacity)
                .map(|_| [AtomicU64::new(0), AtomicU64::new(0)])
                .collect(),
            seats: (0..readers).map(|_| Seat(AtomicU64::new(AWAY))).collect(),
            free: Mutex::new((0..readers).rev().collect()),
            publisher: Mutex::new(()),
        }
    }

    fn slot(&self, position: u64) -> &[AtomicU64; 2] {
        &self.ring[position as usize & (self.ring.len() - 1)]
    }

    /// Appends a message for every reader, and says which position readers reach with it.
    pub fn publish(&self, words: [u64; 2]) -> u64 {
        let _publisher = self.publisher.lock().expect("publishing does not panic");
        let position = self.head.load(Ordering::Relaxed);
        // Release: a reader that sees a new word in an old slot also sees the head that made the slot old.
        for (slot, word) in self.slot(position).iter().zip(words) {
            slot.store(word, Ordering::Release);
        }
        self.head.store(position + 1, Ordering::Release);
        position + 1
    }

    /// The position that a reader reaches by applying everything published so far.
    pub fn position(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Whether every transaction that began before `position` was published has ended.
    pub fn is_quiet(&self, position: u64) -> bool {
        // Pairs with the fence of Reader::arrive: either we see the seat taken, or the reader sees our head.
        fence(Ordering::SeqCst);
        self.seats
            .iter()
            .all(|seat| seat.0.load(Ordering::Acquire) >= position)
    }

    /// A reader, which has seen everything published so far.
    ///
    /// # Errors
    /// [`Full`] if all seats are taken.
    pub fn reader(&self) -> Result<Reader<'_>, Full> {
        let seat = self
            .free
            .lock()
            .expect("taking a seat does not panic")
            .pop()
            .ok_or(Full)?;
        Ok(Reader {
            broadcast: self,
            seat,
            position: self.position(),
        })
    }
}

/// One thread's end of a [`Broadcast`].
#[derive(Debug)]
pub struct Reader<'b> {
    broadcast: &'b Broadcast,
    seat: usize,
    position: u64,
}

impl Reader<'_> {
    /// Takes the seat: from now on [`Broadcast::is_quiet`] waits for this reader.
    #[inline]
    pub fn arrive(&self) {
        self.broadcast.seats[self.seat]
            .0
            .store(self.position, Ordering::Relaxed);
        // The seat must be seen taken before this reader looks at the head, or a publisher might wait for neither.
        fence(Ordering::SeqCst);
    }

    /// Leaves the seat, after the last access of the last transaction.
    #[inline]
    pub fn leave(&self) {
        self.broadcast.seats[self.seat]
            .0
            .store(AWAY, Ordering::Release);
    }

    /// Whether there is something new.
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.broadcast.position() != self.position
    }

    /// Applies what is new. Called between transactions: what the last one translated is not used any more.
    #[inline]
    pub fn refresh(&mut self, apply: impl FnMut(Message)) {
        if self.is_behind() {
            self.catch_up(apply);
        }
    }

    #[cold]
    fn catch_up(&mut self, mut apply: impl FnMut(Message)) {
        let capacity = self.broadcast.ring.len() as u64;
        let mut head = self.broadcast.position();
        while self.position != head {
            let words = self
                .broadcast
                .slot(self.position)
                .each_ref()
                .map(|word| word.load(Ordering::Acquire));
            head = self.broadcast.position();
            if head - self.position >= capacity && !on(Mutant::LaggedReader) {
                apply(Message::Lagged);
                self.position = head;
            } else {
                apply(Message::Words(words));
                self.position += 1;
            }
        }
        // Release: the accesses of earlier transactions come before.
        self.broadcast.seats[self.seat]
            .0
            .store(self.position, Ordering::Release);
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.leave();
        if let Ok(mut free) = self.broadcast.free.lock() {
            free.push(self.seat);
        }
    }
}
