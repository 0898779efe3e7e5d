//! Who waits for whom, and since when.

use model::Machine;
use model::trace::{source, thread_name, waits};

use super::events::{Run, thread_of};

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

impl Stuck {
    /// The events that the sentence names.
    pub fn event(&self) -> Option<usize> {
        match self {
            Stuck::Orphan(taken) => Some(taken.at),
            Stuck::Waits { held, .. } => held.as_ref().map(|taken| taken.at),
        }
    }

    /// Its part of the sentence.
    pub fn sentence(&self, step: &dyn Fn(usize) -> String) -> String {
        match self {
            Stuck::Orphan(taken) => format!(
                "{} went through `{}` at {}, and its operation ended without giving the lock back",
                taken.who,
                taken.lock,
                step(taken.at)
            ),
            Stuck::Waits {
                who,
                operation,
                at,
                held: None,
            } => format!("{who} in {operation} waits at `{at}`"),
            Stuck::Waits {
                who,
                operation,
                at,
                held: Some(taken),
            } => format!(
                "{who} in {operation} waits at `{at}`, and {} has held that lock since {}",
                taken.who,
                step(taken.at)
            ),
        }
    }
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
