//! Two ways to represent caches, one meaning.
//!
//! Scheduled caches are the definition: hardware fetches, evicts and executes commands in steps of its own. Saturated caches are what
//! is searched by default. On all specs, in bounds small enough for the definition, both must give the same verdicts; and in each mode
//! both searches must find the same states, or a run is an error.

use model::CacheMode;
use nestcheck::report::SpecReport;
use nestcheck::spec::Spec;
use vocab::{Devices, Threat, Verdict};

use crate::runs::{self, CORPUS, FIXED, MUTANTS, Run, SHIPPED};

/// Mutants whose definition has more states than a state can represent, whatever the scope. What it does find is compared.
const TOO_LARGE: [(&str, &str); 3] = [
    (
        "answered-early",
        "nobody waits for any command: they pile up until hardware feels like executing them",
    ),
    (
        "sync-on-another-queue",
        "nobody waits for the TLBIs of that queue: they pile up until hardware feels like executing them",
    ),
    (
        "vmid-reused-unflushed",
        "tables found through the last VM's stage 2 may be anything: hardware has too many entries to fetch one by one",
    ),
];

/// What a run says of each part and property.
fn verdicts(report: &SpecReport) -> Vec<(String, Verdict)> {
    let pairs = report.pairs.iter();
    let parts = pairs.flat_map(|pair| &pair.parts);
    parts
        .flat_map(|part| part.verdicts.iter().map(move |said| (part, said)))
        .map(|(part, said)| (format!("{} {}", part.name, said.id.name()), said.verdict))
        .collect()
}

/// Compares the modes on one spec. Says what was compared, or how they differ.
fn compare(spec: &Spec, pair: (Threat, Devices)) -> Result<String, String> {
    let name = format!("{}  {}", spec.path.display(), runs::pair_name(pair));
    let too_large = TOO_LARGE.iter().find(|(listed, _)| *listed == spec.name);
    let tiny = |caches| {
        let run = Run {
            scope: "tiny",
            pair: Some(pair),
            caches,
        };
        runs::run(spec, &run)
    };
    let (saturated, scheduled) = (tiny(CacheMode::Saturated)?, tiny(CacheMode::Scheduled)?);
    let (ours, definition) = (verdicts(&saturated), verdicts(&scheduled));
    assert_eq!(
        ours.len(),
        definition.len(),
        "{name}: not the same parts were run"
    );
    let mut wrong = Vec::new();
    let mut compared = 0;
    for ((what, ours), (_, definition)) in ours.iter().zip(&definition) {
        if ours == definition {
            compared += 1;
        } else if too_large.is_none() || *definition != Verdict::Unknown {
            let (ours, definition) = (ours.name(), definition.name());
            wrong.push(format!(
                "{name}  {what}: saturated {ours}, scheduled {definition}"
            ));
        }
    }
    if !wrong.is_empty() {
        let rows = scheduled.pairs.iter().flat_map(|pair| &pair.rows);
        wrong.extend(rows.flat_map(|row| row.unknown.clone()).take(1));
        return Err(wrong.join("\n"));
    }
    let of = ours.len();
    if too_large.is_some() && compared == of {
        return Err(format!("{name}: listed as too large, and is not"));
    }
    let [saturated, scheduled] = [&saturated, &scheduled].map(|report| {
        let pairs = report.pairs.iter();
        pairs.map(runs::states).sum::<u64>()
    });
    let why = too_large.map_or(String::new(), |(_, why)| format!(": {why}"));
    Ok(format!(
        "{name}: {compared} of {of} verdicts agree, {saturated} states saturated, {scheduled} scheduled{why}"
    ))
}

fn compare_all(directory: &str, pairs: &[(Threat, Devices)]) {
    let mut wrong = Vec::new();
    for mut spec in runs::specs(directory) {
        // Everything that its parts ask is compared, not only what a bug breaks.
        spec.bug = None;
        if !spec.scopes.contains_key("tiny") {
            wrong.push(format!("{} has no tiny scope", spec.path.display()));
            continue;
        }
        for &pair in pairs {
            match compare(&spec, pair) {
                Ok(line) => println!("{line}"),
                Err(lines) => wrong.push(lines),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn variants_mean_the_same_in_both_modes() {
    compare_all(
        SHIPPED,
        &[
            (Threat::Honest, Devices::Driven),
            (Threat::Scribbling, Devices::Wild),
        ],
    );
}

#[test]
fn mutants_mean_the_same_in_both_modes() {
    compare_all(MUTANTS, &[(Threat::Honest, Devices::Driven)]);
}

#[test]
fn bugs_and_their_correct_specs_mean_the_same_in_both_modes() {
    for directory in [CORPUS, FIXED] {
        compare_all(directory, &[(Threat::Honest, Devices::Driven)]);
    }
}
