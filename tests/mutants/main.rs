//! Deliberate mistakes in either reading of the manual, and which tests notice them: docs/mutants.md is held against what happens here.
//!
//! `cargo test --features mutants --test mutants -- --nocapture` runs, for each mutant, the suite that the table names, and all of them
//! where it names none. With UPDATE_EXPECT=1 all suites are asked in order and the table is written anew; with MUTANTS=name,name
//! they are asked about those only, and the table is left alone.
//!
//! Each mutant is a process of its own, whose environment says which mistake it makes (`src/engine/src/mutant.rs`,
//! `model/src/mutant.rs`): so none disturbs another, and one that never comes to an end is ended.

mod binaries;
mod room;
mod suites;
mod table;

use std::time::Instant;

use rayon::prelude::*;
use suites::Crate;
use table::Row;

/// Of a hundred mutants so many must be found.
const AT_LEAST: usize = 95;

#[test]
fn every_mutant_is_found_as_the_table_says() {
    let asked = std::env::var("MUTANTS").ok();
    let asked: Option<Vec<_>> = asked.as_deref().map(|names| names.split(',').collect());
    let anew = std::env::var_os("UPDATE_EXPECT").is_some();
    let suites = suites::all();
    suites.par_iter().for_each(|suite| {
        let began = Instant::now();
        let found = suite.run(None);
        let seconds = began.elapsed().as_secs_f64();
        println!("{} without a mutant: {seconds:.1} s", suite.name);
        assert_eq!(found, None, "{}: fails without a mutant", suite.name);
    });
    let kept = table::read();
    let mutants: Vec<_> = [Crate::Engine, Crate::Model]
        .into_iter()
        .flat_map(|of| {
            of.mutants()
                .iter()
                .map(move |&(name, what)| (of, name, what))
        })
        .filter(|(_, name, _)| asked.as_ref().is_none_or(|asked| asked.contains(name)))
        .collect();
    let rows: Vec<_> = mutants
        .par_iter()
        .map(|&(of, name, what)| {
            let known = kept.iter().find(|row| row.is_of(of, name));
            let only = known.filter(|_| !anew && asked.is_none());
            let found = suites::first_to_notice(&suites, of, name, only.and_then(Row::found_by));
            match &found {
                Some(found) => println!("{} {name}: {found}", of.name()),
                None => println!("{} {name}: nobody", of.name()),
            }
            Row::new(of, name, what, found.as_ref())
        })
        .collect();
    if asked.is_some() {
        return;
    }
    let lost: Vec<_> = rows.iter().filter(|row| row.found_by().is_none()).collect();
    println!("{} mutants, {} not found", rows.len(), lost.len());
    if anew {
        table::write(&rows, &kept);
    } else {
        table::compare(&rows, &kept);
    }
    assert!(
        lost.len() * 100 <= rows.len() * (100 - AT_LEAST),
        "too few are found: {lost:?}"
    );
    let known_bugs = lost.iter().find(|row| row.is_known_bug());
    assert!(known_bugs.is_none(), "nobody finds {known_bugs:?}");
}
