//! Groups of tests, each of which notices a mutant or does not.

use std::fmt::{Display, Formatter, Result as Fmt};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::binaries;

/// A mutant that keeps a suite busy for longer does not come to an end; without one none takes a quarter of this.
const TOO_LONG: Duration = Duration::from_secs(400);
/// Who finds a mutant does so at once, as a rule: a suite that is asked for the first time is given so much time.
const AT_ONCE: Duration = Duration::from_secs(5);

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

/// What a program does.
enum Kind {
    /// Tests whose names have one of these in them, or all.
    Tests(&'static [&'static str]),
    /// It prints what must not change: with these arguments, and what it was without a mutant.
    Prints(&'static [&'static str], OnceLock<Vec<String>>),
}

/// A program, and what is asked of it.
pub struct Suite {
    /// What the table calls it.
    pub name: &'static str,
    /// Whose mutants it is for; `None` for both.
    of: Option<Crate>,
    program: PathBuf,
    directory: PathBuf,
    kind: Kind,
    /// How long it may take.
    patience: Duration,
}

/// Who noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    suite: &'static str,
    /// The test that failed first.
    test: String,
    time: Duration,
}

impl Found {
    /// The suite.
    pub const fn by(&self) -> &'static str {
        self.suite
    }

    /// How long it took.
    pub const fn seconds(&self) -> f64 {
        self.time.as_secs_f64()
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let Found { suite, test, time } = self;
        write!(f, "{suite}, {test}, {:.1} s", time.as_secs_f64())
    }
}

/// In the order in which they are asked: where the readings meet first, for a short time; and last, for as long as it takes.
pub fn all() -> Vec<Suite> {
    let binaries = binaries::all();
    let (engine, model) = (Some(Crate::Engine), Some(Crate::Model));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = |name, of, package: &str, target: &str, directory: &str, filters| {
        let program = binaries
            .iter()
            .find(|binary| binary.package == package && binary.target == target)
            .unwrap_or_else(|| panic!("{package} has no tests {target}"));
        Suite {
            name,
            of,
            program: program.path.clone(),
            directory: root.join(directory),
            kind: Kind::Tests(filters),
            patience: TOO_LONG,
        }
    };
    let verdicts = |arguments| Suite {
        name: "verdicts",
        of: model,
        program: env!("CARGO_BIN_EXE_nestcheck").into(),
        directory: root.to_owned(),
        kind: Kind::Prints(arguments, OnceLock::new()),
        patience: TOO_LONG,
    };
    let room = || suite("lockstep", None, "nestcheck", "mutants", "", &["room::"]);
    vec![
        Suite {
            patience: AT_ONCE,
            ..room()
        },
        suite(
            "lockstep",
            None,
            "nestcheck",
            "nestcheck",
            "",
            &["lockstep::"],
        ),
        suite("engine", engine, "engine", "it", "src/engine", &[]),
        suite("model", model, "model", "model", "model", &["soundness::"]),
        verdicts(&["compare", "specs", "specs/mutants", "--scope", "tiny"]),
        suite("model", model, "model", "model", "model", &[]),
        suite(
            "stories",
            model,
            "nestcheck",
            "nestcheck",
            "",
            &["story::", "search::"],
        ),
        verdicts(&["compare", "specs/corpus", "--scope", "quick"]),
        room(),
    ]
}

/// The first suite that notices a mutant; of those of a name, if there is one.
pub fn first_to_notice(
    suites: &[Suite],
    of: Crate,
    mutant: &str,
    only: Option<&str>,
) -> Option<Found> {
    suites
        .iter()
        .filter(|suite| suite.of.is_none_or(|only| only == of))
        .filter(|suite| only.is_none_or(|only| only == suite.name))
        .find_map(|suite| suite.run(Some((of, mutant))))
}

impl Suite {
    /// Runs until a test fails, with a mutant or without.
    pub fn run(&self, mutant: Option<(Crate, &str)>) -> Option<Found> {
        let mut command = Command::new(&self.program);
        let (Kind::Tests(arguments) | Kind::Prints(arguments, _)) = self.kind;
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_remove("MUTANTS")
            // A failure is what is hoped for: nothing to be kept of it.
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some((of, name)) = mutant {
            let value = format!("{}:{name}", of.name());
            command.env(engine::mutant::VARIABLE, value);
        }
        let began = Instant::now();
        let mut child = command.spawn().expect("a test program can be run");
        let test = match &self.kind {
            Kind::Tests(_) => failure(&mut child, self.patience),
            Kind::Prints(_, unchanged) => change(&mut child, unchanged),
        };
        // It is no longer of interest, whether it has ended by itself or not.
        let _ = child.kill();
        child.wait().expect("a child can be waited for");
        let test = test?;
        Some(Found {
            suite: self.name,
            test,
            time: began.elapsed(),
        })
    }
}

/// The first line that is not as it is without a mutant, which is asked for first.
fn change(child: &mut Child, kept: &OnceLock<Vec<String>>) -> Option<String> {
    let output = child.stdout.take().expect("it is a pipe");
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let lines: Vec<_> = lines.collect();
    let unchanged = kept.get_or_init(|| lines.clone());
    assert!(!unchanged.is_empty(), "nothing is printed without a mutant");
    let differs = |place: &usize| lines.get(*place) != unchanged.get(*place);
    let place = (0..lines.len().max(unchanged.len())).find(differs)?;
    Some(format!("line {}", place + 1))
}

/// The test that fails first; `None` if the process ends before one does.
fn failure(child: &mut Child, patience: Duration) -> Option<String> {
    let output = child.stdout.take().expect("it is a pipe");
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(test) = failed(&line) {
                // Nobody listens any more once one has failed.
                let _ = sender.send(test);
            }
        }
    });
    match receiver.recv_timeout(patience) {
        Ok(test) => Some(test),
        Err(RecvTimeoutError::Disconnected) => {
            // The end of its output is all but its end: let it say how.
            let status = child.wait().expect("a child can be waited for");
            (!status.success()).then(|| "the process".to_owned())
        }
        Err(RecvTimeoutError::Timeout) => (patience == TOO_LONG).then(|| "no end".to_owned()),
    }
}

/// The test that a line of libtest's says has failed.
fn failed(line: &str) -> Option<String> {
    let test = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(test.to_owned())
}
