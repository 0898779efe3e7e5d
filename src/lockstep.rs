//! Where the two readings of the manual meet: the model's steps performed on the engine's real bytes, and what devices notice compared.
//!
//! The model says what may happen: after each step an access *may* come to any of a set of answers ([`may`]). The engine says what does:
//! the same step is performed as stores to memory and commands in queues ([`board`]), and every device accesses every page
//! with every SubstreamID, through its ATC and without it, behind caches of several kinds ([`unit`]). The engine's answer must be among the
//! model's; where there is one, it must be that. What is compared is said in one place, [`answer`].
//!
//! ```text
//! model::Machine ── graph ──► tour ──► step ─┬─► may: the answers that the model allows
//!                                            └─► board ► units: the answer that the engine gives
//! ```
//!
//! Neither reading's code is used to judge the other: answers are frames and faults with whole event records.

mod answer;
pub mod board;
mod chosen;
mod drive;
pub mod encode;
mod fields;
mod fill;
mod graph;
pub mod job;
mod latched;
mod log;
pub mod map;
mod may;
mod probe;
pub mod render;
mod replay;
mod scribble;
#[cfg(test)]
mod tests;
mod tour;
pub mod unit;

pub use answer::Answer;
pub use board::Pace;
pub use drive::{Compared, Difference, drive};
pub use graph::{Graph, NoGraph};
pub use log::Line;
pub use replay::{Happening, Replay, replay};
