//! A spec's side: its programs, performed alone by the model and told as bytes.

use model::program::Instr;
use model::state::State;
use model::trace::{self, Deed};
use model::{Cost, Machine, OpKind, Outcome, Step};
use nestcheck::cost::alone::{Attendant, Obstacle, Operation, add, perform_before};
use nestcheck::cost::situation::THREADS;
use nestcheck::lockstep::Line;
use nestcheck::lockstep::Pace;
use nestcheck::lockstep::board::Board;
use nestcheck::lockstep::unit::Memory;

use super::act::Act;

/// What became of an operation, on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// What hardware saw, in order.
    pub acts: Vec<Act>,
    /// Exits, ioctls, commands and CMD_SYNCs.
    pub calls: [u32; 4],
    /// Whether the operation returned with success.
    pub succeeded: bool,
}

/// A machine and its board.
pub struct Programs<'s> {
    pub machine: &'s Machine,
    pub state: State,
    board: Board<'s>,
}

/// Where another outcome than the first is wanted, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Of a command: CERROR_ILL.
    Illegal,
    /// Of a CMD_SYNC: CERROR_ATC_INV_SYNC.
    Unanswered,
    /// Of `may fail`.
    Failure,
}

/// What the model told besides.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub done: Done,
    /// What was wanted and happened, and behind how many acts.
    pub fault: Option<(Fault, usize)>,
    /// For each `report` how many commands of its array were converted.
    pub reports: Vec<usize>,
    /// Commands that were converted or issued for the guest, whatever came of it.
    pub taken: usize,
    /// Whether the model says that somebody was told what is not true.
    pub is_lie: bool,
}

impl<'s> Programs<'s> {
    pub fn new(machine: &'s Machine, smmu: &'s engine::Smmu<Memory>) -> Self {
        Programs {
            machine,
            state: machine.initial(),
            board: Board::new(machine, smmu, Pace::AtSync, Vec::new()),
        }
    }

    /// Performs an operation without a fault.
    pub fn perform(&mut self, operation: Operation) -> Result<Done, String> {
        let told = self.perform_with(operation, &[])?;
        match told.is_lie {
            true => Err(format!("{operation:?} lies without a fault")),
            false => Ok(told.done),
        }
    }

    /// Performs an operation; of the steps that may go wrong those of these numbers do.
    pub fn perform_with(
        &mut self,
        operation: Operation,
        go_wrong: &[usize],
    ) -> Result<Told, String> {
        let before = self.state;
        let thread = THREADS[usize::from(!operation.kind.is_guests())];
        let mut watch = Watch {
            machine: self.machine,
            board: &mut self.board,
            go_wrong,
            met: 0,
            last: before,
            told: Told::default(),
            cost: Cost::default(),
            wrong: None,
        };
        let ended = perform_before(self.machine, &before, thread, operation, &mut watch);
        let Watch {
            last,
            mut told,
            wrong,
            ..
        } = watch;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        match ended {
            Ok(_) => told.done.succeeded = true,
            Err(Obstacle::Fails) => {}
            Err(why) => return Err(format!("{operation:?}: {why}")),
        }
        self.state = last;
        Ok(told)
    }

    /// Nobody's words in a device's STE, which aborts.
    pub fn clear_ste(&mut self, device: u8) {
        let memory = &mut self.state.memory;
        memory.ste1[device as usize] = 0;
        memory.ste2[device as usize] = 0;
        let written = self.board.step(None, &self.state);
        written.expect("only memory is written");
        self.board.take_log();
    }

    /// Every operation of these kinds that may begin now.
    pub fn choices(&self, kinds: &[OpKind]) -> Vec<Operation> {
        let mut steps = Vec::new();
        self.machine.steps(&self.state, &mut steps);
        let mut choices: Vec<Operation> = Vec::new();
        for step in steps {
            let Step::Begin {
                entry,
                args,
                choice: 0,
                ..
            } = step
            else {
                continue;
            };
            let entry = &self.machine.code.entries[entry as usize].start;
            if let model::program::Start::Operation(kind) = *entry
                && kinds.contains(&kind)
            {
                let args = args.map(|arg| arg.saturating_sub(1));
                choices.push(Operation { kind, args });
            }
        }
        choices
    }
}

struct Watch<'a, 's> {
    machine: &'a Machine,
    board: &'a mut Board<'s>,
    go_wrong: &'a [usize],
    met: usize,
    last: State,
    told: Told,
    cost: Cost,
    wrong: Option<String>,
}

impl Watch<'_, '_> {
    /// What may go wrong at the instruction that a thread is about to perform.
    fn fault(&self, state: &State, thread: u8) -> Option<Fault> {
        let pc = state.threads[thread as usize].pc;
        let fault = match self.machine.code.instrs[pc as usize] {
            Instr::HwqGuest { .. } | Instr::HwqChunk(_) => Fault::Illegal,
            Instr::Sync(_) => Fault::Unanswered,
            Instr::MayFail { .. } => Fault::Failure,
            _ => return None,
        };
        let other = self.machine.apply(state, Step::Go { thread, choice: 1 });
        matches!(other, Outcome::Next(..)).then_some(fault)
    }
}

impl Attendant for Watch<'_, '_> {
    fn admits(&mut self, state: &State, step: Step) -> bool {
        let Step::Go { thread, choice: 0 } = step else {
            return true;
        };
        let Some(fault) = self.fault(state, thread) else {
            return true;
        };
        self.met += 1;
        if !self.go_wrong.contains(&(self.met - 1)) {
            return true;
        }
        self.told.fault = Some((fault, self.told.done.acts.len()));
        false
    }

    fn taken(&mut self, before: &State, step: Step, after: &State) {
        let deed = trace::deed(self.machine, before, step);
        if let Err(wrong) = self.board.step(deed, after) {
            self.wrong.get_or_insert(wrong.0);
        }
        let answered = !matches!(
            deed,
            Some(Deed::Sync {
                timed_out: true,
                ..
            })
        );
        for line in self.board.take_log() {
            self.told.done.acts.push(match line {
                Line::Store { at, word } => Act::Store { at, word },
                Line::Command { words, .. } => Act::of_words(words, answered),
            });
        }
        let (Step::Begin { thread, .. } | Step::Go { thread, .. }) = step else {
            return;
        };
        let pc = before.threads[thread as usize].pc;
        let instr = self.machine.code.instrs[pc as usize];
        let takes = matches!(instr, Instr::HwqGuest { .. } | Instr::Chunk { .. });
        self.told.taken += usize::from(takes && matches!(step, Step::Go { .. }));
        if trace::reported(self.machine, before, step) {
            self.told.reports.push(self.told.taken);
        }
        self.told.is_lie |= after.ghost.offence & vocab::PropertyId::Report.bit() != 0;
        let Outcome::Next(_, seen) = self.machine.apply(before, step) else {
            panic!("a step that was taken can be taken again");
        };
        add(&mut self.cost, seen.cost);
        self.told.done.calls = calls(&self.cost);
        self.last = *after;
    }
}

/// Exits, ioctls, commands and CMD_SYNCs. A hypercall is an exit that calls the kernel.
const fn calls(cost: &Cost) -> [u32; 4] {
    [
        cost.exits + cost.hypercalls,
        cost.ioctls + cost.hypercalls,
        cost.commands,
        cost.syncs,
    ]
}
