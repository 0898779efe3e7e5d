//! Bugs that were made, or that a manual warns of, each a few lines away from a correct spec, which stands beside them or ships.
//!
//! A bug breaks exactly what it claims to break, and its correct spec holds within the same bounds: what is told apart is the bug.

use std::path::Path;

use crate::claims::{self, HONEST};
use crate::runs::{self, CORPUS, FIXED, SHIPPED};

/// How a source is known: read in source code, in a specification, in a mailing list, in a commit message; our own reading; not at all.
const GRADES: [&str; 6] = ["[V]", "[S]", "[M]", "[G]", "[C]", "unconfirmed"];

#[test]
fn every_bug_breaks_something_that_its_correct_spec_claims() {
    claims::each_breaks_its_base(CORPUS);
}

#[test]
fn every_bug_breaks_exactly_what_it_claims() {
    claims::check(CORPUS, claims::is_news);
}

#[test]
fn every_correct_spec_is_as_claimed() {
    claims::check(FIXED, |_, pair| pair == HONEST);
}

/// A correct spec is a shipped variant, or is kept for the sake of a bug.
#[test]
fn every_bug_has_a_correct_spec_and_the_reverse() {
    let bases: Vec<_> = runs::specs(CORPUS)
        .iter()
        .map(|spec| claims::base_of(&spec.path).canonicalize().unwrap())
        .collect();
    let correct = |directory: &str| -> Vec<_> {
        let specs = runs::specs(directory);
        let paths = specs.iter().map(|spec| spec.path.canonicalize().unwrap());
        paths.collect()
    };
    let (fixed, shipped) = (correct(FIXED), correct(SHIPPED));
    for base in &bases {
        let known = fixed.contains(base) || shipped.contains(base);
        assert!(
            known,
            "{} is neither shipped nor in {FIXED}",
            base.display()
        );
    }
    for fixed in &fixed {
        let path = fixed.display();
        assert!(bases.contains(fixed), "{path}: no bug is made from it");
    }
}

#[test]
fn every_source_of_a_bug_has_a_grade() {
    for spec in [CORPUS, FIXED].into_iter().flat_map(runs::specs) {
        let path = spec.path.display();
        assert!(!spec.sources.is_empty(), "{path} has no sources");
        for source in &spec.sources {
            let graded = GRADES.iter().any(|grade| source.ends_with(grade));
            assert!(graded, "{path}: `{source}` ends with none of {GRADES:?}");
        }
    }
}

/// `b77-ssid0-flushed-with-ssv.toml`: the bug's number, which no other has, and a few words.
#[test]
fn every_bug_has_a_number_of_its_own() {
    let number = |path: &Path| -> u32 {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let number = name.strip_prefix('b').and_then(|rest| rest.split_once('-'));
        let number = number.and_then(|(number, _)| number.parse().ok());
        number.unwrap_or_else(|| panic!("{name} does not begin with b and a number"))
    };
    let mut numbers: Vec<_> = runs::specs(CORPUS)
        .iter()
        .map(|spec| number(&spec.path))
        .collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "two bugs have one number");
}
