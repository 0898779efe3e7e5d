//! Steps: who may move, and what comes of it. The transition relation.
//!
//! `steps` lists candidates in a fixed order, `apply` decides: guard and effect are written once, together.

use vocab::{Command, Viommu, Vm};

use crate::StepSet;
use crate::caches::{BYTES, Caches};
use crate::command::encode;
use crate::flight::TooMany;
use crate::machine::{CacheMode, Machine, limit};
use crate::op::Op;
use crate::program::{Instr, OpKind, ReadExpr, Start, VIOMMU};
use crate::state::{InFlight, State, Thread};

/// The name of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An idle thread begins an operation or a call, and performs its first visible instruction.
    Begin {
        /// Who.
        thread: u8,
        /// Which of [`crate::Code::entries`].
        entry: u8,
        /// What the first registers hold.
        args: [u8; 3],
        /// On behalf of which vIOMMU, plus one; 0 for the host's.
        viommu: u8,
        /// What is in the guest's queue, by code; 0 for nothing.
        command: u16,
        /// Which of several outcomes of the first instruction.
        choice: u8,
    },
    /// A thread performs its next visible instruction.
    Go {
        /// Who.
        thread: u8,
        /// Which of several outcomes.
        choice: u8,
    },
    /// Scheduled caches: hardware caches an entry that it can fetch.
    Fill(u8, u8),
    /// Scheduled caches: hardware drops an entry.
    Evict(u8, u8),
    /// Scheduled caches: a command in flight takes effect.
    TakeEffect(u8),
}

/// What comes of a step.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "an outcome lives on the stack for one call"
)]
pub enum Outcome {
    /// The step was taken.
    Next(State, Seen),
    /// It is not possible now.
    Blocked,
    /// What would follow is outside of what a state can say. Says why.
    NotModelled(&'static str),
}

/// [`Outcome`], where what follows is written into a place that there is already: a state is large, and searches take many steps.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// The step was taken.
    Next(Seen),
    /// [`Outcome::Blocked`].
    Blocked,
    /// [`Outcome::NotModelled`].
    NotModelled(&'static str),
}

/// What a transition did, apart from leading to a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The properties that it put to the test, as a set of [`vocab::PropertyId::bit`].
    pub witnesses: u16,
    /// The source steps that it executed.
    pub steps: StepSet,
    /// What it cost.
    pub cost: Cost,
    /// Whether an operation or call ended with an error.
    pub failed: bool,
    /// What its command hit, value by value; a step issues at most one command.
    pub hit: Caches,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Exits from guest to VMM.
    pub exits: u32,
    /// Calls from VMM to kernel.
    pub ioctls: u32,
    /// Calls from guest to kernel or hypervisor.
    pub hypercalls: u32,
    /// Commands in hardware queues, SYNCs apart.
    pub commands: u32,
    /// SYNCs in hardware queues.
    pub syncs: u32,
    /// Entries that commands hit, whether or not they had to go; [`Caches::tags`].
    pub dropped: u32,
}

/// Why an instruction did not go through.
pub(crate) enum Stop {
    /// It waits for something.
    Blocked,
    /// The instruction has no outcome of that number now.
    NoSuchChoice,
    NotModelled(&'static str),
}

impl From<TooMany> for Stop {
    fn from(_: TooMany) -> Self {
        Stop::NotModelled("more commands in flight than a state has room for")
    }
}

impl Machine {
    /// The state in which every run begins: memory as the host has set it up, and all that may be cached of it.
    pub fn initial(&self) -> State {
        let mut state = State::default();
        self.set_up(&mut state);
        if self.caches == CacheMode::Saturated {
            self.settle(&mut state);
        }
        state
    }

    /// Whether no thread is in an operation and none has left a lock behind. A lock is nobody's between operations: whoever waits
    /// for one that was never given back has not begun (its first step is not possible), and would be missed otherwise.
    pub fn is_idle(&self, state: &State) -> bool {
        state.threads.iter().all(Thread::is_idle) && state.memory.locks == 0
    }

    /// Appends the candidate steps of a state in a fixed order: threads by number, then hardware.
    pub fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        for thread in 0..self.threads() {
            let current = &state.threads[thread];
            if current.is_idle() {
                self.beginnings(state, thread, steps);
            } else {
                for choice in 0..self.choices(self.code.instrs[current.pc as usize]) {
                    steps.push(Step::Go {
                        thread: thread as u8,
                        choice,
                    });
                }
            }
        }
        if self.caches == CacheMode::Scheduled {
            for place in 0..limit::IN_FLIGHT {
                if self.may_take_effect(state, place) {
                    steps.push(Step::TakeEffect(place as u8));
                }
            }
            steps.extend(
                self.fetchable(state)
                    .bits()
                    .map(|(byte, bit)| Step::Fill(byte, bit)),
            );
            steps.extend(
                state
                    .caches
                    .bits()
                    .map(|(byte, bit)| Step::Evict(byte, bit)),
            );
        }
    }

    /// Takes a step.
    pub fn apply(&self, state: &State, step: Step) -> Outcome {
        let mut next = State::default();
        match self.take(state, step, &mut next, |next| self.settle(next)) {
            Taken::Next(seen) => Outcome::Next(next, seen),
            Taken::Blocked => Outcome::Blocked,
            Taken::NotModelled(bound) => Outcome::NotModelled(bound),
        }
    }

    /// The same from a state that is settled, as the initial one and all that follow are, and a state that somebody made need not be.
    /// `next` is overwritten, and means nothing if the step was not taken.
    pub fn apply_into(&self, state: &State, step: Step, next: &mut State) -> Taken {
        self.take(state, step, next, |next| self.settle_after(state, next))
    }

    fn take(
        &self,
        state: &State,
        step: Step,
        next: &mut State,
        settle: impl FnOnce(&mut State),
    ) -> Taken {
        *next = *state;
        let mut seen = Seen::default();
        next.ghost.offence = 0;
        let taken = match step {
            Step::Begin {
                thread,
                entry,
                args,
                viommu,
                command,
                choice,
            } => {
                let call = Beginning {
                    entry,
                    args,
                    viommu,
                    command,
                };
                self.begin(next, thread as usize, call, choice, &mut seen)
            }
            Step::Go { thread, choice } => self.go(next, thread as usize, choice, &mut seen),
            Step::Fill(byte, bit) => {
                next.caches = next.caches.union(&Caches::one(byte, bit));
                Ok(())
            }
            Step::Evict(byte, bit) => {
                next.caches = next.caches.minus(&Caches::one(byte, bit));
                Ok(())
            }
            Step::TakeEffect(place) => {
                self.take_effect(next, place as usize);
                Ok(())
            }
        };
        match taken {
            Err(Stop::Blocked | Stop::NoSuchChoice) => Taken::Blocked,
            Err(Stop::NotModelled(bound)) => Taken::NotModelled(bound),
            Ok(()) => {
                settle(next);
                seen.witnesses |= self.witnesses_of(next);
                debug_assert!(self.well_formed(next), "{step:?} led to a malformed state");
                Taken::Next(seen)
            }
        }
    }

    /// What must be true of every state, whatever programs do.
    pub fn well_formed(&self, state: &State) -> bool {
        let idle_threads_are_at_rest = state
            .threads
            .iter()
            .all(|thread| !thread.is_idle() || thread.pc == 0);
        let others_wait_at_visible_instructions = state
            .threads
            .iter()
            .all(|thread| thread.is_idle() || self.code.instrs[thread.pc as usize].is_visible());
        let doomed_entries_are_cached = state
            .flight
            .iter()
            .all(|entry| entry.doomed.0.is_subset(&state.caches));
        let flight_is_packed = state
            .flight
            .windows(2)
            .all(|pair| pair[0] != InFlight::default() || pair[1] == pair[0]);
        idle_threads_are_at_rest
            && others_wait_at_visible_instructions
            && doomed_entries_are_cached
            && flight_is_packed
            && BYTES == size_of::<Caches>()
    }

    /// How many outcomes an instruction can have.
    pub(crate) fn choices(&self, instr: Instr) -> u8 {
        match instr {
            Instr::MayFail { .. } => 2,
            Instr::HwqGuest { .. } | Instr::HwqChunk(_) if self.axes.errors.illegal => 2,
            Instr::Sync(_) if self.axes.errors.atc_timeout => 2,
            // What lies in guest memory may be anything when software reads it, too: no ASID, or any.
            Instr::Read(_, ReadExpr::CdAsid { .. }) if self.cds_are_anything() => {
                1 + self.bounds.asids
            }
            Instr::AllocAsid(_) => self.bounds.asids,
            Instr::AllocVmid(_) => self.bounds.vmids,
            _ => 1,
        }
    }

    /// Whether a thread is a hostile guest's.
    pub(crate) fn is_hostile(&self, thread: usize) -> bool {
        self.vm_of_thread(thread).is_some() && self.threat == vocab::Threat::Hostile
    }

    /// What an idle thread may begin.
    fn beginnings(&self, state: &State, thread: usize, steps: &mut Vec<Step>) {
        let vm = self.vm_of_thread(thread);
        let hostile = self.is_hostile(thread);
        let others: Vec<Op> = self.others(state, thread).collect();
        for (entry, beginning) in self.code.entries.iter().enumerate() {
            let mut add = |args: [u8; 3], viommu: Option<Viommu>, command: u16| {
                steps.extend((0..self.begin_choices[entry]).map(|choice| Step::Begin {
                    thread: thread as u8,
                    entry: entry as u8,
                    args,
                    viommu: viommu.map_or(0, |viommu| viommu.0 + 1),
                    command,
                    choice,
                }));
            };
            match &beginning.start {
                Start::Operation(kind) if !hostile => {
                    if kind.is_guests() == vm.is_some() && self.bounds.operations.contains(kind) {
                        self.each_args(kind.params(), |args| {
                            let op = Op { kind: *kind, args };
                            if self.may_begin(state, thread, op, &others) {
                                add(args, self.viommu_of_args(*kind, args), 0);
                            }
                        });
                    }
                }
                Start::Call(params) if hostile => {
                    for viommu in self.viommus_of(vm) {
                        self.each_args(params, |args| add(args, Some(viommu), 0));
                    }
                }
                Start::Doorbell if hostile => {
                    for viommu in self.viommus_of(vm) {
                        for command in self.any_command() {
                            add([0; 3], Some(viommu), encode(command));
                        }
                    }
                }
                Start::Operation(_) | Start::Call(_) | Start::Doorbell => {}
            }
        }
    }

    /// The vIOMMUs of a VM.
    pub(crate) fn viommus_of(&self, vm: Option<Vm>) -> impl Iterator<Item = Viommu> + '_ {
        (0..self.bounds.viommus)
            .map(Viommu)
            .filter(move |&viommu| Some(self.vm_of(viommu)) == vm)
    }

    /// The vIOMMU on whose behalf a guest's operation runs.
    fn viommu_of_args(&self, kind: OpKind, args: [u8; 3]) -> Option<Viommu> {
        let space = kind
            .params()
            .iter()
            .position(|&param| param == crate::program::Kind::Space)?;
        args[space]
            .checked_sub(1)
            .map(|space| self.viommu_of(vocab::Space(space)))
    }

    /// Sets a thread's registers for a beginning, without performing anything.
    pub(crate) fn enter(&self, state: &mut State, thread: usize, call: Beginning) {
        let beginning = &self.code.entries[call.entry as usize];
        let current = &mut state.threads[thread];
        current.entry = call.entry + 1;
        current.pc = beginning.pc;
        current.regs[..3].copy_from_slice(&call.args);
        if call.viommu != 0 {
            current.regs[VIOMMU.0 as usize] = call.viommu;
        }
        if call.command != 0 {
            let free = current.batch.iter_mut().find(|code| **code == 0);
            *free.expect("a hostile guest's queue is empty when it rings the doorbell") =
                call.command;
        }
    }
}

/// How a thread begins: the fields of [`Step::Begin`].
#[derive(Clone, Copy)]
pub(crate) struct Beginning {
    pub entry: u8,
    pub args: [u8; 3],
    pub viommu: u8,
    pub command: u16,
}

impl Seen {
    pub(crate) fn hit(&mut self, machine: &Machine, state: &State, command: Command) {
        self.hit = state.caches.intersection(&machine.hits(command));
        self.cost.commands += 1;
        self.cost.dropped += self.hit.tags();
    }
}
