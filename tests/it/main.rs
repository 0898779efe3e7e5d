//! The integration tests, in one binary.

mod audit;
mod bad_specs;
mod cli;
mod costs;
mod explain;
mod good_specs;
mod modes;
mod mutants;
mod properties;
mod readme;
mod runs;
mod stories;
mod tidy;
