#![no_main]

#[path = "../../tests/it/fuzz/spec.rs"]
#[allow(dead_code, reason = "its folder is cleaned by tests")]
mod spec;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spec::run(bytes));
