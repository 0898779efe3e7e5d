//! The job: spec files in, two searches, verdicts and traces out.

pub mod args;
pub mod certify;
pub mod cost;
pub mod evidence;
pub mod exit;
pub mod files;
pub mod job;
pub mod list;
pub mod lockstep;
pub mod necessity;
pub mod progress;
pub mod reference;
pub mod report;
pub mod schema;
pub mod scope;
pub mod search;
pub mod shell;
pub mod spec;
pub mod story;
pub mod verdict;
