#![no_main]

#[path = "../../src/engine/tests/it/fuzz/bodies/mod.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::commands::run(bytes));
