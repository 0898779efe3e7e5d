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
use crate::search::{Control, Found, Limits, levels, machine::machine};
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
    let mut vacuous = None;
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
            if let Some(why) = &found.stopped {
                let (pair, name) = (place.pair(), format!("{}.{}", place.scope, part.name));
                unknown.push(format!("{why}, {pair}, {name}"));
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
