//! What specs claim, what they claim differently from their bases, and whether runs say the same.

use std::fs;
use std::path::{Path, PathBuf};

use model::CacheMode;
use nestcheck::spec::Spec;
use vocab::{Devices, PropertyId, Threat, Verdict};

use crate::runs::{self, Run};

/// A claim of a spec that its base does not make.
pub struct Change {
    pub pair: Pair,
    pub id: PropertyId,
    pub from: Option<Verdict>,
    pub to: Verdict,
}

/// What a spec claims differently from its base.
pub fn changes(spec: &Spec) -> Vec<Change> {
    let base = runs::read(&base_of(&spec.path));
    let mut changes = Vec::new();
    for (&pair, claims) in &spec.expect {
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

/// The file that a spec names as its base.
pub fn base_of(path: &Path) -> PathBuf {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with("base"));
    let name = line.and_then(|line| line.split('"').nth(1));
    let name = name.unwrap_or_else(|| panic!("{} has no base", path.display()));
    path.with_file_name(name)
}

/// Every spec of a directory claims less than its base: something that holds there is violated here, and nothing else differs.
pub fn each_breaks_its_base(directory: &str) {
    let mut wrong = Vec::new();
    for spec in runs::specs(directory) {
        let path = spec.path.display();
        let changes = changes(&spec);
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
                    "{path} changes {broken} from {:?} to {:?}; a mistake breaks what holds",
                    change.from, change.to
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

pub type Pair = (Threat, Devices);

pub const HONEST: Pair = (Threat::Honest, Devices::Driven);
pub const HOSTILE: Pair = (Threat::Hostile, Devices::Wild);

/// Runs specs at `quick`, prints a line for each pair, and fails with whatever differs from the claims. Of the
/// pairs that have claims only those that `is_told` run, unless SLOW_TESTS is set.
pub fn check(specs: Vec<Spec>, is_told: impl Fn(&Spec, Pair) -> bool) {
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

/// Whether a mistake is to be seen with a pair: with honest guests and driven devices, and where it breaks something that it does not
/// break with those.
pub fn is_news(spec: &Spec, pair: Pair) -> bool {
    let changes = changes(spec);
    let breaks = |pair, id| {
        let mut changes = changes.iter();
        changes.any(|change| (change.pair, change.id) == (pair, id))
    };
    let mut ids = PropertyId::ALL.into_iter();
    pair == HONEST || ids.any(|id| breaks(pair, id) && !breaks(HONEST, id))
}
