//! How verdicts depend on the bounds: every run of a scope again, with each dimension one smaller and one larger.
//!
//! Bounds are chosen by an author, with a reason (`because`). This is what can be said for them by looking: a verdict that is the same
//! one below is no accident of the last step, and one that is the same one above has not missed the next. It is no proof.

mod markdown;

use rayon::prelude::*;
use vocab::{Devices, PropertyId, Threat, Verdict};

use crate::exit::Error;
use crate::job::{self, Options, Watch};
use crate::report::PartReport;
use crate::scope::{DIMENSIONS, Dimension};
use crate::search::Why;
use crate::spec::{Part, Spec};

pub use markdown::render;

/// What was found about one spec.
#[derive(Debug)]
pub struct Evidence {
    /// The file's name without directory and extension.
    pub name: String,
    /// What guests may do.
    pub threat: Threat,
    /// What devices may do.
    pub devices: Devices,
    /// One for each part of the scope.
    pub parts: Vec<PartEvidence>,
}

/// A part, and its neighbours.
#[derive(Debug)]
pub struct PartEvidence {
    /// Why its author thinks its bounds are large enough.
    pub because: Option<String>,
    /// The run within the bounds as they are.
    pub base: PartReport,
    /// For each dimension what is one below and one above.
    pub dimensions: Vec<(&'static str, u8, [Neighbour; 2])>,
}

/// A run that differs in one dimension.
#[derive(Debug)]
pub enum Neighbour {
    /// There is none; why.
    None(String),
    /// What it found.
    Run(Box<PartReport>),
}

/// Runs everything. Which threat and devices, which scope and which limits the options say; a limit leaves a neighbour unknown.
pub fn gather(
    specs: &[Spec],
    (threat, devices): (Threat, Devices),
    options: &Options,
    watch: &dyn Watch,
) -> Result<Vec<Evidence>, Error> {
    let mut evidence = Vec::new();
    for spec in specs {
        let parts = options.scope.parts(spec).map_err(Error::Usage)?;
        let parts = parts.iter().filter(|part| part.threats.contains(&threat));
        let parts = parts.map(|part| around(spec, part, (threat, devices), options, watch));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(Error::Usage(format!(
                "{} has no part in scope `{}` that is run under {}",
                spec.path.display(),
                options.scope.name(),
                threat.name()
            )));
        }
        evidence.push(Evidence {
            name: spec.name.clone(),
            threat,
            devices,
            parts,
        });
    }
    Ok(evidence)
}

fn around(
    spec: &Spec,
    part: &Part,
    pair: (Threat, Devices),
    options: &Options,
    watch: &dyn Watch,
) -> Result<PartEvidence, Error> {
    let base = job::one_part(spec, part, pair, options, watch)?;
    let neighbours: Vec<(usize, Result<Part, String>)> = (0..DIMENSIONS.len() * 2)
        .map(|place| {
            (
                place,
                beside(spec, part, &DIMENSIONS[place / 2], place % 2 == 1),
            )
        })
        .collect();
    let mut found: Vec<Neighbour> = neighbours
        .into_par_iter()
        .map(|(_, neighbour)| match neighbour {
            Err(why) => Ok(Neighbour::None(why)),
            Ok(part) => job::one_part(spec, &part, pair, options, watch)
                .map(|report| Neighbour::Run(Box::new(report))),
        })
        .collect::<Result<_, Error>>()?;
    let mut dimensions = Vec::new();
    for dimension in DIMENSIONS.iter().rev() {
        let larger = found.pop().expect("there are two for each dimension");
        let smaller = found.pop().expect("there are two for each dimension");
        let value = (dimension.get)(&part.bounds);
        dimensions.push((dimension.name, value, [smaller, larger]));
    }
    dimensions.reverse();
    Ok(PartEvidence {
        because: part.because.clone(),
        base,
        dimensions,
    })
}

/// The part with one dimension one larger or smaller; why there is none.
fn beside(spec: &Spec, part: &Part, dimension: &Dimension, larger: bool) -> Result<Part, String> {
    let value = (dimension.get)(&part.bounds);
    let value = match larger {
        true => value.checked_add(1),
        false => value.checked_sub(1),
    };
    let mut part = part.clone();
    dimension.set(&mut part.bounds, value.ok_or("there is no smaller one")?);
    crate::scope::check(&part.bounds, &spec.code)?;
    Ok(part)
}

impl PartEvidence {
    /// Whether the user stopped one of its runs.
    pub fn is_interrupted(&self) -> bool {
        let neighbours = self.dimensions.iter().flat_map(|(.., both)| both);
        let runs = neighbours.filter_map(|neighbour| match neighbour {
            Neighbour::Run(report) => Some(&**report),
            Neighbour::None(_) => None,
        });
        let mut runs = runs.chain([&self.base]);
        runs.any(|run| run.found.stopped == Some(Why::Interrupted))
    }

    /// The properties of which a neighbour says otherwise, with what it says. What a limit leaves unknown is not otherwise.
    pub fn otherwise(&self, neighbour: &PartReport) -> Vec<(PropertyId, Verdict)> {
        let said = neighbour
            .verdicts
            .iter()
            .map(|said| (said.id, said.verdict));
        said.filter(|(_, verdict)| *verdict != Verdict::Unknown)
            .filter(|(id, verdict)| {
                self.base
                    .verdict(*id)
                    .is_some_and(|base| base.verdict != *verdict)
            })
            .collect()
    }
}
