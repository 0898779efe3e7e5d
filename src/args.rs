//! The command line: one row a flag.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use model::CacheMode;
use vocab::{Devices, PropertyId, Threat};

use crate::job::{Engine, Options};
use crate::necessity;
use crate::scope::Choice;
use crate::search::Limits;
use crate::story;

/// Checks nested-IOMMU uAPI variants: which property breaks, by what shortest interleaving.
#[derive(Debug, Parser)]
#[command(name = "nestcheck", version, after_help = AFTER_HELP)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  nestcheck compare specs                            every variant side by side
  nestcheck check specs/native-batched.toml             one variant
  nestcheck check --threat hostile --scope deep specs/native-batched.toml
  nestcheck check --scope quick,pages=2,guest_threads=1 specs/native-batched.toml
  nestcheck compare --format json specs > report.json
  nestcheck costs specs/native-batched.toml             what each operation costs
  nestcheck necessity specs/native-batched.toml         what each step is for
  nestcheck explain specs/strong-guest-cd-no-atc.toml P-S1    the shortest violation as a story
  nestcheck lockstep specs                              the model against the engine, on real bytes
  nestcheck list properties

Exit codes:
  0   every verdict is as the spec's author claims
  1   some verdict differs from [expect]
  2   the command line or a spec file is wrong, or the report cannot be written
  3   incomplete: some verdict is unknown that was not expected to be, or Ctrl-C
  70  internal error";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check spec files, each by itself
    Check(Check),
    /// Put all variants of a directory side by side
    Compare(Check),
    /// Run every part of a scope again with each bound one smaller and one larger, and print Markdown tables
    Scopes(Scopes),
    /// Count what operations cost: calls, commands, over-invalidation, state
    Costs(Costs),
    /// Remove each step of a spec in turn and say what breaks without it
    Necessity(Necessity),
    /// Tell the shortest violation of a property as a story: who did what, what hardware fetched meanwhile, and which invalidation failed
    Explain(Explain),
    /// Drive every step of the model through the translation engine, on real bytes, and compare what devices notice
    Lockstep(Lockstep),
    /// Print the words that spec files and flags are made of
    List {
        /// What to print; everything if left out
        what: Option<Topic>,
    },
    /// Print the JSON Schema of spec files or of hardware files, for editors
    Schema {
        /// Of which files
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
}

/// What `check` and `compare` are told.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Check {
    /// Spec files, or directories: of those every *.toml that has claims, subdirectories left out
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Whether to tell the shortest trace of each violation [default: always for check, never for compare]
    #[arg(long, value_enum)]
    pub traces: Option<When>,
    /// What guests may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Threat::ALL.map(|threat| (threat.name(), threat))))]
    pub threat: Option<Threat>,
    /// What devices may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Devices::ALL.map(|devices| (devices.name(), devices))))]
    pub devices: Option<Devices>,
    /// Bounds: a scope of the spec, dimensions to set otherwise, or both [default: default]
    #[arg(long, value_name = "NAME,NAME=VALUE,…")]
    pub scope: Option<Choice>,
    /// Give up a search that has found more distinct states
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_states: Option<u64>,
    /// Give up a search that has taken longer: 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
    /// Which search to believe; `both` only believes what both found
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Whether a cache is everything that may be cached, or hardware takes steps of its own
    #[arg(long, default_value = "saturated", value_parser = word(&CACHES))]
    pub caches: CacheMode,
}

/// What `scopes` is told.
#[derive(Debug, clap::Args)]
pub struct Scopes {
    /// Spec files, or directories
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// What guests may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Threat::ALL.map(|threat| (threat.name(), threat))))]
    pub threat: Option<Threat>,
    /// What devices may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Devices::ALL.map(|devices| (devices.name(), devices))))]
    pub devices: Option<Devices>,
    /// The bounds to start from
    #[arg(long, value_name = "NAME,NAME=VALUE,…", default_value = "quick")]
    pub scope: Choice,
    /// Give up a neighbour that has found more distinct states; the scope itself is searched to its end
    #[arg(long, value_name = "N", default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_states: u64,
}

impl Scopes {
    /// What the job is told. One search: a disagreement of two is looked for by `check`.
    pub fn options(&self) -> Options {
        Options {
            threat: self.threat,
            devices: self.devices,
            scope: self.scope.clone(),
            limits: Limits {
                max_states: Some(self.max_states),
                timeout: None,
            },
            engine: Engine::Levels,
            caches: CacheMode::Saturated,
        }
    }
}

/// What `costs` is told.
#[derive(Debug, clap::Args)]
pub struct Costs {
    /// Spec files, or directories: of those every *.toml that has claims, subdirectories left out
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Look for the worst over-invalidation in a scope of each spec [default: bounds that are the same for all specs]
    #[arg(long, value_name = "NAME,NAME=VALUE,…")]
    pub scope: Option<Choice>,
    /// Give up looking for it after so many distinct states
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_states: u64,
}

/// What `necessity` is told.
#[derive(Debug, clap::Args)]
pub struct Necessity {
    /// The spec file
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// How to print the table
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// What guests may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Threat::ALL.map(|threat| (threat.name(), threat))))]
    pub threat: Option<Threat>,
    /// What devices may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Devices::ALL.map(|devices| (devices.name(), devices))))]
    pub devices: Option<Devices>,
    /// Bounds, as for check; if given again, a step that nothing needs within the first is tried within the next
    #[arg(long, value_name = "NAME,NAME=VALUE,…", default_value = "quick")]
    pub scope: Vec<Choice>,
    /// Give up a search that has found more distinct states
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_states: Option<u64>,
}

/// What `explain` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Explain {
    /// A spec file
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// Whose violation
    #[arg(value_name = "PROPERTY", value_parser = word(&PropertyId::ALL.map(|id| (id.name(), id))))]
    pub property: PropertyId,
    /// How to print the story
    #[arg(long, value_enum, default_value_t)]
    pub format: story::Format,
    /// Whether to tell every step of operations that ran to completion undisturbed
    #[arg(long)]
    pub unfold: bool,
    /// Whether to tell what is stored and queued, byte by byte, with the manual's field names
    #[arg(long)]
    pub bytes: bool,
    /// What guests may do [default: the first under which the property is violated, of those that the spec has claims for]
    #[arg(long, value_parser = word(&Threat::ALL.map(|threat| (threat.name(), threat))))]
    pub threat: Option<Threat>,
    /// What devices may do [default: likewise]
    #[arg(long, value_parser = word(&Devices::ALL.map(|devices| (devices.name(), devices))))]
    pub devices: Option<Devices>,
    /// Bounds: a scope of the spec, dimensions to set otherwise, or both [default: default]
    #[arg(long, value_name = "NAME,NAME=VALUE,…")]
    pub scope: Option<Choice>,
}

/// What `lockstep` is told.
#[derive(Debug, clap::Args)]
pub struct Lockstep {
    /// Spec files, or directories: of those every *.toml that has claims, subdirectories left out
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// What guests may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Threat::ALL.map(|threat| (threat.name(), threat))))]
    pub threat: Option<Threat>,
    /// What devices may do [default: whatever the spec has claims for]
    #[arg(long, value_parser = word(&Devices::ALL.map(|devices| (devices.name(), devices))))]
    pub devices: Option<Devices>,
    /// Bounds: a scope of the spec, dimensions to set otherwise, or both
    #[arg(long, value_name = "NAME,NAME=VALUE,…", default_value = "tiny")]
    pub scope: Choice,
    /// Do not drive what has more distinct states
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_states: u64,
}

impl Lockstep {
    /// What is driven.
    pub fn options(&self) -> Options {
        Options {
            threat: self.threat,
            devices: self.devices,
            scope: self.scope.clone(),
            limits: Limits::default(),
            engine: Engine::Levels,
            caches: CacheMode::Saturated,
        }
    }
}

const CACHES: [(&str, CacheMode); 2] = [
    ("saturated", CacheMode::Saturated),
    ("scheduled", CacheMode::Scheduled),
];

/// Report formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For terminals
    #[default]
    Table,
    /// For programs
    Json,
    /// For documents
    Markdown,
}

/// Whether to do something that takes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "they are words of the command line")]
pub enum When {
    Always,
    Never,
}

/// What `list` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "they are words of the command line")]
pub enum Topic {
    Properties,
    Steps,
    Axes,
    Scopes,
}

/// The files that `schema` describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Variants and their bases
    #[default]
    Spec,
    /// What variants run on
    Hardware,
}

impl Check {
    /// What the job is told.
    pub fn options(&self) -> Options {
        Options {
            threat: self.threat,
            devices: self.devices,
            scope: self.scope.clone().unwrap_or_default(),
            limits: Limits {
                max_states: self.max_states,
                timeout: self.timeout,
            },
            engine: self.engine,
            caches: self.caches,
        }
    }
}

impl Necessity {
    /// What is asked.
    pub fn options(&self) -> necessity::Options {
        necessity::Options {
            threat: self.threat,
            devices: self.devices,
            scopes: self.scope.clone(),
            max_states: self.max_states,
        }
    }
}

impl Explain {
    /// What the job is told.
    pub fn options(&self) -> Options {
        Options {
            threat: self.threat,
            devices: self.devices,
            scope: self.scope.clone().unwrap_or_default(),
            limits: Limits::default(),
            engine: Engine::Levels,
            caches: CacheMode::Saturated,
        }
    }
}

/// Reads one of a few words.
fn word<T: Copy + Send + Sync + 'static>(
    words: &[(&'static str, T)],
) -> impl TypedValueParser<Value = T> + use<T> {
    let words = words.to_vec();
    PossibleValuesParser::new(words.iter().map(|(name, _)| *name)).map(move |text| {
        let meant = words.iter().find(|(name, _)| *name == text);
        meant.expect("clap refuses other words").1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_rows_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_become_options() {
        let line = "nestcheck check --threat hostile --timeout 30s --max-states 5 --scope quick,pages=2 a.toml";
        let Command::Check(check) = Args::parse_from(line.split(' ')).command else {
            panic!("not a check")
        };
        let options = check.options();
        assert_eq!(options.threat, Some(Threat::Hostile));
        assert_eq!(options.limits.timeout, Some(Duration::from_secs(30)));
        assert_eq!(options.limits.max_states, Some(5));
        assert_eq!(options.scope.name(), "quick");
    }
}
