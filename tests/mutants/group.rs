//! What one program can be asked: its tests, or spec files that it is given one at a time.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nestcheck::exit::Exit;

use crate::child::{self, Said};
use crate::suites::Crate;

/// A mistake that a process is to make.
pub type Mutant<'a> = (Crate, &'a str);

/// Cases of one program: each notices a mutant or does not.
pub enum Group {
    /// Tests of a program.
    Tests {
        program: PathBuf,
        directory: PathBuf,
        /// Those whose names have one of these in them; all if there is none.
        filters: &'static [&'static str],
    },
    /// Spec files, each given to `nestcheck` with these arguments.
    Files {
        arguments: &'static [&'static str],
        files: Vec<File>,
        looks_at: LooksAt,
    },
}

/// A spec file, and what is said of it without a mutant.
pub struct File {
    path: String,
    unchanged: OnceLock<Said>,
}

impl File {
    pub fn new(path: String) -> Self {
        let unchanged = OnceLock::new();
        File { path, unchanged }
    }
}

/// What of it must stay as it is.
#[derive(Clone, Copy)]
pub enum LooksAt {
    /// Whether it says that nothing differs: graphs that are too large are left out, and with a mutant there may be others.
    Agreement,
    /// And the table of verdicts with lengths of shortest violations, which is printed first. Its last column, states, is not looked at.
    Verdicts,
}

impl LooksAt {
    fn same(self, one: &Said, other: &Said) -> bool {
        match self {
            LooksAt::Agreement => agrees(one) == agrees(other),
            LooksAt::Verdicts => {
                one.exit == other.exit && verdicts(&one.printed).eq(verdicts(&other.printed))
            }
        }
    }
}

fn agrees(said: &Said) -> bool {
    let fine = [Exit::AsExpected, Exit::Incomplete].map(|exit| exit as i32);
    said.exit.is_some_and(|exit| fine.contains(&exit))
}

fn verdicts(printed: &str) -> impl Iterator<Item = &str> {
    let lines = printed.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').map_or(line, |(verdicts, _)| verdicts))
}

impl Group {
    /// The first case that notices.
    pub fn first(&self, mutant: Mutant) -> Option<String> {
        match self {
            Group::Tests { filters, .. } => child::failure(self.command(Some(mutant), filters)),
            Group::Files { files, .. } => files
                .iter()
                .find(|file| self.changes(file, mutant))
                .map(|file| file.path.clone()),
        }
    }

    /// Whether it has a case of this name. That it is a test and no file says nothing about whether the test exists: [`Group::expect`].
    pub fn may_have(&self, case: &str) -> bool {
        match self {
            Group::Tests { .. } => !case.ends_with(".toml"),
            Group::Files { files, .. } => files.iter().any(|file| file.path == case),
        }
    }

    /// Whether this case alone notices.
    pub fn notices(&self, mutant: Mutant, case: &str) -> bool {
        match self {
            Group::Tests { .. } => {
                let only = ["--exact", case];
                child::failure(self.command(Some(mutant), &only)).is_some()
            }
            Group::Files { files, .. } => files
                .iter()
                .any(|file| file.path == case && self.changes(file, mutant)),
        }
    }

    /// Without a mutant nothing is noticed: by these cases, which exist, or by any. What files are answered with is asked for when it is
    /// needed.
    pub fn expect(&self, cases: Option<&[&str]>) {
        let Group::Tests { filters, .. } = self else {
            return;
        };
        if let Some([]) = cases {
            return;
        }
        let arguments = match cases {
            None => filters.to_vec(),
            Some(cases) => [&["--exact"], cases].concat(),
        };
        let said = child::said(self.command(None, &arguments));
        assert_eq!(said.exit, Some(0), "without a mutant:\n{}", said.printed);
        for case in cases.unwrap_or_default() {
            let passes = format!("test {case} ... ok");
            let passed = said.printed.lines().any(|line| line == passes);
            assert!(passed, "docs/mutants.md names a test {case}: there is none");
        }
    }

    fn changes(&self, file: &File, mutant: Mutant) -> bool {
        let Group::Files { looks_at, .. } = self else {
            unreachable!("tests have no files");
        };
        let ask = |mutant| child::said(self.command(mutant, &[&file.path]));
        let unchanged = file.unchanged.get_or_init(|| {
            let said = ask(None);
            assert!(!said.printed.is_empty(), "nothing is said of {}", file.path);
            if let LooksAt::Agreement = looks_at {
                assert!(agrees(&said), "{} differs without a mutant", file.path);
            }
            said
        });
        !looks_at.same(unchanged, &ask(Some(mutant)))
    }

    /// One thread: mutants run side by side, and the test that fails first is the same each time.
    fn command(&self, mutant: Option<Mutant>, more: &[&str]) -> Command {
        let mut command = match self {
            Group::Tests {
                program, directory, ..
            } => {
                let mut command = Command::new(program);
                command.current_dir(directory);
                command
            }
            Group::Files { arguments, .. } => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_nestcheck"));
                command.current_dir(env!("CARGO_MANIFEST_DIR"));
                command.args(*arguments);
                command
            }
        };
        command
            .args(more)
            .env_remove("UPDATE_EXPECT")
            .env("RUST_TEST_THREADS", "1")
            .env("RAYON_NUM_THREADS", "1")
            .env("PROPTEST_RNG_SEED", "1")
            // A failure is what is hoped for: nothing to be shrunk or kept.
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some((of, name)) = mutant {
            let value = format!("{}:{name}", of.name());
            command.env(engine::mutant::VARIABLE, value);
        }
        command
    }
}
