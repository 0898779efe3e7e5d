//! Who waits for whom, and since when.

use model::Machine;
use model::trace::{source, thread_name, waits};

use super::events::Run;
use super::provenance::thread_of;

/// What keeps a machine from coming to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// A lock that somebody took who is in no operation any more.
    Orphan(Taken),
    /// An operation that waits.
    Waits {
        /// The thread's name.
        who: String,
        /// What it is in.
        operation: String,
        /// The step that it waits at.
        at: String,
        /// Who has what it waits for, if that is a lock.
        held: Option<Taken>,
    },
}

/// That a lock was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The step that took it: `lock calls`.
    pub lock: String,
    /// The thread that took it.
    pub who: String,
    /// The event in which it did.
    pub at: usize,
}

/// Locks that were never given back, and everybody who waits for a lock; everybody who is in an operation if that is nobody.
pub fn stuck(machine: &Machine, run: &Run) -> Vec<Stuck> {
    let locks = run.end.memory.locks;
    let held = run
        .end
        .threads
        .iter()
        .fold(0, |held, thread| held | thread.held);
    let orphans = (0..8)
        .map(|bit| 1 << bit)
        .filter(|bit| locks & !held & bit != 0);
    let orphans: Vec<_> = orphans
        .filter_map(|bit| taken(machine, run, bit))
        .map(Stuck::Orphan)
        .collect();
    let waits: Vec<_> = waits(machine, &run.end)
        .into_iter()
        .map(|wait| Stuck::Waits {
            held: wait
                .lock
                .filter(|bit| held & bit != 0)
                .and_then(|bit| taken(machine, run, bit)),
            who: wait.who,
            operation: wait.operation,
            at: wait.at,
        })
        .collect();
    let is_kept = |stuck: &Stuck| matches!(stuck, Stuck::Waits { held: Some(_), .. });
    let kept: Vec<_> = waits.iter().filter(|wait| is_kept(wait)).cloned().collect();
    match (orphans.is_empty(), kept.is_empty()) {
        (true, true) => waits,
        _ => [orphans, kept].concat(),
    }
}

/// When a lock was taken last, by its bit in `Memory::locks`.
fn taken(machine: &Machine, run: &Run, bit: u8) -> Option<Taken> {
    let locks = |state: &model::State| state.memory.locks & bit != 0;
    let at = run
        .taken
        .iter()
        .rposition(|taken| !locks(&taken.before) && locks(&taken.after))?;
    let taken = &run.taken[at];
    Some(Taken {
        lock: source(machine, &taken.before, taken.step)?.text.clone(),
        who: thread_name(machine, thread_of(taken.step)? as usize),
        at,
    })
}
