//! The job: spec files in, two searches, verdicts and traces out.

pub mod search;
pub mod spec;
