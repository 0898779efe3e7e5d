//! Every interleaving of two readers and one invalidator: `RUSTFLAGS="--cfg loom" cargo test -p engine --test loom --release`.
//!
//! The property is the manual's: once CMD_SYNC has completed, no access with a translation that was invalidated before it is still in
//! flight. Here a translation is what a reader remembers; an access is a look at whether the page was given to somebody else.
//!
//! Loom runs loads in program order: that the seat's store is Release, so that accesses before it stay before it, is not put to the test
//! here. The fences are: without the one in `Reader::arrive`, both tests of SYNC fail.
#![cfg(loom)]

use engine::{Broadcast, Message};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;

const OLD: u64 = 1;
const NEW: u64 = 2;

struct World {
    broadcast: Broadcast,
    /// The translation table's entry.
    table: AtomicU64,
    /// The old page belongs to somebody else.
    freed: AtomicBool,
}

/// `bursts` of so many `transactions` each, of a reader that remembers what it has learnt.
fn read(world: &World, bursts: usize, transactions: usize) {
    let mut reader = world.broadcast.reader().expect("a seat for each");
    let mut cached = None;
    for _ in 0..bursts {
        reader.arrive();
        for _ in 0..transactions {
            reader.refresh(|message| {
                assert_ne!(
                    message,
                    Message::Lagged,
                    "the ring is larger than this test"
                );
                cached = None;
            });
            let translation = *cached.get_or_insert_with(|| world.table.load(Ordering::Relaxed));
            // The access.
            if translation == OLD {
                assert!(
                    !world.freed.load(Ordering::Relaxed),
                    "an access after SYNC used what was invalidated"
                );
            }
        }
        reader.leave();
    }
}

fn invalidate(world: &World) {
    world.table.store(NEW, Ordering::Relaxed);
    let position = world.broadcast.publish([0x30, 0]);
    while !world.broadcast.is_quiet(position) {
        thread::yield_now();
    }
    world.freed.store(true, Ordering::Relaxed);
}

fn explore(bursts: usize, transactions: usize, preemptions: usize) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let world = Arc::new(World {
            broadcast: Broadcast::new(4, 2),
            table: AtomicU64::new(OLD),
            freed: AtomicBool::new(false),
        });
        let readers = [(); 2].map(|()| {
            let world = world.clone();
            thread::spawn(move || read(&world, bursts, transactions))
        });
        invalidate(&world);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn no_access_after_sync_uses_what_was_invalidated_in_one_burst() {
    explore(1, 2, 3);
}

/// Between bursts a reader has no seat, and nobody waits for it: when it comes back, it must see what it missed.
#[test]
fn nor_in_the_next_burst() {
    explore(2, 1, 2);
}

/// A reader that is overtaken by the ring forgets everything rather than apply what it has not read whole.
#[test]
fn a_reader_that_lags_is_told_so() {
    loom::model(|| {
        let broadcast = Arc::new(Broadcast::new(1, 1));
        let writer = {
            let broadcast = broadcast.clone();
            thread::spawn(move || {
                for word in 1..=3 {
                    broadcast.publish([word, word]);
                }
            })
        };
        let mut reader = broadcast.reader().expect("a seat");
        reader.refresh(|message| {
            if let Message::Words([first, second]) = message {
                assert_eq!(first, second, "a torn message");
            }
        });
        writer.join().unwrap();
    });
}
