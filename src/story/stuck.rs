//! Who waits for whom, and since when.

use model::Machine;
use model::trace::{thread_name, waits};

use super::events::Run;
use super::provenance::thread_of;

/// An operation that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The thread's name.
    pub who: String,
    /// What it is in.
    pub operation: String,
    /// The step that it waits at.
    pub waits_at: String,
    /// If that is a lock: when it was taken, and by whom.
    pub taken: Option<(String, usize)>,
    /// Whether whoever took the lock is in no operation any more.
    pub is_orphaned: bool,
}

/// Everybody who is in an operation at the end; or, if nobody is, the locks that were never given back.
pub fn stuck(machine: &Machine, run: &Run) -> Vec<Stuck> {
    let taken_at = |bit: u8| {
        let event = run.taken.iter().rposition(|taken| {
            taken.before.memory.locks & bit == 0 && taken.after.memory.locks & bit != 0
        })?;
        let taken = &run.taken[event];
        let thread = thread_of(taken.step)? as usize;
        let is_orphaned = run.end.threads[thread].held & bit == 0;
        Some((thread_name(machine, thread), event, is_orphaned))
    };
    let mut stuck: Vec<_> = waits(machine, &run.end)
        .into_iter()
        .map(|wait| {
            let taken = wait.lock.and_then(taken_at);
            Stuck {
                who: wait.who,
                operation: wait.operation,
                waits_at: wait.at,
                is_orphaned: taken.as_ref().is_some_and(|(.., orphaned)| *orphaned),
                taken: taken.map(|(who, event, _)| (who, event)),
            }
        })
        .collect();
    if stuck.is_empty() {
        let held = (0..8)
            .map(|bit| 1 << bit)
            .filter(|bit| run.end.memory.locks & bit != 0);
        stuck.extend(held.filter_map(taken_at).map(|(who, event, _)| Stuck {
            who: String::new(),
            operation: String::new(),
            waits_at: String::new(),
            taken: Some((who, event)),
            is_orphaned: true,
        }));
    }
    stuck
}
