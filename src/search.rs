//! The contract of a search: what it is given, and what it must say afterwards.
//!
//! Two searches keep it, written independently: [`levels`] is the verdict of record, [`stateright`] the second opinion, and
//! [`agree`] compares them.

pub mod agree;
mod fixpoint;
mod hash;
pub mod levels;
mod live;
pub mod machine;
mod notes;
mod packed;
pub mod stateright;
mod store;
#[cfg(test)]
pub(crate) mod toy;

use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vocab::PropertyId;

/// What is searched. `model::Machine` is one; tests have smaller ones.
pub trait System: Send + Sync + 'static {
    /// A state: plain old data, compared and stored as it is.
    type State: bytemuck::Pod + Eq + Hash + Send + Sync + std::fmt::Debug;
    /// A transition's name; steps of a state are ordered as `steps` lists them.
    type Step: Copy + Eq + Hash + Send + Sync + std::fmt::Debug;

    /// The one initial state.
    fn initial(&self) -> Self::State;
    /// Appends the candidate steps of a state, in a fixed order.
    fn steps(&self, state: &Self::State, steps: &mut Vec<Self::Step>);
    /// Takes a step.
    fn apply(&self, state: &Self::State, step: Self::Step) -> Outcome<Self::State>;
    /// The same into a place that there is already, which means nothing if the step was not taken: states are large, and whoever can
    /// do without copies of them does.
    fn apply_into(&self, state: &Self::State, step: Self::Step, next: &mut Self::State) -> Taken {
        match self.apply(state, step) {
            Outcome::Next(what, seen) => {
                *next = what;
                Taken::Next(seen)
            }
            Outcome::Blocked => Taken::Blocked,
            Outcome::NotModelled(bound) => Taken::NotModelled(bound),
        }
    }
    /// Which of the properties that are asked for the state violates, as sets of [`PropertyId::bit`]. P-LIVE is the search's own matter.
    fn judge(&self, state: &Self::State, asked: u16) -> u16;
    /// Whether nothing is going on: the state that must remain reachable.
    fn is_idle(&self, state: &Self::State) -> bool;
}

/// [`Outcome`] without what follows.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// The step was taken.
    Next(Seen),
    /// [`Outcome::Blocked`].
    Blocked,
    /// [`Outcome::NotModelled`].
    NotModelled(&'static str),
}

/// What comes of a step.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "an outcome lives on the stack for one call"
)]
pub enum Outcome<S> {
    /// The step was taken.
    Next(S, Seen),
    /// It is not possible now.
    Blocked,
    /// What would follow is outside of what the system can say. Says why.
    NotModelled(&'static str),
}

/// What a transition did, apart from leading to a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The properties that it put to the test, as a set of [`PropertyId::bit`].
    pub witnesses: u16,
    /// The source steps that it executed.
    pub steps: StepSet,
}

pub use model::StepSet;

/// When to give up. A limit never yields a verdict that holds.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Distinct states.
    pub max_states: Option<u64>,
    /// Wall time.
    pub timeout: Option<Duration>,
}

/// Why a search stopped before it had seen everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// `--max-states` was reached.
    MaxStates(u64),
    /// `--timeout` was reached.
    Timeout(Duration),
    /// Ctrl-C.
    Interrupted,
    /// A violation was found, and that was all that was asked for.
    Violated,
    /// [`Outcome::NotModelled`].
    NotModelled(&'static str),
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Distinct states.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// The level whose states are being expanded.
    pub level: u32,
    /// Known states that are yet to be expanded.
    pub frontier: u64,
}

/// What a search is told from outside while it runs.
pub struct Control<'a> {
    /// When to give up.
    pub limits: Limits,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
    /// Called a few times a second, from the thread that searches.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// When the search began.
    pub began: Instant,
}

impl<'a> Control<'a> {
    /// Within limits, from now on.
    pub fn new(
        limits: Limits,
        interrupt: &'a AtomicBool,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        let began = Instant::now();
        Control {
            limits,
            interrupt,
            progress,
            began,
        }
    }

    /// Whether it is time to stop, counts apart.
    pub fn stop(&self) -> Option<Why> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Some(Why::Interrupted);
        }
        let timeout = self.limits.timeout?;
        (self.began.elapsed() >= timeout).then_some(Why::Timeout(timeout))
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::MaxStates(states) => write!(f, "--max-states {states} was reached"),
            Why::Timeout(time) => {
                write!(
                    f,
                    "--timeout {} was reached",
                    humantime::format_duration(*time)
                )
            }
            Why::Interrupted => write!(f, "interrupted"),
            Why::Violated => write!(f, "a violation was found"),
            Why::NotModelled(why) => write!(f, "{why}"),
        }
    }
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found<P> {
    /// Distinct states.
    pub states: u64,
    /// Transitions, those to known states included.
    pub transitions: u64,
    /// Steps to the farthest state; none if this search cannot tell.
    pub depth: Option<u32>,
    /// None if every reachable state was visited.
    pub stopped: Option<Why>,
    /// The properties that some reachable state violates, P-LIVE included, as a set of [`PropertyId::bit`].
    pub violated: u16,
    /// The properties that some transition put to the test; for P-LIVE, whether some state is not idle.
    pub witnessed: u16,
    /// The source steps that some transition executed.
    pub executed: StepSet,
    /// For each violated property a shortest path from the initial state; empty if this search keeps none.
    pub paths: Vec<(PropertyId, P)>,
}
