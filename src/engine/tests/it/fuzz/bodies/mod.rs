//! What the engine's fuzz targets do with their bytes, as plain functions: `fuzz/` calls them from libFuzzer, `tests/it/fuzz.rs` with
//! the kept corpus. docs/fuzzing.md says how to run them and how the bytes are read.

pub mod commands;
pub mod guest;
pub mod tables;

mod compare;
mod input;
mod watched;
