//! The integration tests, in one binary.

mod bad_specs;
mod cli;
mod costs;
mod good_specs;
mod readme;
mod stories;
mod tidy;
