//! One operation, alone: from its beginning to its return nobody else moves.
//!
//! Of several outcomes of a step the first possible one is taken: allocators give the smallest id, nothing fails that `may fail`.

use std::fmt::{Display, Formatter, Result as Fmt};

use model::program::Start;
use model::{Code, Cost, Machine, OpKind, Outcome, Pc, Seen, State, Step};

/// An operation with its arguments, ids as they are.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Which.
    pub kind: OpKind,
    /// In the order of its parameters; what is behind them is not read.
    pub args: [u8; 3],
}

impl Operation {
    /// The fields of [`Step::Begin`]: each argument plus one, 0 where there is none.
    fn registers(&self) -> [u8; 3] {
        let mut registers = [0; 3];
        for (place, _) in self.kind.params().iter().enumerate() {
            registers[place] = self.args[place] + 1;
        }
        registers
    }
}

/// Why an operation does not return with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody may ask for it in that state.
    MayNotBegin,
    /// It waits for somebody else; the text of the step.
    Waits(String),
    /// It ends with an error.
    Fails,
    /// What follows cannot be represented; names the bound.
    NotModelled(&'static str),
}

impl Display for Obstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match self {
            Obstacle::MayNotBegin => write!(f, "it may not begin"),
            Obstacle::Waits(step) => write!(f, "it waits for somebody else at `{step}`"),
            Obstacle::Fails => write!(f, "it ends with an error"),
            Obstacle::NotModelled(why) => write!(f, "{why}"),
        }
    }
}

/// What an operation has come to.
#[derive(Clone, Copy, Debug)]
pub struct Performed {
    /// The state at its return.
    pub state: State,
    /// The sum of what its steps cost.
    pub cost: Cost,
    /// The entries that were stale when its commands hit them.
    pub stale: u32,
}

/// The entries that a step's command hit and that were stale: empty caches could not come to hold them from memory as it was.
pub fn stale(machine: &Machine, before: &State, seen: &Seen) -> u32 {
    match seen.hit.is_empty() {
        true => 0,
        false => seen.hit.minus(&machine.legitimate(before)).tags(),
    }
}

/// Who is told of every step of an operation, and may want another outcome of one.
pub trait Attendant {
    /// Whether an outcome may be taken; if not, the next possible one is.
    fn admits(&mut self, _state: &State, _step: Step) -> bool {
        true
    }

    /// A step was taken, which may have ended the operation with an error.
    fn taken(&mut self, _before: &State, _step: Step, _after: &State) {}
}

/// Nobody attends.
impl Attendant for () {}

/// Performs an operation on an idle thread.
pub fn perform(
    machine: &Machine,
    state: &State,
    thread: u8,
    operation: Operation,
) -> Result<Performed, Obstacle> {
    perform_before(machine, state, thread, operation, &mut ())
}

/// The same with an attendant.
pub fn perform_before(
    machine: &Machine,
    state: &State,
    thread: u8,
    operation: Operation,
    attendant: &mut dyn Attendant,
) -> Result<Performed, Obstacle> {
    let begins = |step: &Step| match *step {
        Step::Begin {
            thread: who,
            entry,
            args,
            ..
        } => {
            let start = &machine.code.entries[entry as usize].start;
            who == thread
                && matches!(start, Start::Operation(kind) if *kind == operation.kind)
                && args == operation.registers()
        }
        _ => false,
    };
    let begun = first(machine, state, begins, attendant)?;
    let mut performed = begun.ok_or(Obstacle::MayNotBegin)?;
    while !performed.state.threads[thread as usize].is_idle() {
        let state = performed.state;
        let goes = |step: &Step| matches!(step, Step::Go { thread: who, .. } if *who == thread);
        let waits = || Obstacle::Waits(text(&machine.code, state.threads[thread as usize].pc));
        let step = first(machine, &state, goes, attendant)?.ok_or_else(waits)?;
        performed.state = step.state;
        performed.stale += step.stale;
        add(&mut performed.cost, step.cost);
    }
    Ok(performed)
}

/// Takes the first possible one of the chosen steps; none if none of them is possible.
fn first(
    machine: &Machine,
    state: &State,
    choose: impl Fn(&Step) -> bool,
    attendant: &mut dyn Attendant,
) -> Result<Option<Performed>, Obstacle> {
    let mut steps = Vec::new();
    machine.steps(state, &mut steps);
    for step in steps.into_iter().filter(choose) {
        if !attendant.admits(state, step) {
            continue;
        }
        match machine.apply(state, step) {
            Outcome::Blocked => {}
            Outcome::NotModelled(bound) => return Err(Obstacle::NotModelled(bound)),
            Outcome::Next(next, seen) => {
                attendant.taken(state, step, &next);
                if seen.failed {
                    return Err(Obstacle::Fails);
                }
                return Ok(Some(Performed {
                    state: next,
                    cost: seen.cost,
                    stale: stale(machine, state, &seen),
                }));
            }
        }
    }
    Ok(None)
}

/// The step of an instruction, as its author wrote it.
pub fn text(code: &Code, pc: Pc) -> String {
    let step = code.step_of(pc);
    step.map_or(String::new(), |step| code.steps[step].text.clone())
}

/// Adds what a step cost.
pub fn add(sum: &mut Cost, more: Cost) {
    let Cost {
        exits,
        ioctls,
        hypercalls,
        commands,
        syncs,
        dropped,
    } = more;
    sum.exits += exits;
    sum.ioctls += ioctls;
    sum.hypercalls += hypercalls;
    sum.commands += commands;
    sum.syncs += syncs;
    sum.dropped += dropped;
}
