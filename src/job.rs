//! The job: for each spec, threat, kind of device and part of the scope, search twice, agree, certify, compare with `[expect]`; for each spec, what its operations cost.

pub mod explain;
mod run;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::ValueEnum;
use model::CacheMode;
use vocab::{Devices, PropertyId, Threat};

use crate::cost;
use crate::exit::Error;
use crate::report::{PairReport, PartReport, Report, Row, SpecReport};
use crate::scope::Choice;
use crate::search::{Found, Limits, Progress};
use crate::spec::{Part, Spec};
use crate::verdict;

/// Which search is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Both searches; a disagreement is an internal error
    #[default]
    Both,
    /// stateright alone: no shortest traces
    Stateright,
    /// Our own level-by-level search alone
    Levels,
}

/// What to do with each spec.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only this threat.
    pub threat: Option<Threat>,
    /// Only these devices.
    pub devices: Option<Devices>,
    /// The bounds.
    pub scope: Choice,
    /// When to give a search up.
    pub limits: Limits,
    /// Which search.
    pub engine: Engine,
    /// How caches are represented.
    pub caches: CacheMode,
}

/// Who watches a job.
pub trait Watch: Sync {
    /// Set when the user wants to stop.
    fn interrupt(&self) -> &AtomicBool;
    /// A search begins.
    fn begins(&self, run: &str);
    /// How far it has come.
    fn progress(&self, progress: Progress);
    /// It has ended.
    fn ends(&self, run: &str, found: &Found<()>, time: Duration);
}

/// Does everything.
pub fn run(specs: &[Spec], options: &Options, watch: &dyn Watch) -> Result<Report, Error> {
    // All mistakes on the command line before the first long search.
    let mut plan = Vec::new();
    for spec in specs {
        let parts = options.scope.parts(spec).map_err(Error::Usage)?;
        let pairs = pairs_of(spec, &parts, options).map_err(Error::Usage)?;
        plan.push((spec, parts, pairs));
    }
    let mut report = Report::default();
    for (spec, parts, chosen) in plan {
        let mut pairs = Vec::new();
        for what in chosen {
            pairs.push(pair(spec, &parts, what, options, watch)?);
        }
        report.specs.push(SpecReport {
            name: spec.name.clone(),
            title: spec.title.clone(),
            hardware: spec.hardware_name.clone(),
            costs: cost::of(spec),
            pairs,
        });
    }
    Ok(report)
}

/// What a spec is run under: whatever it has claims for and the flags let through, or else what the flags ask for.
fn pairs_of(
    spec: &Spec,
    parts: &[Part],
    options: &Options,
) -> Result<Vec<(Threat, Devices)>, String> {
    let chosen: Vec<_> = spec
        .expect
        .keys()
        .copied()
        .filter(|(threat, _)| options.threat.is_none_or(|only| only == *threat))
        .filter(|(_, devices)| options.devices.is_none_or(|only| only == *devices))
        .collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let threat = options.threat.unwrap_or(Threat::Honest);
    if !parts.iter().any(|part| part.threats.contains(&threat)) {
        let (path, scope) = (spec.path.display(), options.scope.name());
        let threat = threat.name();
        return Err(format!(
            "{path} has no part in scope `{scope}` that is run under {threat}"
        ));
    }
    Ok(vec![(threat, options.devices.unwrap_or(Devices::Driven))])
}

/// Runs all parts of a scope under one threat and kind of device.
fn pair(
    spec: &Spec,
    parts: &[Part],
    (threat, devices): (Threat, Devices),
    options: &Options,
    watch: &dyn Watch,
) -> Result<PairReport, Error> {
    let mut reports = Vec::new();
    for part in parts.iter().filter(|part| part.threats.contains(&threat)) {
        let who = run::Who {
            spec,
            part,
            threat,
            devices,
        };
        reports.push(run::part(&who, options, watch)?);
    }
    Ok(PairReport {
        threat,
        devices,
        rows: PropertyId::ALL
            .into_iter()
            .filter_map(|id| row(spec, &reports, (threat, devices), id))
            .collect(),
        uncovered: reports
            .split_first()
            .map(|(first, others)| {
                let mut never = first.uncovered.clone();
                never.retain(|step| others.iter().all(|part| part.uncovered.contains(step)));
                never
            })
            .unwrap_or_default(),
        parts: reports,
    })
}

/// What the parts say of a property together, and what was claimed. None if nobody asks and nothing is claimed.
fn row(spec: &Spec, parts: &[PartReport], pair: (Threat, Devices), id: PropertyId) -> Option<Row> {
    let claim = spec.expect.get(&pair).and_then(|claims| claims.get(&id));
    let asking: Vec<_> = parts
        .iter()
        .filter_map(|part| Some((part, part.verdict(id)?)))
        .collect();
    if asking.is_empty() && claim.is_none() {
        return None;
    }
    let verdicts: Vec<_> = asking.iter().map(|(_, said)| said.verdict).collect();
    let mut unknown: Vec<String> = asking
        .iter()
        .filter_map(|(part, _)| Some((part, part.found.stopped.as_ref()?)))
        .map(|(part, why)| {
            format!(
                "part {}: {why} after {} states",
                part.name, part.found.states
            )
        })
        .collect();
    if asking.is_empty() {
        unknown.push("claimed, but no part of the scope judges it".to_owned());
    }
    Some(Row {
        id,
        verdict: verdict::of_parts(&verdicts),
        expected: claim.map(|claim| claim.verdict),
        because: claim.and_then(|claim| claim.because.clone()),
        unknown,
        trace_len: asking.iter().filter_map(|(_, said)| said.trace_len()).min(),
    })
}
