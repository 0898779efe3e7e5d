//! What is claimed is what is found: of every shipped variant, and of every mutant.
//!
//! A mutant is a shipped variant with a small mistake. It inherits the claims of the variant and states only those that its mistake
//! changes, so that "it breaks this and nothing else" is what is checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use model::{CacheMode, property};
use nestcheck::spec::Spec;
use vocab::{Devices, PropertyId, Threat, Verdict};

use crate::runs::{self, CORPUS, MUTANTS, Run, SHIPPED};

/// A claim of a mutant that its base does not make.
struct Change {
    pair: (Threat, Devices),
    id: PropertyId,
    from: Option<Verdict>,
    to: Verdict,
}

fn changes(mutant: &Spec) -> Vec<Change> {
    let base = runs::read(&base_of(&mutant.path));
    let mut changes = Vec::new();
    for (&pair, claims) in &mutant.expect {
        for (&id, claim) in claims {
            let from = base.expect.get(&pair).and_then(|claims| claims.get(&id));
            let from = from.map(|claim| claim.verdict);
            if from != Some(claim.verdict) {
                let to = claim.verdict;
                changes.push(Change { pair, id, from, to });
            }
        }
    }
    changes
}

fn base_of(path: &Path) -> PathBuf {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with("base"));
    let name = line.and_then(|line| line.split('"').nth(1));
    let name = name.unwrap_or_else(|| panic!("{} has no base", path.display()));
    path.with_file_name(name)
}

#[test]
fn every_mutant_breaks_something_that_its_base_claims() {
    let mut wrong = Vec::new();
    for mutant in runs::specs(MUTANTS) {
        let path = mutant.path.display();
        let changes = changes(&mutant);
        let broken: Vec<_> = changes
            .iter()
            .map(|change| format!("{} {}", runs::pair_name(change.pair), change.id.name()))
            .collect();
        println!("{path}: {}", broken.join(", "));
        if changes.is_empty() {
            wrong.push(format!("{path} claims what its base claims"));
        }
        for (change, broken) in changes.iter().zip(&broken) {
            if (change.from, change.to) != (Some(Verdict::Holds), Verdict::Violated) {
                wrong.push(format!(
                    "{path} changes {broken} from {:?} to {:?}; a mutant breaks what holds",
                    change.from, change.to
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Under some threat and with some devices it breaks that property and no other.
#[test]
fn every_property_is_broken_by_the_mutant_that_it_names() {
    let mut wrong = Vec::new();
    for property in &property::ALL {
        let (id, path) = (property.id, Path::new(property.broken_by));
        let is_ours = [MUTANTS, CORPUS]
            .iter()
            .any(|dir| path.parent() == Some(Path::new(dir)));
        if !path.is_file() || !is_ours {
            let (id, path) = (id.name(), path.display());
            wrong.push(format!("{id}: there is no mutant {path}"));
            continue;
        }
        let mut broken: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for change in changes(&runs::read(path)) {
            broken.entry(change.pair).or_default().push(change.id);
        }
        let alone = broken.iter().find(|(_, broken)| **broken == [id]);
        let (id, path) = (id.name(), path.display());
        match alone {
            Some((&pair, _)) => println!("{id}: {path}, {}", runs::pair_name(pair)),
            None => wrong.push(format!("{id}: {path} breaks it nowhere without another")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

type Pair = (Threat, Devices);

const HONEST: Pair = (Threat::Honest, Devices::Driven);
const HOSTILE: Pair = (Threat::Hostile, Devices::Wild);

/// Runs specs at `quick`, prints a line for each pair, and fails with whatever differs from the claims. Of the
/// pairs that have claims only those that `is_told` run, unless SLOW_TESTS is set.
fn check(specs: Vec<Spec>, is_told: impl Fn(&Spec, Pair) -> bool) {
    let all = std::env::var_os("SLOW_TESTS").is_some();
    let mut wrong = Vec::new();
    for spec in specs {
        for &pair in spec.expect.keys() {
            let name = format!("{}  {}", spec.path.display(), runs::pair_name(pair));
            if !all && !is_told(&spec, pair) {
                println!("{name}: only with SLOW_TESTS=1");
                continue;
            }
            let quick = Run {
                scope: "quick",
                pair: Some(pair),
                caches: CacheMode::Saturated,
            };
            match runs::run(&spec, &quick) {
                Err(error) => wrong.push(error),
                Ok(report) => {
                    let differences = runs::differences(&spec, &report);
                    let states: u64 = report.pairs.iter().map(runs::states).sum();
                    let said = match differences.len() {
                        0 => "as claimed".to_owned(),
                        count => format!("{count} verdicts are not as claimed"),
                    };
                    println!("{name}: {said}, {states} states");
                    wrong.extend(differences);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Besides honest guests with driven devices, a pair is told if the mistake breaks something there that it does not break with those.
#[test]
fn every_mutant_breaks_exactly_what_it_declares() {
    let mut mutants = runs::specs(MUTANTS);
    mutants.extend(runs::bugs_as_variants());
    check(mutants, |mutant, pair| {
        let changes = changes(mutant);
        let breaks = |pair, id| {
            let mut changes = changes.iter();
            changes.any(|change| (change.pair, change.id) == (pair, id))
        };
        pair == HONEST
            || PropertyId::ALL
                .into_iter()
                .any(|id| breaks(pair, id) && !breaks(HONEST, id))
    });
}

/// A property that is claimed to hold and was not put to the test is vacuous, which differs from the claim.
#[test]
fn every_variant_is_as_claimed() {
    check(runs::specs(SHIPPED), |_, pair| {
        pair == HONEST || pair == HOSTILE
    });
}
