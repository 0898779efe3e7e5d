//! Known bugs: each breaks what it says, and its correct version, within the same bounds, does not.

use std::collections::BTreeSet;

use model::CacheMode;
use nestcheck::report::Role;
use nestcheck::spec::Spec;
use vocab::Verdict;

use crate::claims::{self, HONEST};
use crate::runs::{self, CORPUS, FIXED, Run, SHIPPED};

/// Everything that a bug is known by.
fn wrong_with(bug: &Spec) -> Vec<String> {
    let path = bug.path.display();
    let quick = Run {
        scope: "quick",
        pair: None,
        caches: CacheMode::Saturated,
    };
    let reports = match runs::run_all(bug, &quick) {
        Ok(reports) => reports,
        Err(error) => return vec![error],
    };
    let [broken, fixed] = &reports[..] else {
        return vec![format!(
            "{path} is not run as a bug and its correct version"
        )];
    };
    let Role::Bug(role) = &broken.role else {
        return vec![format!("{path} is not run as a bug")];
    };
    let mut wrong = Vec::new();
    for (kind, id) in &role.breaks {
        let verdict = |report: &nestcheck::report::SpecReport| {
            let row = report.pair(*kind)?.row(*id)?;
            Some(row.verdict)
        };
        let (found, without) = (verdict(broken), verdict(fixed));
        let name = format!("{path} {} {}", runs::pair_name(*kind), id.name());
        println!("{name}: {found:?}, without it {without:?}");
        if (found, without) != (Some(Verdict::Violated), Some(Verdict::Holds)) {
            wrong.push(format!("{name}: {found:?}, without it {without:?}"));
        }
    }
    let complete = |report: &nestcheck::report::SpecReport| {
        let mut parts = report.pairs.iter().flat_map(|pair| &pair.parts);
        parts.all(|part| part.found.stopped.is_none())
    };
    if !complete(broken) || !complete(fixed) {
        wrong.push(format!("{path}: not every state was visited"));
    }
    wrong
}

#[test]
fn every_known_bug_is_found_and_only_where_it_is() {
    let bugs = runs::specs(CORPUS);
    let wrong: Vec<_> = bugs.iter().flat_map(wrong_with).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_correct_version_is_as_claimed() {
    claims::check(runs::specs(FIXED), |_, pair| pair == HONEST);
}

/// A correct version is a shipped variant, or is kept for the sake of a bug.
#[test]
fn every_bug_is_made_from_a_variant_and_every_correct_version_is_some_bugs() {
    let paths = |directory: &str| -> Vec<_> {
        let specs = runs::specs(directory);
        let paths = specs.iter().map(|spec| spec.path.canonicalize().unwrap());
        paths.collect()
    };
    let bases: Vec<_> = runs::specs(CORPUS)
        .iter()
        .map(|spec| claims::base_of(&spec.path).canonicalize().unwrap())
        .collect();
    let (fixed, shipped) = (paths(FIXED), paths(SHIPPED));
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

/// A bug is a few lines: if it takes more, the language lacks a word.
#[test]
fn every_known_bug_has_an_id_of_its_own_and_a_small_difference() {
    let mut ids = BTreeSet::new();
    for spec in runs::specs(CORPUS) {
        let path = spec.path.display();
        let bug = spec
            .bug
            .as_ref()
            .unwrap_or_else(|| panic!("{path} has no [bug]"));
        assert!(
            ids.insert(bug.id.clone()),
            "{path}: {} is there already",
            bug.id
        );
        assert!(
            !spec.sources.is_empty(),
            "{path} says not where it is known from"
        );
        let text = std::fs::read_to_string(&spec.path).expect("it was read before");
        let difference = text
            .split("\n[")
            .skip(1)
            .filter(|table| !table.starts_with("bug]") && !table.starts_with("expect."))
            .filter(|table| !table.starts_with("scope."))
            .flat_map(str::lines)
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
            .count();
        assert!(
            difference <= 20,
            "{path}: its difference has {difference} lines"
        );
    }
}
