//! The fuzz targets without a fuzzer: what is kept in `fuzz/corpus`, and random bytes.
//!
//! A corpus file with a name of its own is either a seed, which is made below from words that Linux wrote or that other tests use, or
//! something that once failed. UPDATE_EXPECT=1 writes the seeds.

mod bodies;
mod seeds;

use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;

/// A target: its name, what it does with its bytes, and the seeds that its corpus begins with.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

const TARGETS: [Target; 3] = [
    Target {
        name: "engine-commands",
        run: bodies::commands::run,
        seeds: seeds::commands,
    },
    Target {
        name: "engine-guest",
        run: bodies::guest::run,
        seeds: seeds::guest,
    },
    Target {
        name: "engine-tables",
        run: bodies::tables::run,
        seeds: seeds::tables,
    },
];

fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target.name)
}

/// Runs a target on bytes; the time in which it must end is far beyond what it needs.
fn run(target: &Target, bytes: &[u8]) {
    let began = Instant::now();
    (target.run)(bytes);
    let took = began.elapsed();
    assert!(took.as_secs() < 5, "{}: something loops", target.name);
}

#[test]
fn the_kept_corpus_holds() {
    for target in &TARGETS {
        let mut files = 0;
        for entry in std::fs::read_dir(corpus(target)).expect("each target has a corpus") {
            let path = entry.expect("a folder can be listed").path();
            println!("{}", path.display());
            run(
                target,
                &std::fs::read(&path).expect("a corpus file can be read"),
            );
            files += 1;
        }
        assert!(files >= 3, "{}: {files} files", target.name);
    }
}

#[test]
fn seeds_are_what_they_are_made_from() {
    for target in &TARGETS {
        for (name, bytes) in (target.seeds)() {
            let path = corpus(target).join(name);
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::create_dir_all(corpus(target)).expect("a folder for the corpus");
                std::fs::write(&path, &bytes).expect("a seed can be written");
            }
            let kept =
                std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                kept == bytes,
                "{} is not what it is made from",
                path.display()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_hold(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for target in &TARGETS {
            run(target, &bytes);
        }
    }

    /// A seed in which some bytes are others: gets further than bytes without sense.
    #[test]
    fn spoilt_seeds_hold(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        for target in &TARGETS {
            let seeds = (target.seeds)();
            let mut bytes = which.get(&seeds).1.clone();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            run(target, &bytes);
        }
    }
}
