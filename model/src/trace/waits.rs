//! Who waits for what: the end of a story about a machine that is stuck.

use super::{end, text};
use crate::machine::Machine;
use crate::program::Instr;
use crate::state::State;

/// A thread in an operation that it may never finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The thread's number.
    pub thread: u8,
    /// The thread's name.
    pub who: String,
    /// What it is in: `unmap(space 0, page 0)`.
    pub operation: String,
    /// The step that it has not performed.
    pub at: String,
    /// The lock that it waits for, as a bit of `Memory::locks`; none if it waits for something else.
    pub lock: Option<u8>,
    /// The thread that holds that lock; none if nobody does who could give it back.
    pub holder: Option<u8>,
}

/// Everybody who is in an operation.
pub fn waits(machine: &Machine, state: &State) -> Vec<Wait> {
    let threads = 0..machine.threads();
    let busy = threads.filter(|&thread| !state.threads[thread].is_idle());
    let wait = |thread: usize| {
        let pc = state.threads[thread].pc;
        let lock = match machine.code.instrs[pc as usize] {
            Instr::Lock(lock) => Some(machine.lock_bit(lock, thread)),
            _ => None,
        };
        let lock = lock.filter(|bit| state.memory.locks & bit != 0);
        let holds = |other: &usize| lock.is_some_and(|bit| state.threads[*other].held & bit != 0);
        Wait {
            thread: thread as u8,
            who: machine.thread_name(thread),
            operation: end::operation(machine, state, thread),
            at: text::waiting(machine, state, thread),
            lock,
            holder: (0..machine.threads()).find(holds).map(|other| other as u8),
        }
    };
    busy.map(wait).collect()
}
