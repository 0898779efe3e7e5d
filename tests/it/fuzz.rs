//! The fuzz target `spec` without a fuzzer: what is kept in fuzz/corpus/spec, other tests' specs, the same with random changes, and
//! random bytes. See docs/fuzzing.md.

mod spec;

use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::tidy::files;

/// Runs the target; a spec of this size is read in milliseconds.
fn run(bytes: &[u8]) {
    let began = Instant::now();
    spec::run(bytes);
    assert!(began.elapsed() < Duration::from_secs(5), "something loops");
}

/// A test of its own process's folder: one after the other.
#[test]
fn no_bytes_make_the_reader_panic() {
    let kept: Vec<Vec<u8>> = ["fuzz/corpus/spec", "tests/good-specs", "tests/bad-specs"]
        .iter()
        .flat_map(|folder| files(folder, "toml"))
        .map(|path| {
            println!("{}", path.display());
            let bytes = fs::read(&path).expect("a corpus file can be read");
            run(&bytes);
            bytes
        })
        .collect();
    let seed = fs::read("tests/good-specs/batched.toml").expect("a good spec");
    let words: Vec<&[u8]> = seed.split(|byte| byte.is_ascii_whitespace()).collect();
    let spoilt = (
        any::<prop::sample::Index>(),
        prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                0usize..12,
                any::<prop::sample::Index>(),
            ),
            1..5,
        ),
    );
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // Some bytes are replaced by a word that specs have.
    TestRunner::new(config.clone())
        .run(&spoilt, |(which, changes)| {
            let mut bytes = which.get(&kept).clone();
            for (at, less, word) in changes {
                let at = at.index(bytes.len() + 1);
                let end = (at + less).min(bytes.len());
                bytes.splice(at..end, word.get(&words).iter().copied());
            }
            run(&bytes);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    TestRunner::new(config)
        .run(&prop::collection::vec(any::<u8>(), 0..300), |bytes| {
            run(&bytes);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    spec::clean();
}
