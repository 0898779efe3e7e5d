//! A thread's step taken once more, to see what its states do not tell: which instruction, what was queued, how it ended.

use vocab::Command;

use crate::command::Tags;
use crate::machine::Machine;
use crate::program::{Instr, Section, Start};
use crate::state::{State, Thread};
use crate::step::{Beginning, Seen, Step};

/// What a step of a thread consisted of.
pub(super) struct Retraced {
    /// Who.
    pub thread: usize,
    /// Whose program the step is from.
    pub section: Option<Section>,
    /// The state in which the visible instruction was performed; none if there was no visible one.
    pub at: Option<State>,
    /// The thread right behind the visible instruction.
    pub done: Thread,
    /// Which of several outcomes.
    pub choice: u8,
    /// The command that was put into a hardware queue.
    pub issued: Option<Command>,
    /// What was appended to the guest's queue.
    pub queued: Vec<Command>,
    /// What a guest had asked for and was not issued when it was told of success.
    pub owed: Tags,
    /// What was reported as handled and not completed.
    pub unkept: Tags,
    /// Whether commands were left in the guest's queue when it was told of success.
    pub left: bool,
    /// Whether a SYNC of the guest was consumed without being forwarded.
    pub passed: bool,
    /// Whether what was taken of an array so far was reported as handled.
    pub reported: bool,
    /// Whether the operation or call ended, and how.
    pub ended: Option<bool>,
    /// Whether it has only begun, and waits at the step.
    pub(super) waits: bool,
}

impl Retraced {
    fn new(thread: usize, choice: u8) -> Self {
        Retraced {
            thread,
            section: None,
            at: None,
            done: Thread::default(),
            choice,
            issued: None,
            queued: Vec::new(),
            owed: Tags::default(),
            unkept: Tags::default(),
            left: false,
            passed: false,
            reported: false,
            ended: None,
            waits: false,
        }
    }

    /// Notes a local instruction.
    fn watch(&mut self, machine: &Machine, state: &State, instr: Instr) {
        let this = &state.threads[self.thread];
        match instr {
            Instr::Cmdq(command) => self.queued.extend(machine.resolve(state, this, command)),
            Instr::Answer => {
                self.owed = self.owed.union(this.asked);
                self.unkept = self.unkept.union(this.owed);
                if this.batch[0] != 0 {
                    self.left = true;
                    self.unkept = self.unkept.union(this.asked);
                }
            }
            Instr::Cut { every, .. } if this.syncs_after_next(every) != 0 => {
                self.passed = true;
                self.unkept = self.unkept.union(this.asked).union(this.owed);
            }
            Instr::Report => {
                self.reported = true;
                self.unkept = self.unkept.union(this.owed);
            }
            Instr::Return => self.ended = Some(true),
            Instr::Fail => self.ended = Some(false),
            _ => {}
        }
    }
}

/// Takes a thread's step once more; none for hardware's.
pub(super) fn retrace(machine: &Machine, before: &State, step: Step) -> Option<Retraced> {
    let mut state = *before;
    let mut seen = Seen::default();
    let (thread, choice) = match step {
        Step::Begin { thread, choice, .. } | Step::Go { thread, choice } => {
            (thread as usize, choice)
        }
        Step::Fill(..) | Step::Evict(..) | Step::TakeEffect(..) => return None,
    };
    let mut told = Retraced::new(thread, choice);
    if let Step::Begin {
        entry,
        args,
        viommu,
        command,
        ..
    } = step
    {
        let call = Beginning {
            entry,
            args,
            viommu,
            command,
        };
        machine.enter(&mut state, thread, call);
        if let Start::Operation(kind) = machine.code.entries[entry as usize].start {
            machine.promise(&mut state, kind, args);
        }
        let local = machine.run_local(&mut state, thread, &mut seen, |state, instr| {
            told.watch(machine, state, instr);
        });
        if local.is_err() || state.threads[thread].is_idle() {
            return Some(told);
        }
    }
    let pc = state.threads[thread].pc;
    let instr = machine.code.instrs[pc as usize];
    told.section = machine.section_of(pc);
    told.at = Some(state);
    told.issued = issued(machine, &state, thread, instr);
    let performed = machine.perform(&mut state, thread, instr, choice, &mut seen);
    told.waits = performed.is_err();
    if let Ok(target) = performed {
        told.done = state.threads[thread];
        state.threads[thread].pc = target.unwrap_or(pc + 1);
        // A step that was taken goes through; if it is not, what was seen so far is told.
        let _ = machine.run_local(&mut state, thread, &mut seen, |state, instr| {
            told.watch(machine, state, instr);
        });
    }
    Some(told)
}

fn issued(machine: &Machine, state: &State, thread: usize, instr: Instr) -> Option<Command> {
    let this = &state.threads[thread];
    match instr {
        Instr::Hwq(_, command) => machine.resolve(state, this, command),
        Instr::HwqGuest { fixup: false, .. } => crate::command::decode(this.command),
        Instr::HwqChunk(_) => crate::command::decode(this.chunk[0]),
        Instr::HwqGuest { fixup: true, .. } | Instr::Chunk { .. } => {
            let command = crate::command::decode(this.command)?;
            machine.fixup(state, this, command)
        }
        _ => None,
    }
}

impl Machine {
    /// The name of the program that an instruction is from.
    pub(super) fn program_of(&self, pc: u16) -> Option<String> {
        let step = self.code.step_of(pc)?;
        Some(self.code.steps[step].program.clone())
    }

    /// Whose program an instruction is from.
    pub(super) fn section_of(&self, pc: u16) -> Option<Section> {
        let step = self.code.step_of(pc)?;
        Some(self.code.steps[step].section)
    }
}
