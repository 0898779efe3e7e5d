//! Runs of spec files through the library, as the command makes them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use model::CacheMode;
use nestcheck::files;
use nestcheck::job::{self, Engine, Options, Watch};
use nestcheck::report::{PairReport, SpecReport};
use nestcheck::search::{Found, Limits, Progress};
use nestcheck::spec::{self, Spec};
use vocab::{Devices, Threat};

/// The shipped variants.
pub const SHIPPED: &str = "specs";
/// Small mistakes in them.
pub const MUTANTS: &str = "specs/mutants";

/// Known bugs, each a small difference from a spec without it.
pub const CORPUS: &str = "specs/corpus";

/// The correct versions of known bugs that are no variants of their own.
pub const FIXED: &str = "specs/corpus/fixed";

/// Far more than any scope of these tests has: one that has grown too large fails in seconds and says so.
const MOST_STATES: u64 = 2_000_000;

/// The specs of a directory that have claims.
pub fn specs(directory: &str) -> Vec<Spec> {
    let paths = files::named(&[PathBuf::from(directory)]).unwrap_or_else(|error| panic!("{error}"));
    paths.iter().map(|path| read(path)).collect()
}

/// The known bugs that all parts of a scope show, as if they were variants: everything is judged, not only what the bug breaks.
pub fn bugs_as_variants() -> Vec<Spec> {
    let mut specs = specs(CORPUS);
    specs.retain(|spec| spec.bug.as_ref().is_some_and(|bug| bug.parts.is_empty()));
    specs.iter_mut().for_each(|spec| spec.bug = None);
    specs
}

pub fn read(path: &Path) -> Spec {
    spec::read(path).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is run: a named scope, and all pairs that have claims or only one.
pub struct Run {
    pub scope: &'static str,
    pub pair: Option<(Threat, Devices)>,
    pub caches: CacheMode,
}

/// Nobody who watches.
pub struct Silent(AtomicBool);

/// Nobody who watches.
pub fn silent() -> Silent {
    Silent(AtomicBool::new(false))
}

impl Watch for Silent {
    fn interrupt(&self) -> &AtomicBool {
        &self.0
    }
    fn begins(&self, _: &str) {}
    fn progress(&self, _: Progress) {}
    fn ends(&self, _: &str, _: &Found<()>, _: Duration) {}
}

/// Whatever has claims, in the scope that tests have time for.
pub fn quick() -> Options {
    Options {
        threat: None,
        devices: None,
        scope: "quick".parse().expect("the name of a scope"),
        limits: Limits {
            max_states: Some(MOST_STATES),
            timeout: None,
        },
        engine: Engine::Levels,
        caches: CacheMode::Saturated,
    }
}

/// A spec that is no known bug.
pub fn run(spec: &Spec, run: &Run) -> Result<SpecReport, String> {
    let mut reports = run_all(spec, run)?;
    assert_eq!(
        reports.len(),
        1,
        "a bug is run together with its correct version"
    );
    Ok(reports.remove(0))
}

/// Searches twice; that the searches disagree is an error like any other. A known bug is followed by its correct version.
pub fn run_all(spec: &Spec, run: &Run) -> Result<Vec<SpecReport>, String> {
    let options = Options {
        threat: run.pair.map(|(threat, _)| threat),
        devices: run.pair.map(|(_, devices)| devices),
        scope: run.scope.parse().expect("the name of a scope"),
        limits: Limits {
            max_states: Some(MOST_STATES),
            timeout: None,
        },
        engine: Engine::Both,
        caches: run.caches,
    };
    let report = job::run(std::slice::from_ref(spec), &options, &silent());
    let report = report.map_err(|error| format!("{}: {error}", spec.path.display()))?;
    Ok(report.specs)
}

/// `honest.driven`.
pub fn pair_name((threat, devices): (Threat, Devices)) -> String {
    format!("{}.{}", threat.name(), devices.name())
}

/// How many states the parts of a pair have together.
pub fn states(pair: &PairReport) -> u64 {
    pair.parts.iter().map(|part| part.found.states).sum()
}

/// Whatever differs from the claims, one line each. Everything that is judged must be claimed.
pub fn differences(spec: &Spec, report: &SpecReport) -> Vec<String> {
    let mut lines = Vec::new();
    for pair in &report.pairs {
        for row in &pair.rows {
            if row.expected == Some(row.verdict) {
                continue;
            }
            let claim = row.expected.map_or("nothing", |claim| claim.name());
            let (path, id, found) = (spec.path.display(), row.id.name(), row.verdict.name());
            let name = pair_name((pair.threat, pair.devices));
            let why = row.unknown.join("; ");
            lines.push(format!(
                "{path}  {name}  {id}: claimed {claim}, found {found} {why}"
            ));
        }
    }
    lines
}
