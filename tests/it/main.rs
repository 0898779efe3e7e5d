//! The integration tests, in one binary.

mod bad_specs;
mod cli;
mod good_specs;
mod modes;
mod mutants;
mod properties;
mod runs;
mod stories;
