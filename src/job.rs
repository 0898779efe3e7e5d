//! The job: for each spec, threat, kind of device and part of the scope, search twice, agree, certify, compare with `[expect]`; for each spec, what its operations cost.

pub mod explain;
mod plan;
mod run;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::ValueEnum;
use model::CacheMode;
use vocab::{Devices, PropertyId, Threat};

use crate::cost;
use crate::exit::Error;
use crate::report::{PairReport, PartReport, Report, Role, Row, SpecReport};
use crate::scope::Choice;
use crate::search::{Found, Limits, Progress};
use crate::spec::{Part, Spec};
use crate::verdict;
use plan::Task;
pub use plan::pairs_of;

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
        plan.extend(plan::tasks(spec, options).map_err(Error::Usage)?);
    }
    if plan.is_empty() {
        let message = "there is nothing to run: no known bug named here breaks anything under what is asked for";
        return Err(Error::Usage(message.to_owned()));
    }
    let mut report = Report::default();
    for Task {
        spec,
        role,
        parts,
        pairs: chosen,
        only,
    } in plan
    {
        let mut pairs = Vec::new();
        for what in chosen {
            let mut found = pair(spec, &parts, what, options, watch)?;
            found
                .rows
                .retain(|row| only.as_ref().is_none_or(|only| only.contains(&row.id)));
            pairs.push(found);
        }
        report.specs.push(SpecReport {
            name: spec.name.clone(),
            title: spec.title.clone(),
            hardware: spec.hardware_name.clone(),
            // What a bug costs is nobody's question.
            costs: match role {
                Role::Variant => cost::of(spec),
                Role::Bug(_) | Role::Fixed(_) => Vec::new(),
            },
            role,
            kept: None,
            pairs,
        });
    }
    Ok(report)
}

/// Runs one part of a scope under one threat and kind of device.
pub fn one_part(
    spec: &Spec,
    part: &Part,
    (threat, devices): (Threat, Devices),
    options: &Options,
    watch: &dyn Watch,
) -> Result<PartReport, Error> {
    let who = run::Who {
        spec,
        part,
        threat,
        devices,
    };
    run::part(&who, options, watch)
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
        reports.push(one_part(spec, part, (threat, devices), options, watch)?);
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
        inherited: claim
            .filter(|claim| Path::new(&claim.file) != spec.path)
            .map(|claim| format!("{}:{}", claim.file, claim.line)),
        unknown,
        trace_len: asking.iter().filter_map(|(_, said)| said.trace_len()).min(),
    })
}
