//! The spec as it is: which properties hold under which threats and devices, and what its runs execute.

use model::SourceStep;
use vocab::{Devices, Threat, Verdict};

use super::Options;
use crate::exit::Error;
use crate::job::{self, Engine, Watch};
use crate::report::{PairReport, PartReport};
use crate::scope::Choice;
use crate::search::{Found, Limits};
use crate::spec::{Part, Spec};

/// What is known of a spec within a scope before anything is removed.
pub struct Baseline {
    /// The scope's name.
    pub scope: String,
    /// The pairs in which something holds, in the order of threats and devices.
    pub pairs: Vec<Pair>,
    /// What a limit has hidden of the spec itself.
    pub gaps: Vec<String>,
    /// The steps that some run executes.
    pub executed: Vec<SourceStep>,
}

/// One threat and kind of devices.
pub struct Pair {
    pub threat: Threat,
    pub devices: Devices,
    /// The properties that hold, as a set of [`PropertyId::bit`].
    pub holds: u16,
    /// The runs of the parts that ask for any of them, those with the fewest states first.
    pub runs: Vec<Run>,
}

/// A part and what was found in it.
pub struct Run {
    pub part: Part,
    pub found: Found<()>,
}

impl Baseline {
    /// Checks a spec.
    pub fn of(
        spec: &Spec,
        scope: &Choice,
        options: &Options,
        watch: &dyn Watch,
    ) -> Result<Self, Error> {
        let job = job::Options {
            threat: options.threat,
            devices: options.devices,
            scope: scope.clone(),
            limits: Limits {
                max_states: options.max_states,
                timeout: None,
            },
            engine: Engine::Levels,
            caches: model::CacheMode::Saturated,
        };
        let report = job::run(std::slice::from_ref(spec), &job, watch)?;
        let parts = scope.parts(spec).map_err(Error::Usage)?;
        let pairs = &report.specs[0].pairs;
        let executed = |&(number, _): &(usize, &SourceStep)| {
            let mut parts = pairs.iter().flat_map(|pair| &pair.parts);
            parts.any(|part| part.found.executed.contains(number))
        };
        let steps = spec.code.steps.iter().enumerate().filter(executed);
        Ok(Baseline {
            scope: scope.name().to_owned(),
            pairs: pairs
                .iter()
                .map(|report| pair(report, &parts))
                .filter(|pair| pair.holds != 0)
                .collect(),
            gaps: pairs.iter().flat_map(gaps).collect(),
            executed: steps.map(|(_, step)| step.clone()).collect(),
        })
    }
}

fn pair(report: &PairReport, parts: &[Part]) -> Pair {
    let holds = |row: &&crate::report::Row| row.verdict == Verdict::Holds;
    let holds = report.rows.iter().filter(holds);
    let holds = holds.fold(0, |set, row| set | row.id.bit());
    let mut runs: Vec<&PartReport> = report.parts.iter().collect();
    runs.sort_by_key(|run| run.found.states);
    let run = |run: &PartReport| {
        let part = parts.iter().find(|part| part.name == run.name)?;
        Some(Run {
            part: part.clone(),
            found: run.found.clone(),
        })
    };
    Pair {
        threat: report.threat,
        devices: report.devices,
        holds,
        runs: runs
            .into_iter()
            .filter_map(run)
            .filter(|run| asked(&run.part, holds) != 0)
            .collect(),
    }
}

/// The properties of a set that a part asks for.
pub fn asked(part: &Part, of: u16) -> u16 {
    let asks = part.asks.iter().fold(0, |set, id| set | id.bit());
    asks & of
}

/// The runs that a limit cut short: what they would have found is judged by nobody.
fn gaps(pair: &PairReport) -> Vec<String> {
    let stopped = |part: &PartReport| {
        let why = part.found.stopped.as_ref()?;
        let (threat, devices) = (pair.threat.name(), pair.devices.name());
        let (scope, part) = (&part.scope, &part.name);
        Some(format!(
            "{why} with nothing removed, {threat} {devices}, {scope}.{part}"
        ))
    };
    pair.parts.iter().filter_map(stopped).collect()
}
