//! Every violation that is claimed can be told as a story that was taken on scheduled caches; and chosen stories read as they did.

use nestcheck::job::Options;
use nestcheck::job::explain::{Explained, explain};
use nestcheck::spec::Spec;
use nestcheck::story::Story;
use vocab::{Devices, PropertyId, Threat, Verdict};

use crate::runs::{self, MUTANTS, SHIPPED};

fn tell(
    spec: &Spec,
    id: PropertyId,
    (threat, devices): (Threat, Devices),
) -> Result<Story, String> {
    let options = Options {
        threat: Some(threat),
        devices: Some(devices),
        ..runs::quick()
    };
    match explain(spec, id, true, &options, &runs::silent()) {
        Ok(Explained::Story(story)) => Ok(*story),
        Ok(Explained::Nothing(why) | Explained::Interrupted(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    }
}

/// The violations that are claimed of a spec.
fn claimed(spec: &Spec) -> Vec<((Threat, Devices), PropertyId)> {
    let pairs = spec.expect.iter();
    let violated =
        pairs.flat_map(|(&pair, claims)| claims.iter().map(move |(&id, claim)| (pair, id, claim)));
    violated
        .filter(|(.., claim)| claim.verdict == Verdict::Violated)
        .map(|(pair, id, _)| (pair, id))
        .collect()
}

fn tell_all(directory: &str, is_told: impl Fn((Threat, Devices)) -> bool) {
    let mut wrong = Vec::new();
    for spec in runs::specs(directory) {
        for (pair, id) in claimed(&spec) {
            let name = format!("{} {} {}", spec.name, runs::pair_name(pair), id.name());
            if !is_told(pair) {
                continue;
            }
            match tell(&spec, id, pair) {
                Ok(story) => println!("{name}: {}\n    {}", story.cause.name(), story.because),
                Err(why) => wrong.push(format!("{name}: {why}")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_mutants_violation_has_a_story() {
    tell_all(MUTANTS, |_| true);
}

#[test]
fn every_variants_violation_has_a_story() {
    tell_all(SHIPPED, |_| true);
}
