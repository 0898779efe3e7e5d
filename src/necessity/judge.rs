//! What comes of one removal: every pair in which something holds is searched, part by part, until something breaks.

use std::sync::Arc;

use model::program::Entry;
use model::{CacheMode, Machine, SourceStep, Step};
use vocab::{PropertyId, Threat, Verdict};

use super::baseline::{Baseline, Pair, Run, asked};
use super::{Finding, Options, Place, alone, touched};
use crate::certify::certify;
use crate::exit::Error;
use crate::job::Watch;
use crate::search::{Control, Found, Limits, Why, levels, machine::machine};
use crate::spec::removal::Removal;
use crate::spec::{Part, Spec};
use crate::verdict;

/// Tries a removal within a scope. Where no thread may begin what it changes, the spec's own run stands for that of the removal.
pub fn judge(
    spec: &Spec,
    removal: &Removal,
    baseline: &Baseline,
    options: &Options,
    watch: &dyn Watch,
) -> Result<Finding, Error> {
    let without = removal
        .without
        .as_ref()
        .expect("what cannot be removed is not judged");
    let removed = |step: &SourceStep| *step == removal.step || removal.also.contains(step);
    let touched = touched::entries(spec, removed);
    let same_calls = touched::names(spec) == touched::names(without);
    let limits = Limits {
        max_states: options.max_states,
        timeout: None,
    };
    let mut unknown = baseline.gaps.clone();
    let (mut vacuous, mut not_modelled) = (None, None);
    let mut executed: Vec<&SourceStep> = Vec::new();
    for pair in &baseline.pairs {
        let place = Place {
            threat: pair.threat,
            devices: pair.devices,
            scope: baseline.scope.clone(),
        };
        let mut said = Vec::new();
        for Run { part, found } in &pair.runs {
            let asks = asked(part, pair.holds);
            let begins = |entry: &&Entry| touched::may_begin(entry, part, pair.threat);
            let calls = pair.threat == Threat::Hostile && !same_calls;
            if !calls && !touched.iter().any(begins) {
                executed.extend(steps(spec, found));
                said.push((asks, found.clone()));
                continue;
            }
            let machine = of(without, part, pair);
            let control = Control::new(limits.clone(), watch.interrupt(), &|_| {});
            let found = levels::search_until_violated(&*machine, asks, &control);
            if !found.paths.is_empty() {
                return Ok(Finding::Breaks {
                    properties: lengths(&machine, removal, &found)?,
                    part: part.name.clone(),
                    place,
                });
            }
            match &found.stopped {
                None => {}
                Some(Why::NotModelled(why)) => {
                    not_modelled.get_or_insert(Finding::NotModelled {
                        why,
                        place: place.clone(),
                        part: part.name.clone(),
                    });
                }
                Some(why) => {
                    let (pair, scope) = (place.pair(), &place.scope);
                    unknown.push(format!("{why}, {pair}, {scope}.{}", part.name));
                }
            }
            executed.extend(steps(without, &found));
            said.push((asks, found.summary()));
        }
        let untested = untested(pair, &said);
        if !untested.is_empty() && vacuous.is_none() {
            let properties = untested;
            vacuous = Some(Finding::Vacuous { place, properties });
        }
    }
    if !unknown.is_empty() {
        return Ok(Finding::Unknown(unknown));
    }
    if let Some(not_modelled) = not_modelled {
        return Ok(not_modelled);
    }
    if !baseline.executed.iter().any(removed) {
        return Ok(Finding::NeverExecuted);
    }
    if let Some(vacuous) = vacuous {
        return Ok(vacuous);
    }
    let starved = baseline.executed.iter();
    let starved = starved.filter(|step| !removed(step) && !executed.contains(step));
    let starved: Vec<_> = starved.cloned().collect();
    Ok(match starved.is_empty() {
        true => Finding::Redundant(alone::compare(spec, without, &touched)),
        false => Finding::Starves(starved),
    })
}

/// The steps that a run executed.
fn steps<'a, P>(spec: &'a Spec, found: &Found<P>) -> impl Iterator<Item = &'a SourceStep> {
    let executed = found.executed;
    let steps = spec.code.steps.iter().enumerate();
    steps
        .filter(move |(number, _)| executed.contains(*number))
        .map(|(_, step)| step)
}

fn of(without: &Spec, part: &Part, pair: &Pair) -> Arc<Machine> {
    let saturated = CacheMode::Saturated;
    Arc::new(machine(without, part, pair.threat, pair.devices, saturated))
}

/// The properties that were violated and the lengths of their traces, each replayed, the shortest first.
fn lengths(
    machine: &Arc<Machine>,
    removal: &Removal,
    found: &Found<Vec<Step>>,
) -> Result<Vec<(PropertyId, usize)>, Error> {
    let mut lengths = Vec::new();
    for (id, path) in &found.paths {
        let step = &removal.step;
        certify(machine, *id, path)
            .map_err(|wrong| Error::Internal(format!("without `{}`: {wrong}", step.text)))?;
        lengths.push((*id, path.len()));
    }
    lengths.sort_by_key(|(_, length)| *length);
    Ok(lengths)
}

/// The properties that held and that no part puts to the test any more.
fn untested(pair: &Pair, said: &[(u16, Found<()>)]) -> Vec<PropertyId> {
    let of = |id: PropertyId| {
        let asking = said.iter().filter(|(asks, _)| asks & id.bit() != 0);
        let verdicts: Vec<_> = asking
            .map(|(_, found)| verdict::of_part(found, id))
            .collect();
        verdict::of_parts(&verdicts)
    };
    let held = PropertyId::ALL
        .into_iter()
        .filter(|id| pair.holds & id.bit() != 0);
    held.filter(|id| of(*id) == Verdict::Vacuous).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::spec::removal;

    /// What `judge` leaves out, done: a removal that no thread of a part may begin leaves as many states and transitions.
    #[test]
    fn a_part_that_a_removal_does_not_touch_is_the_same_without_it() {
        let path = Path::new("specs/native-per-command-no-ats.toml");
        let (spec, removals) = removal::read(path).unwrap_or_else(|errors| panic!("{errors}"));
        let never = AtomicBool::new(false);
        let search = |spec: &Spec, part: &Part, threat| {
            let devices = vocab::Devices::Wild;
            let machine = machine(spec, part, threat, devices, CacheMode::Saturated);
            let asks = asked(part, u16::MAX);
            let control = Control::new(Limits::default(), &never, &|_| {});
            levels::search(&machine, asks, &control).summary()
        };
        let small = ["reclaim", "isolation"];
        let parts = spec.scopes["quick"].iter();
        let parts: Vec<_> = parts
            .filter(|part| small.contains(&part.name.as_str()))
            .collect();
        let mut untouched = 0;
        for threat in [Threat::Honest, Threat::Hostile] {
            for part in &parts {
                let whole = search(&spec, part, threat);
                for removal in &removals {
                    let Ok(without) = &removal.without else {
                        continue;
                    };
                    let removed =
                        |step: &SourceStep| *step == removal.step || removal.also.contains(step);
                    let touched = touched::entries(&spec, removed);
                    let begins = |entry: &&Entry| touched::may_begin(entry, part, threat);
                    if touched.is_empty() || touched.iter().any(begins) {
                        continue;
                    }
                    untouched += 1;
                    let found = search(without, part, threat);
                    let counts = |found: &Found<()>| (found.states, found.transitions);
                    let step = &removal.step;
                    let context = format!("{} {} without {step:?}", threat.name(), part.name);
                    assert_eq!(counts(&found), counts(&whole), "{context}");
                    assert_eq!(found.violated, whole.violated, "{context}");
                    assert_eq!(found.witnessed, whole.witnessed, "{context}");
                }
            }
        }
        assert!(untouched > 100, "only {untouched}");
    }
}
