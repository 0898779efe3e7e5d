//! What each step of a spec is for: the property that breaks when it is removed, and nothing else is.
//!
//! Every removal is searched by our own search alone, each violation replayed; the second search has its say in `check`.

mod alone;
mod baseline;
mod judge;
pub mod render;
mod touched;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{OpKind, SourceStep};
use rayon::prelude::*;
use vocab::{Devices, PropertyId, Threat};

use crate::exit::{Error, Exit};
use crate::job::Watch;
use crate::scope::Choice;
use crate::spec::removal;
pub use alone::Change;
use baseline::Baseline;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only this threat.
    pub threat: Option<Threat>,
    /// Only these devices.
    pub devices: Option<Devices>,
    /// The bounds; a step that nothing needs within the first ones is tried within the next.
    pub scopes: Vec<Choice>,
    /// When to give a search up.
    pub max_states: Option<u64>,
}

/// The table of a spec.
#[derive(Clone, Debug)]
pub struct Necessity {
    /// The file's name without directory and extension.
    pub spec: String,
    /// The scopes' names, as they were tried.
    pub scopes: Vec<String>,
    /// One row a step, in the order of sections and lines.
    pub rows: Vec<Row>,
}

/// What one step is for.
#[derive(Clone, Debug)]
pub struct Row {
    /// The step.
    pub step: SourceStep,
    /// The steps that were removed with it.
    pub also: Vec<SourceStep>,
    /// What comes of it.
    pub finding: Finding,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What guests may do.
    pub threat: Threat,
    /// What devices may do.
    pub devices: Devices,
    /// The scope's name.
    pub scope: String,
}

/// What comes of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Something that held is violated.
    Breaks {
        /// Under what.
        place: Place,
        /// In which part of the scope.
        part: String,
        /// The properties that break in that part in as few steps as any, with the length of a shortest trace.
        properties: Vec<(PropertyId, usize)>,
    },
    /// Nothing breaks, but something that held is not put to the test any more.
    Vacuous {
        /// Under what.
        place: Place,
        /// What is not tested.
        properties: Vec<PropertyId>,
    },
    /// Nothing breaks, but other steps are never executed any more.
    Starves(Vec<SourceStep>),
    /// Every property that held holds without it: the properties do not need it within these bounds. With the first operation
    /// that ends otherwise when it is performed alone, if there is one.
    Redundant(Option<(OpKind, Change)>),
    /// No run executes it, so that nothing can be said of it.
    NeverExecuted,
    /// It makes no code: an axis leaves it out.
    LeftOut,
    /// There is no such spec.
    NotRemovable(String),
    /// Without it a program does what the model has no meaning for, such as to unlock what it has not locked.
    NotModelled {
        /// What.
        why: &'static str,
        /// Under what.
        place: Place,
        /// In which part of the scope.
        part: String,
    },
    /// Nothing was found before a limit was hit.
    Unknown(Vec<String>),
}

/// Removes each step of a spec in turn and says what breaks.
pub fn run(path: &Path, options: &Options, watch: &dyn Watch) -> Result<Necessity, Error> {
    // Colour is for terminals; the shell reads the file once before and shows what is wrong with it.
    let (spec, removals) =
        removal::read(path).map_err(|errors| Error::Spec(errors.render(false)))?;
    let mut findings: Vec<_> = removals
        .iter()
        .map(|removal| match &removal.without {
            Err(why) => Some(Finding::NotRemovable(why.clone())),
            Ok(without) if without.code.instrs == spec.code.instrs => Some(Finding::LeftOut),
            Ok(_) => None,
        })
        .collect();
    for scope in &options.scopes {
        let open = |finding: &Option<Finding>| finding.as_ref().is_none_or(Finding::is_open);
        if !findings.iter().any(open) {
            break;
        }
        let baseline = Baseline::of(&spec, scope, options, watch)?;
        // A limit that came before anything could hold leaves every row unknown, which is what the table says.
        if baseline.pairs.is_empty() && baseline.gaps.is_empty() {
            return Err(Error::Usage(format!(
                "{}: nothing holds in scope `{}` that a removal could break",
                path.display(),
                scope.name()
            )));
        }
        let (done, of) = (AtomicUsize::new(0), findings.len());
        findings
            .par_iter_mut()
            .zip(&removals)
            .try_for_each(|(finding, removal)| {
                if open(finding) {
                    let name = scope.name();
                    let done = done.load(Ordering::Relaxed);
                    watch.begins(&format!("{} {name}, step {done} of {of}", spec.name));
                    *finding = Some(judge::judge(&spec, removal, &baseline, options, watch)?);
                }
                done.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Error>(())
            })?;
    }
    let rows = removals.into_iter().zip(findings);
    Ok(Necessity {
        spec: spec.name,
        scopes: options
            .scopes
            .iter()
            .map(|scope| scope.to_string())
            .collect(),
        rows: rows
            .map(|(removal, finding)| Row {
                step: removal.step,
                also: removal.also,
                finding: finding.unwrap_or(Finding::NeverExecuted),
            })
            .collect(),
    })
}

impl Finding {
    /// Whether larger bounds may find more.
    fn is_open(&self) -> bool {
        !matches!(
            self,
            Finding::Breaks { .. } | Finding::LeftOut | Finding::NotRemovable(_)
        )
    }
}

impl Necessity {
    /// The code to end with: a row that a limit cut short is a gap.
    pub fn exit(&self) -> Exit {
        let unknown = |row: &Row| matches!(row.finding, Finding::Unknown(_));
        match self.rows.iter().any(unknown) {
            true => Exit::Incomplete,
            false => Exit::AsExpected,
        }
    }
}
