//! The integration tests, in one binary.

mod bad_specs;
mod good_specs;
mod stories;
