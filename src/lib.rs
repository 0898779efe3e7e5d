//! The job: spec files in, two searches, verdicts and traces out.

pub mod certify;
pub mod search;
pub mod spec;
pub mod verdict;
