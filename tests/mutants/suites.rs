//! The suites: who is asked whether he notices a mutant.

use std::fmt::{Display, Formatter, Result as Fmt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nestcheck::files;

use crate::binaries::{self, Binary};
use crate::group::{File, Group, LooksAt, Mutant};

/// Which reading has a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crate {
    Engine,
    Model,
}

impl Crate {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Crate::Engine => "engine",
            Crate::Model => "model",
        }
    }

    /// Names of its mutants, and what they do.
    pub const fn mutants(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Crate::Engine => engine::mutant::ALL,
            Crate::Model => model::mutant::ALL,
        }
    }
}

/// Groups of cases that are one thing to a reader.
pub struct Suite {
    /// What the table calls it.
    pub name: &'static str,
    /// Whose mutants it is for.
    pub of: Crate,
    groups: Vec<Group>,
}

/// Who noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The suites, the first first.
    pub by: Vec<&'static str>,
    /// The first suite's test or spec file.
    pub case: String,
    /// How long that took alone.
    pub time: Duration,
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let Found { by, case, time } = self;
        write!(f, "{:.1} s, {case} ({})", time.as_secs_f64(), by.join(", "))
    }
}

/// In the order in which they are asked: where the readings meet, then each reading's own.
pub fn all() -> Vec<Suite> {
    let binaries = binaries::all();
    let tests = |package, target, directory, filters| Group::Tests {
        program: program(&binaries, package, target),
        directory: Path::new(env!("CARGO_MANIFEST_DIR")).join(directory),
        filters,
    };
    let suite = |name, of, groups| Suite { name, of, groups };
    let (engine, model) = (Crate::Engine, Crate::Model);
    let meeting = || tests("nestcheck", "nestcheck", "", &["lockstep::"]);
    let random = tests("nestcheck", "it", "", RANDOM);
    let engines_own = tests("engine", "it", "src/engine", &[]);
    let models_own = tests("model", "model", "model", MODEL);
    let stories = tests("nestcheck", "nestcheck", "", &["story::", "search::"]);
    let rules = tests("model", "model", "model", RULES);
    vec![
        suite("lockstep", engine, vec![lockstep(VARIANTS), meeting()]),
        suite("random", engine, vec![random]),
        suite("engine", engine, vec![engines_own]),
        suite("lockstep", model, vec![lockstep(EVERYTHING), meeting()]),
        suite("verdicts", model, vec![verdicts()]),
        suite("model", model, vec![models_own]),
        suite("stories", model, vec![stories]),
        suite("rules", model, vec![rules]),
    ]
}

/// Mistakes of software are nothing new to the engine, and known bugs have operations that variants have not.
const VARIANTS: &[&str] = &["specs", "specs/corpus"];
/// What tests/it/lockstep.rs drives.
const EVERYTHING: &[&str] = &[
    "specs",
    "specs/mutants",
    "specs/corpus",
    "specs/corpus/fixed",
];

/// Of tests/it/random.rs those that ask about the engine. Others ask whether these would notice; threads are a matter of chance.
const RANDOM: &[&str] = &[
    "random::every_answer_is_allowed",
    "random::every_trace_is_as_it_should_be",
    "random::hostile_guests_reach_nothing_else",
];

/// The model's own tests, but for `exactness`, which takes long.
const MODEL: &[&str] = &[
    "soundness::",
    "trace::",
    "caches::",
    "liveness::",
    "property::",
];
/// Those that say of each command, fetch and flight what it does, one by one.
const RULES: &[&str] = &["command::", "fill::", "flight::", "manual::"];

fn program(binaries: &[Binary], package: &str, target: &str) -> PathBuf {
    let mut found = binaries
        .iter()
        .filter(|one| one.package == package && one.target == target);
    let one = found.next();
    one.unwrap_or_else(|| panic!("{package} has no tests {target}"))
        .path
        .clone()
}

fn spec_files(directories: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories: Vec<_> = directories.iter().map(|path| root.join(path)).collect();
    let files = files::named(&directories).expect("specs are shipped");
    let relative = files.iter().map(|path| {
        let path = path.strip_prefix(root).expect("they lie in the repository");
        File::new(path.display().to_string())
    });
    relative.collect()
}

/// Whole graphs on the engine, all but two of one file, which take nearly half of the time of all.
fn lockstep(directories: &[&str]) -> Group {
    Group::Files {
        arguments: &["lockstep", "--max-states", "3000"],
        files: spec_files(directories),
        looks_at: LooksAt::Agreement,
    }
}

/// Every variant and each with a mistake in it. The bound is far more states than they have.
fn verdicts() -> Group {
    Group::Files {
        arguments: &["compare", "--scope", "tiny", "--max-states", "2000000"],
        files: spec_files(&["specs", "specs/mutants"]),
        looks_at: LooksAt::Verdicts,
    }
}

impl Suite {
    /// Without a mutant nothing is noticed: by these cases, or by any.
    pub fn expect(&self, cases: Option<&[&str]>) {
        for group in &self.groups {
            let cases: Option<Vec<_>> = cases.map(|cases| {
                let of_group = cases.iter().filter(|case| group.may_have(case));
                of_group.copied().collect()
            });
            group.expect(cases.as_deref());
        }
    }

    /// The first case that notices, and how long it takes: run again alone, because what only fails behind others is no answer.
    pub fn first(&self, mutant: Mutant) -> Option<(String, Duration)> {
        self.groups.iter().find_map(|group| {
            let case = group.first(mutant)?;
            let again = self.notices(mutant, &case);
            if again.is_none() {
                println!(
                    "{} {}: {case} does not notice it again",
                    mutant.1, self.name
                );
            }
            again.map(|time| (case, time))
        })
    }

    /// How long this case takes to notice, if it does.
    pub fn notices(&self, mutant: Mutant, case: &str) -> Option<Duration> {
        let began = Instant::now();
        let mut groups = self.groups.iter().filter(|group| group.may_have(case));
        let noticed = groups.any(|group| group.notices(mutant, case));
        noticed.then(|| began.elapsed())
    }
}

/// Everybody who notices.
pub fn everybody(suites: &[Suite], mutant: Mutant) -> Option<Found> {
    let mut found: Option<Found> = None;
    for suite in suites.iter().filter(|suite| suite.of == mutant.0) {
        let Some((case, time)) = suite.first(mutant) else {
            continue;
        };
        let by = Vec::new();
        found
            .get_or_insert(Found { by, case, time })
            .by
            .push(suite.name);
    }
    found
}
