//! The integration tests, in one binary.

mod good_specs;
