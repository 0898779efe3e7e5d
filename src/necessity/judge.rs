//! What comes of one removal: every pair in which something holds is searched, part by part, until something breaks.

use std::sync::Arc;

use model::{CacheMode, Machine, SourceStep, Step};
use vocab::{PropertyId, Verdict};

use super::baseline::{Baseline, Pair, asked};
use super::{Finding, Options, Place};
use crate::certify::certify;
use crate::exit::Error;
use crate::job::Watch;
use crate::search::{Control, Found, Limits, levels, machine::machine};
use crate::spec::removal::Removal;
use crate::spec::{Part, Spec};
use crate::verdict;

/// Tries a removal within a scope.
pub fn judge(
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
    let limits = Limits {
        max_states: options.max_states,
        timeout: None,
    };
    let mut unknown = baseline.gaps.clone();
    let mut vacuous = None;
    let mut runs = Vec::new();
    for pair in &baseline.pairs {
        let place = Place {
            threat: pair.threat,
            devices: pair.devices,
            scope: baseline.scope.clone(),
        };
        let mut said = Vec::new();
        for part in &pair.parts {
            let machine = of(without, part, pair);
            let control = Control::new(limits.clone(), watch.interrupt(), &|_| {});
            let asks = asked(part, pair.holds);
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
            said.push((asks, found.summary()));
        }
        let untested = untested(pair, &said);
        if !untested.is_empty() && vacuous.is_none() {
            let properties = untested;
            vacuous = Some(Finding::Vacuous { place, properties });
        }
        runs.extend(said);
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
    let still = |step: &SourceStep| {
        let number = without.code.steps.iter().position(|known| known == step);
        number.is_some_and(|number| runs.iter().any(|(_, run)| run.executed.contains(number)))
    };
    let starved = baseline.executed.iter();
    let starved = starved.filter(|step| !removed(step) && !still(step));
    let starved: Vec<_> = starved.cloned().collect();
    Ok(match starved.is_empty() {
        true => Finding::Redundant,
        false => Finding::Starves(starved),
    })
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
