//! One run: one machine, searched and judged.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use model::{Machine, Step, property};
use vocab::{Devices, PropertyId, Threat};

use super::{Engine, Options, Watch};
use crate::certify::certify;
use crate::exit::Error;
use crate::report::{PartReport, PartVerdict, trace};
use crate::search::{Control, Found, agree, levels, machine::machine, stateright};
use crate::spec::{Part, Spec};
use crate::verdict;

/// What is run.
pub struct Who<'a> {
    pub spec: &'a Spec,
    pub part: &'a Part,
    pub threat: Threat,
    pub devices: Devices,
}

/// Searches a part of a scope and says what was found.
pub fn part(who: &Who, options: &Options, watch: &dyn Watch) -> Result<PartReport, Error> {
    let &Who {
        spec,
        part,
        threat,
        devices,
    } = who;
    let asks: Vec<_> = PropertyId::ALL
        .into_iter()
        .filter(|id| part.asks.contains(id) && property::Property::of(*id).is_judged(threat))
        .collect();
    let mask = asks.iter().fold(0, |mask, id| mask | id.bit());
    let machine = Arc::new(machine(spec, part, threat, devices, options.caches));

    let name = format!(
        "{} {} {} {}",
        spec.name,
        threat.name(),
        devices.name(),
        part.name
    );
    watch.begins(&name);
    let tell = |progress| watch.progress(progress);
    let control = Control::new(options.limits.clone(), watch.interrupt(), &tell);
    let found = search(&machine, mask, &control, options.engine)?;
    watch.ends(&name, &found.summary(), control.began.elapsed());

    let mut verdicts = Vec::new();
    for id in asks {
        let path = found.paths.iter().find(|(violated, _)| *violated == id);
        let trace = match path {
            None => None,
            Some((_, path)) => {
                let replayed = certify(&machine, id, path)
                    .map_err(|wrong| Error::Internal(format!("{name}: {wrong}")))?;
                Some(trace::tell(&machine, id, &replayed))
            }
        };
        verdicts.push(PartVerdict {
            id,
            verdict: verdict::of_part(&found, id),
            trace,
        });
    }
    Ok(PartReport {
        scope: options.scope.name().to_owned(),
        name: part.name.clone(),
        bounds: part.bounds.clone(),
        verdicts,
        uncovered: uncovered(&machine, &found),
        found: found.summary(),
    })
}

/// One search or both, at the same time.
fn search(
    machine: &Arc<Machine>,
    asks: u16,
    control: &Control,
    engine: Engine,
) -> Result<Found<Vec<Step>>, Error> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    match engine {
        Engine::Levels => Ok(levels::search(&**machine, asks, control)),
        Engine::Stateright => {
            let mut found = stateright::search(machine, asks, control, cores);
            // It can tell the depth on one core only, and a report must not depend on the number of cores.
            found.depth = None;
            Ok(found.with_paths(Vec::new()))
        }
        Engine::Both => {
            let silent = &Control {
                limits: control.limits.clone(),
                progress: &|_| {},
                ..*control
            };
            let (levels, stateright) = thread::scope(|scope| {
                // Our own search is single-threaded and the first to end: a thread of stateright's for each core keeps all of them busy.
                let other = scope.spawn(move || stateright::search(machine, asks, silent, cores));
                let levels = levels::search(&**machine, asks, control);
                let stateright = other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                (levels, stateright)
            });
            agree::compare(&levels, &stateright)
                .map_err(|disagreement| Error::Internal(disagreement.to_string()))?;
            Ok(verdict::joined(levels, &stateright))
        }
    }
}

/// The steps that were never executed. A hostile guest follows no program, so its programs are not missed.
fn uncovered<P>(machine: &Machine, found: &Found<P>) -> Vec<model::SourceStep> {
    let hostile = machine.threat == Threat::Hostile;
    machine
        .code
        .steps
        .iter()
        .enumerate()
        .filter(|(step, _)| !found.executed.contains(*step))
        .filter(|(_, step)| !(hostile && step.section == model::program::Section::Guest))
        .map(|(_, step)| step.clone())
        .collect()
}
