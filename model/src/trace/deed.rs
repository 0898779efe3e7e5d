//! What a thread's step does to the queues of the hardware. What it writes to memory is in the states themselves.

use vocab::Command;

use super::retrace::retrace;
use crate::machine::Machine;
use crate::program::Instr;
use crate::state::State;
use crate::step::Step;

/// What a step does to a hardware queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A command is put into a queue.
    Issue {
        /// Which queue.
        queue: u8,
        /// The command, as the hardware is given it.
        command: Command,
        /// Whether the hardware takes it; if not, it stops with CERROR_ILL and does not execute it.
        legal: bool,
    },
    /// A CMD_SYNC of a queue has completed.
    Sync {
        /// Which queue.
        queue: u8,
        /// Whether it ended with CERROR_ATC_INV_SYNC instead.
        timed_out: bool,
    },
}

/// What a step does to a hardware queue, if anything. A step that only waits does nothing; nor does one of hardware.
pub fn deed(machine: &Machine, before: &State, step: Step) -> Option<Deed> {
    let told = retrace(machine, before, step)?;
    let at = told.at.filter(|_| !told.waits)?;
    let instr = machine.code.instrs[at.threads[told.thread].pc as usize];
    match instr {
        Instr::Hwq(queue, _) => told.issued.map(|command| Deed::Issue {
            queue,
            command,
            legal: true,
        }),
        Instr::HwqGuest { queue, .. } | Instr::HwqChunk(queue) => {
            told.issued.map(|command| Deed::Issue {
                queue,
                command,
                legal: told.choice == 0,
            })
        }
        Instr::Sync(queue) => Some(Deed::Sync {
            queue,
            timed_out: told.choice == 1,
        }),
        _ => None,
    }
}
