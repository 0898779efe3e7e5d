//! The specification: a small abstract machine that reads like the Arm manual's chapters.
//!
//! It knows no engine, no files, no clock and no search. See README.md beside this crate's manifest for the reading order.

mod allocate;
mod answer;
mod behalf;
pub mod caches;
mod command;
mod contract;
#[cfg(test)]
mod exactness;
mod execute;
mod fill;
mod flight;
mod ghost;
mod liveness;
pub mod machine;
#[cfg(test)]
mod manual;
#[cfg(not(feature = "mutants"))]
mod mutant;
#[cfg(feature = "mutants")]
pub mod mutant;
mod op;
mod operand;
pub mod program;
pub mod property;
#[cfg(test)]
mod sample;
mod setup;
#[cfg(test)]
mod soundness;
pub mod state;
mod step;
pub mod trace;
mod witness;

pub use machine::{
    Axes, Bounds, CacheMode, Errors, Hardware, Machine, S1dss, Setup, TableMemory, VmidPer, limit,
};
pub use program::{Code, Instr, OpKind, Pc, SourceStep};
pub use state::State;
pub use step::{Cost, Outcome, Seen, Step, Taken};

/// A set of source steps: indices into [`Code::steps`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepSet([u64; 4]);

impl StepSet {
    /// How many steps a spec may have.
    pub const CAPACITY: usize = 256;

    /// Adds a step.
    pub fn insert(&mut self, step: usize) {
        self.0[step / 64] |= 1 << (step % 64);
    }

    /// Whether it has a step.
    pub fn contains(&self, step: usize) -> bool {
        self.0[step / 64] >> (step % 64) & 1 == 1
    }

    /// Adds all of another set.
    pub fn merge(&mut self, other: &StepSet) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }
}
