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
use crate::search::{Limits, Why};
use crate::spec::{Part, Spec};

pub use markdown::page;

/// What guests may do, and what devices.
pub type Pair = (Threat, Devices);

/// What was found about one spec.
#[derive(Debug)]
pub struct Evidence {
    /// The file's name without directory and extension.
    pub name: String,
    /// What it was run under.
    pub pairs: Vec<Pair>,
    /// One for each part of the scope that is run under any of them.
    pub parts: Vec<PartEvidence>,
}

/// A part, and its neighbours.
#[derive(Debug)]
pub struct PartEvidence {
    /// Scope and part: `quick.sharing`.
    pub name: String,
    /// Why its author thinks its bounds are large enough.
    pub because: Option<String>,
    /// What it is run under.
    pub pairs: Vec<Pair>,
    /// For each pair what is found within the bounds as they are.
    pub here: Vec<Said>,
    /// The runs that differ in one dimension.
    pub neighbours: Vec<Neighbour>,
    /// The dimensions that cannot be smaller, and those that cannot be larger.
    pub none: [Vec<&'static str>; 2],
}

/// What is found with one dimension set otherwise.
#[derive(Debug)]
pub struct Neighbour {
    /// Which.
    pub dimension: &'static str,
    /// What it is in the part, and what it is here.
    pub values: [u8; 2],
    /// For each pair what is found.
    pub said: Vec<Said>,
}

/// What one run said, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Said {
    /// What of each property that was asked for.
    pub verdicts: Vec<(PropertyId, Verdict)>,
    /// Distinct states.
    pub states: u64,
    /// How many source steps no transition executed.
    pub uncovered: usize,
    /// Why not everything was visited.
    pub stopped: Option<Why>,
}

/// How a neighbour compares with its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// Every verdict is the same, and everything was visited.
    Same,
    /// A property is not put to the test; no other verdict differs.
    Vacuous,
    /// It was given up (or the user stopped the part itself), and nothing else had been found until then.
    GivenUp,
    /// A verdict differs.
    Otherwise,
}

/// Runs everything about one spec. Which threats and devices, and which scope the options say, and when to give up a neighbour; the scope
/// itself is visited whole.
pub fn gather(spec: &Spec, options: &Options, watch: &dyn Watch) -> Result<Evidence, Error> {
    let parts = options.scope.parts(spec).map_err(Error::Usage)?;
    let pairs = job::pairs_of(spec, &parts, options).map_err(Error::Usage)?;
    let mut evidence = Evidence {
        name: spec.name.clone(),
        pairs,
        parts: Vec::new(),
    };
    for part in &parts {
        let judged = |pair: &Pair| part.threats.contains(&pair.0);
        let pairs: Vec<_> = evidence.pairs.iter().copied().filter(judged).collect();
        if !pairs.is_empty() {
            let found = around(spec, part, pairs, options, watch)?;
            evidence.parts.push(found);
        }
    }
    if evidence.parts.is_empty() {
        let asked = evidence.pairs.iter().map(|(threat, _)| threat.name());
        return Err(Error::Usage(format!(
            "{} has no part in scope `{}` that is run under {}",
            spec.path.display(),
            options.scope.name(),
            asked.collect::<Vec<_>>().join(", ")
        )));
    }
    Ok(evidence)
}

fn around(
    spec: &Spec,
    part: &Part,
    pairs: Vec<Pair>,
    options: &Options,
    watch: &dyn Watch,
) -> Result<PartEvidence, Error> {
    let mut none = [Vec::new(), Vec::new()];
    let mut neighbours = Vec::new();
    // What is to be run: the part itself, then its neighbours, each under all pairs.
    let mut bounds = vec![part.clone()];
    for dimension in &DIMENSIONS {
        for larger in [false, true] {
            match beside(spec, part, dimension, larger) {
                None => none[usize::from(larger)].push(dimension.name),
                Some(neighbour) => {
                    let values = [part, &neighbour].map(|part| (dimension.get)(&part.bounds));
                    neighbours.push((dimension.name, values));
                    bounds.push(neighbour);
                }
            }
        }
    }
    let runs = bounds
        .par_iter()
        .enumerate()
        .flat_map(|run| pairs.par_iter().map(move |pair| (run, *pair)));
    // Limits are for neighbours: nothing can be compared with a part that was not visited whole.
    let whole = Options {
        limits: Limits::default(),
        ..options.clone()
    };
    let said = runs.map(|((place, part), pair)| {
        let options = if place == 0 { &whole } else { options };
        job::one_part(spec, part, pair, options, watch).map(said)
    });
    let said: Vec<Said> = said.collect::<Result<_, Error>>()?;
    let mut said = said.chunks(pairs.len()).map(<[Said]>::to_vec);
    Ok(PartEvidence {
        name: format!("{}.{}", options.scope.name(), part.name),
        because: part.because.clone(),
        here: said.next().expect("the part itself was run"),
        neighbours: neighbours
            .into_iter()
            .zip(said)
            .map(|((dimension, values), said)| Neighbour {
                dimension,
                values,
                said,
            })
            .collect(),
        pairs,
        none,
    })
}

/// The part with one dimension one larger or smaller, if a run can have that.
fn beside(spec: &Spec, part: &Part, dimension: &Dimension, larger: bool) -> Option<Part> {
    let value = (dimension.get)(&part.bounds);
    let value = match larger {
        true => value.checked_add(1),
        false => value.checked_sub(1),
    };
    let mut part = part.clone();
    dimension.set(&mut part.bounds, value?);
    crate::scope::check(&part.bounds, &spec.code).ok()?;
    Some(part)
}

fn said(report: PartReport) -> Said {
    let verdicts = report.verdicts.iter().map(|said| (said.id, said.verdict));
    Said {
        verdicts: verdicts.collect(),
        states: report.found.states,
        uncovered: report.uncovered.len(),
        stopped: report.found.stopped,
    }
}

impl Evidence {
    /// Whether the user stopped one of its runs.
    pub fn is_interrupted(&self) -> bool {
        let said = self.parts.iter().flat_map(|part| {
            let neighbours = part.neighbours.iter().flat_map(|beside| &beside.said);
            part.here.iter().chain(neighbours)
        });
        let mut stopped = said.filter_map(|said| said.stopped.as_ref());
        stopped.any(|why| *why == Why::Interrupted)
    }
}

impl Said {
    /// What is said here otherwise than by another run. What a limit leaves unknown, here or there, is not otherwise.
    pub fn otherwise(&self, than: &Said) -> Vec<(PropertyId, Verdict)> {
        let both = self.verdicts.iter().zip(&than.verdicts);
        both.filter(|((_, here), (_, there))| here != there)
            .filter(|both| both.0.1 != Verdict::Unknown && both.1.1 != Verdict::Unknown)
            .map(|(here, _)| *here)
            .collect()
    }

    /// How this run compares with its part's.
    pub fn compared(&self, with: &Said) -> Compared {
        let otherwise = self.otherwise(with);
        let is_vacuous = |(_, verdict): &(PropertyId, Verdict)| *verdict == Verdict::Vacuous;
        let complete = self.stopped.is_none() && with.stopped.is_none();
        match (complete, otherwise.is_empty()) {
            (true, true) => Compared::Same,
            (false, true) => Compared::GivenUp,
            (_, false) if otherwise.iter().all(is_vacuous) => Compared::Vacuous,
            (_, false) => Compared::Otherwise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Holds, Unknown, Vacuous, Violated};

    fn said(verdicts: [Verdict; 2], stopped: Option<Why>) -> Said {
        let ids = [PropertyId::S1, PropertyId::Cfg];
        Said {
            verdicts: ids.into_iter().zip(verdicts).collect(),
            states: 7,
            uncovered: 0,
            stopped,
        }
    }

    #[test]
    fn a_limit_is_never_the_same() {
        let here = said([Holds, Violated], None);
        let compared = |verdicts, stopped| said(verdicts, stopped).compared(&here);
        let limit = Some(Why::MaxStates(7));
        assert_eq!(compared([Holds, Violated], None), Compared::Same);
        assert_eq!(compared([Unknown; 2], limit.clone()), Compared::GivenUp);
        // Violated as before, and the rest unknown: still not all visited.
        let known = [Unknown, Violated];
        assert_eq!(compared(known, limit.clone()), Compared::GivenUp);
        assert_eq!(compared([Violated; 2], limit), Compared::Otherwise);
        assert_eq!(compared([Holds; 2], None), Compared::Otherwise);
        assert_eq!(compared([Vacuous, Violated], None), Compared::Vacuous);
        assert_eq!(compared([Vacuous, Holds], None), Compared::Otherwise);
        let unknown = said([Unknown, Violated], Some(Why::Interrupted));
        let all = said([Holds, Violated], None);
        assert_eq!(all.compared(&unknown), Compared::GivenUp);
    }
}
