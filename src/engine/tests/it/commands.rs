//! Every command, before and after: what was translated stays translated until the command that names it, and no longer.
//!
//! The tables are changed under the caches' feet, so that a hit and a miss give different answers. What a policy need not keep is not
//! asserted for [`Fast`](engine::cache::Fast), which may forget more than a command names; [`Exact`](engine::cache::Exact) may not.

mod atc_inv;
mod cfgi;
mod leaf;
mod levels;
mod queue;
mod stage2;
mod stall;
mod sync;
mod tlbi;

use std::cell::RefCell;

use engine::cache::{Caches, Exact, Fast, Preset, Replacement};

use engine::layout::Response;

use engine::{
    AtcInvalidation, CommandError, CommandQueue, Endpoints, Features, GlobalError, Iova, Outcome,
    Stag, StallModel, Stopped, StreamId, SubstreamId, Tbu, TimedOut, Transaction,
};

use vm_memory::GuestMemoryMmap;

use crate::support::guest::*;

use crate::support::tables::{Pages, Shape, Tree};

const SYNC: [u64; 2] = [0x46, 0];

const OLD: u64 = 0x5000_0000;

const NEW: u64 = 0x6000_0000;

fn exact() -> Exact {
    Exact::new(Preset::custom(64, 4, Replacement::Lru))
}

/// Two streams (5 and 6) with one CD each of ASIDs 7 and 8, VMID 3, the same stage-1 tables: pages at 0 (global), 0x1000, 0x2000, and a
/// 2 MiB block at 0x20_0000, which stage 2 maps by pages.
struct Bench {
    guest: Guest,
    inner: Tree,
}

const ADDRESSES: [u64; 4] = [0, 0x1000, 0x2000, 0x20_3000];

fn bench() -> Bench {
    let mut guest = Guest::new(Features::all());
    let (mut inner, mut outer, _) = nested(&mut guest, K4, K4_S2);
    let global = S1_RW & !(1 << 11);
    for (va, attributes) in [(0, global), (0x1000, S1_RW), (0x2000, S1_RW)] {
        assert!(inner.map(
            &mut Inner(&mut guest),
            va,
            0x9_0000_0000 + va,
            3,
            attributes,
            0
        ));
    }
    assert!(inner.map(
        &mut Inner(&mut guest),
        0x20_0000,
        0x9_0020_0000,
        2,
        S1_RW,
        0
    ));
    for va in ADDRESSES {
        assert!(outer.map(
            &mut Host(&mut guest),
            0x9_0000_0000 + va,
            OLD + va,
            3,
            S2_RW,
            0
        ));
        assert!(outer.map(
            &mut Host(&mut guest),
            0xa_0000_0000 + va,
            NEW + va,
            3,
            S2_RW,
            0
        ));
    }
    let at = guest.area(64);
    guest.write(at, &cd(&inner, 8));
    guest.set_ste(StreamId(6), ste_nested(at + GUEST_OFFSET, &outer, 3));
    Bench { guest, inner }
}

type Seen = [u64; 8];

/// Where both streams' addresses lead, cut to old and new.
fn look<C: Caches>(tbu: &mut Tbu<'_, GuestMemoryMmap<()>, C>) -> Seen {
    let mut seen = [0; 8];
    let streams = [5, 6]
        .into_iter()
        .flat_map(|sid| ADDRESSES.map(|va| (sid, va)));
    for (slot, (sid, va)) in seen.iter_mut().zip(streams) {
        let transaction = Transaction::new(StreamId(sid), None, Iova(va + 8), READ);
        let translation = tbu
            .burst()
            .translate(&transaction)
            .expect("mapped before and after");
        *slot = translation.pa.0 - va - 8;
    }
    seen
}

/// Which of the eight look-ups change by `command`, in a cache that forgets exactly what is named; and that `Fast` forgets at least that.
#[track_caller]
fn changes(command: [u64; 2]) -> [bool; 8] {
    let Bench { mut guest, inner } = bench();
    guest.write(guest.queue_base, &[command, SYNC].concat());
    // A TBU borrows the SMMU, and consuming commands needs the queue: work on parts.
    let Guest { smmu, queue, .. } = &mut guest;
    let mut exact = smmu.tbu_with(exact()).unwrap();
    let mut fast = smmu.tbu_with(Fast::default()).unwrap();
    assert_eq!(look(&mut exact), [OLD; 8]);
    assert_eq!(look(&mut fast), [OLD; 8]);
    // Stage 1 moves every page.
    let tables = Memory(smmu.memory());
    for leaf in inner.leaves() {
        let slot = inner.leaf_slot(&tables, leaf);
        tables.write(slot, tables.read(slot) + 0x1_0000_0000);
    }
    // Nothing was said: everything is still remembered.
    assert_eq!(look(&mut exact), [OLD; 8]);
    assert_eq!(look(&mut fast), [OLD; 8]);
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    let exact = look(&mut exact);
    for (exact, fast) in exact.iter().zip(look(&mut fast)) {
        assert!(
            fast == NEW || *exact == OLD,
            "the fast policy kept what was named"
        );
    }
    exact.map(|pa| pa == NEW)
}

/// Tables that are only read.
struct Memory<'m>(&'m GuestMemoryMmap<()>);

impl Pages for Memory<'_> {
    fn area(&mut self, _: u64) -> u64 {
        panic!("nothing is built here")
    }
    fn physical(&self, address: u64) -> u64 {
        address - GUEST_OFFSET
    }
    fn memory(&self) -> &GuestMemoryMmap<()> {
        self.0
    }
}

/// A transaction leads to [`OLD`], and still does when something was changed under the caches' feet; does it lead to [`NEW`] after commands?
fn is_seen<C: Caches>(
    guest: &mut Guest,
    caches: C,
    transaction: Transaction,
    change: impl FnOnce(&Memory<'_>),
    commands: &[[u64; 2]],
) -> bool {
    guest.write(guest.queue_base, &[commands, &[SYNC]].concat().concat());
    let Guest { smmu, queue, .. } = guest;
    let mut tbu = smmu.tbu_with(caches).unwrap();
    let mut look = || tbu.burst().translate(&transaction).unwrap().pa.0;
    assert_eq!(look(), OLD);
    change(&Memory(smmu.memory()));
    assert_eq!(look(), OLD);
    queue.set_prod(commands.len() as u32 + 1);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    look() == NEW
}

const YES: bool = true;

const NO: bool = false;
