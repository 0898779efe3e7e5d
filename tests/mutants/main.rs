//! Deliberate mistakes in either reading of the manual, and which tests notice them: docs/mutants.md is held against what happens here.
//!
//! `cargo test --features mutants --test mutants -- --nocapture`; with MUTANTS=name,name only those, and the table is left alone.
//!
//! Each mutant is a process of its own, whose environment says which mistake it makes (`src/engine/src/mutant.rs`,
//! `model/src/mutant.rs`): so none disturbs another, and one that never comes to an end is ended.

mod binaries;
mod room;
mod suites;
mod table;

use suites::{Crate, Found};
use table::Row;

/// Of a hundred mutants so many must be found.
const AT_LEAST: usize = 95;

#[test]
fn every_mutant_is_found_as_the_table_says() {
    let asked = std::env::var("MUTANTS").ok();
    let asked: Option<Vec<_>> = asked.as_deref().map(|names| names.split(',').collect());
    let suites = suites::all();
    for suite in &suites {
        let found = suite.run(None);
        assert_eq!(found, None, "{}: fails without a mutant", suite.name);
    }
    let mut rows = Vec::new();
    for of in [Crate::Engine, Crate::Model] {
        for (name, what) in of.mutants() {
            if asked.as_ref().is_some_and(|asked| !asked.contains(name)) {
                continue;
            }
            let found = suites::first_to_notice(&suites, of, name);
            match &found {
                Some(found) => println!("{} {name}: {found}", of.name()),
                None => println!("{} {name}: NOT FOUND", of.name()),
            }
            rows.push(Row::new(of, name, what, found.as_ref().map(Found::by)));
        }
    }
    if asked.is_some() {
        return;
    }
    let lost: Vec<_> = rows.iter().filter(|row| row.by.is_none()).collect();
    println!("{} mutants, {} not found", rows.len(), lost.len());
    assert!(
        lost.len() * 100 <= rows.len() * (100 - AT_LEAST),
        "too few are found: {lost:?}"
    );
    for row in &rows {
        let known = row.name.starts_with('B');
        assert!(!known || row.by.is_some(), "{}: a known bug", row.name);
    }
    table::compare(&rows);
}
