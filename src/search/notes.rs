//! What the second opinion writes down while stateright explores: everything that stateright cannot be asked afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vocab::PropertyId;

use super::{StepSet, fixpoint};

/// Locks for what is written down, so that threads seldom wait for each other.
const SHARDS: usize = 64;

/// What is written down, and whether to go on. States are named by [`super::hash`].
pub struct Notes {
    asks: u16,
    halt: AtomicBool,
    over: AtomicBool,
    too_large: Mutex<Option<&'static str>>,
    shards: [Mutex<Shard>; SHARDS],
}

/// A part of the notes; which one is decided by the hash of the state that a note is about.
#[derive(Default)]
struct Shard {
    total: Total,
    /// Every state that was expanded, and whether it is idle.
    states: Vec<(u64, bool)>,
    edges: Vec<(u64, u64)>,
}

/// Sums over everything explored.
#[derive(Clone, Copy, Default)]
pub struct Total {
    /// States whose steps were listed.
    pub expanded: u64,
    /// The properties put to the test.
    pub witnessed: u16,
    /// The source steps executed.
    pub executed: StepSet,
}

impl Notes {
    /// Nothing yet. `asks` is the set of properties that are judged.
    pub fn new(asks: u16) -> Self {
        Notes {
            asks,
            halt: AtomicBool::new(false),
            over: AtomicBool::new(false),
            too_large: Mutex::new(None),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// The properties that are judged.
    pub const fn asked(&self) -> u16 {
        self.asks
    }

    /// Whether a property is judged, by its name.
    pub fn asks(&self, name: &str) -> bool {
        PropertyId::from_name(name).is_some_and(|id| self.asks & id.bit() != 0)
    }

    /// From now on no state is expanded.
    pub fn halt(&self) {
        self.halt.store(true, Ordering::Relaxed);
    }

    /// Whether no state is expanded any more.
    pub fn halted(&self) -> bool {
        self.halt.load(Ordering::Relaxed) && !self.closed()
    }

    /// From now on whatever is asked is answered, and nothing is written down.
    pub fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn closed(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A bound of the representation was exceeded.
    pub fn is_too_large(&self, bound: &'static str) {
        lock(&self.too_large).get_or_insert(bound);
        self.halt();
    }

    /// The bound that was exceeded.
    pub fn too_large(&self) -> Option<&'static str> {
        *lock(&self.too_large)
    }

    fn live(&self) -> bool {
        self.asks & PropertyId::Live.bit() != 0
    }

    /// A state is expanded.
    pub fn expanded(&self, name: u64, is_idle: bool) {
        if self.closed() {
            return;
        }
        let mut shard = lock(&self.shards[name as usize % SHARDS]);
        shard.total.expanded += 1;
        if !is_idle {
            shard.total.witnessed |= PropertyId::Live.bit();
        }
        if self.live() {
            shard.states.push((name, is_idle));
        }
    }

    /// A transition was taken.
    pub fn transition(&self, from: u64, to: u64, witnesses: u16, steps: &StepSet) {
        if self.closed() {
            return;
        }
        let mut shard = lock(&self.shards[from as usize % SHARDS]);
        shard.total.witnessed |= witnesses;
        shard.total.executed.merge(steps);
        if self.live() {
            shard.edges.push((from, to));
        }
    }

    /// Sums over everything written down so far.
    pub fn total(&self) -> Total {
        let mut total = Total::default();
        for shard in &self.shards {
            let part = lock(shard).total;
            total.expanded += part.expanded;
            total.witnessed |= part.witnessed;
            total.executed.merge(&part.executed);
        }
        total
    }

    /// P-LIVE, by [`fixpoint`].
    pub fn all_return(&self) -> bool {
        let shards: Vec<_> = self.shards.iter().map(lock).collect();
        fixpoint::all_return(
            shards.iter().flat_map(|shard| shard.states.iter().copied()),
            shards.iter().flat_map(|shard| shard.edges.iter().copied()),
        )
    }
}

/// A thread that panicked has its panic passed on; its notes need no second one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
