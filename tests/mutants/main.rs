//! Deliberate mistakes in either reading of the manual, and which tests notice them: docs/mutants.md is held against what happens here.
//!
//! `cargo test --features mutants --test mutants -- --nocapture` asks, for each mutant, the one test that the table names. With
//! UPDATE_EXPECT=1 every suite is asked about every mutant and the tables are written anew; with MUTANTS=name,name as well, those
//! mutants' rows only.
//!
//! Each mutant is a process of its own, whose environment says which mistake it makes (`src/engine/src/mutant.rs`,
//! `model/src/mutant.rs`): so none disturbs another, and one that never comes to an end is ended.

mod binaries;
mod child;
mod group;
mod suites;
mod table;

use std::collections::BTreeSet;
use std::time::Instant;

use group::Mutant;
use rayon::prelude::*;
use suites::{Crate, Found, Suite};
use table::Row;

/// Of a hundred mutants so many must be found.
const AT_LEAST: usize = 95;

#[test]
fn every_mutant_is_found_as_the_table_says() {
    let anew = std::env::var_os("UPDATE_EXPECT").is_some();
    let asked = std::env::var("MUTANTS").ok();
    let asked: Option<Vec<_>> = asked.as_deref().map(|names| names.split(',').collect());
    let all: Vec<_> = [Crate::Engine, Crate::Model]
        .into_iter()
        .flat_map(|of| {
            of.mutants()
                .iter()
                .map(move |&(name, what)| (of, name, what))
        })
        .collect();
    let chosen: Vec<_> = all
        .iter()
        .filter(|(_, name, _)| asked.as_ref().is_none_or(|asked| asked.contains(name)))
        .collect();
    for asked in asked.iter().flatten() {
        let exists = all.iter().any(|(_, name, _)| name == asked);
        assert!(exists, "MUTANTS names {asked}, which does not exist");
    }
    let suites = suites::all();
    let kept = table::read();
    let needed = suites
        .iter()
        .filter(|suite| chosen.iter().any(|(of, ..)| suite.of == *of));
    nothing_is_noticed_without(&needed.collect::<Vec<_>>(), (!anew).then_some(&kept));

    let began = Instant::now();
    let seen: Vec<_> = chosen
        .par_iter()
        .map(|&&(of, name, what)| {
            let known = kept.iter().find(|row| row.is_of(of, name));
            let found = match known {
                Some(row) if !anew => as_kept(&suites, (of, name), row),
                _ => suites::everybody(&suites, (of, name)),
            };
            match &found {
                Some(found) => println!("{} {name}: {found}", of.name()),
                None => println!("{} {name}: nobody", of.name()),
            }
            Row::new(of, name, what, found.as_ref())
        })
        .collect();
    let (count, time) = (seen.len(), began.elapsed().as_secs());
    println!("{count} mutants in {time} s");

    if anew {
        let rows = all.iter().map(|&(of, name, what)| {
            let mutant = Row::new(of, name, what, None);
            let seen = seen.iter().find(|row| row.is_as(&mutant));
            let kept = kept.iter().find(|row| row.is_as(&mutant));
            Row::newer(seen, kept).unwrap_or(mutant)
        });
        table::write(&rows.collect::<Vec<_>>(), &suites);
    } else {
        for row in seen.iter().filter(|row| row.found_by().is_none()) {
            let known = kept.iter().find(|kept| kept.is_as(row));
            if let Some((suite, case)) = known.and_then(Row::found_by) {
                panic!("{}: {suite}, {case} does not notice it any more", row.name);
            }
        }
    }
    judge(&all, &suites);
}

/// Whether the case that the table names notices.
fn as_kept(suites: &[Suite], mutant: Mutant, row: &Row) -> Option<Found> {
    let (name, case) = row.found_by()?;
    let mut of_mutant = suites.iter().filter(|suite| suite.of == mutant.0);
    let suite = of_mutant.find(|suite| suite.name == name);
    let suite =
        suite.unwrap_or_else(|| panic!("docs/mutants.md names a suite {name}: there is none"));
    let time = suite.notices(mutant, case)?;
    Some(Found {
        by: vec![suite.name],
        case: case.to_owned(),
        time,
    })
}

/// Every case that is needed passes without a mutant: those that the table names, or all.
fn nothing_is_noticed_without(suites: &[&Suite], kept: Option<&[Row]>) {
    suites.par_iter().for_each(|suite| {
        let named = kept.map(|rows| {
            let of_reading = rows.iter().filter(|row| row.of() == suite.of);
            let cases = of_reading.filter_map(Row::found_by);
            let cases = cases.filter(|(name, _)| *name == suite.name);
            cases.map(|(_, case)| case).collect::<BTreeSet<_>>()
        });
        let named: Option<Vec<_>> = named.map(|named| named.into_iter().collect());
        let began = Instant::now();
        suite.expect(named.as_deref());
        let time = began.elapsed().as_secs_f64();
        println!("{} without a mutant: {time:.1} s", suite.name);
    });
}

/// The document is complete, and enough are found.
fn judge(all: &[(Crate, &str, &str)], suites: &[Suite]) {
    let kept = table::read();
    let mutants = all
        .iter()
        .map(|&(of, name, what)| Row::new(of, name, what, None));
    table::check(&mutants.collect::<Vec<_>>(), &kept, suites);
    let lost: Vec<_> = kept.iter().filter(|row| row.found_by().is_none()).collect();
    println!("{} of {} are found", kept.len() - lost.len(), kept.len());
    assert!(
        lost.len() * 100 <= kept.len() * (100 - AT_LEAST),
        "too few are found: {lost:?}"
    );
    let known_bug = lost.iter().find(|row| row.is_known_bug());
    assert!(known_bug.is_none(), "nobody finds {known_bug:?}");
}
