//! Everything about the costs of a variant: what `nestcheck costs` prints.

use model::OpKind;
use vocab::Threat;

use super::kept::{self, Kept};
use super::worst::{self, Entries, SCOPE, Walk};
use super::{Costs, of as costs_of};
use crate::job::Watch;
use crate::scope::Choice;
use crate::search::{Control, Limits, Why};
use crate::spec::Spec;

/// The whole.
#[derive(Clone, Debug)]
pub struct Bill {
    /// The file's name without directory and extension.
    pub name: String,
    /// One line.
    pub title: String,
    /// The hardware file's name.
    pub hardware: String,
    /// What each operation costs in one situation.
    pub costs: Vec<Costs>,
    /// What software must remember.
    pub kept: Kept,
    /// What operations drop in every situation.
    pub walks: Vec<Walk>,
}

/// The worst of all walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worst {
    /// The most entries dropped for each that had to go, where some had to.
    pub factor: Option<Entries>,
    /// The most entries dropped where none had to go.
    pub for_nothing: u16,
    /// Whether a walk was cut short, so that there may be worse.
    pub is_least: bool,
}

/// Makes out a bill. Without a scope the walks are those within bounds that are the same for all variants.
pub fn of(
    spec: &Spec,
    scope: Option<&Choice>,
    limits: &Limits,
    watch: &dyn Watch,
) -> Result<Bill, String> {
    let (scope, parts) = match scope {
        None => (SCOPE, worst::parts(spec)),
        Some(choice) => {
            let parts = choice.parts(spec)?.into_iter();
            let honest = parts.filter(|part| part.threats.contains(&Threat::Honest));
            (
                choice.name(),
                honest.map(|part| (part.name, part.bounds)).collect(),
            )
        }
    };
    let mut walks = Vec::new();
    for (part, bounds) in &parts {
        let name = format!("{} {scope}.{part}", spec.name);
        watch.begins(&name);
        let tell = |progress| watch.progress(progress);
        let control = Control::new(limits.clone(), watch.interrupt(), &tell);
        let walk = worst::walk(spec, (scope, part), bounds, &control)
            .map_err(|why| format!("{}: scope {scope}.{part}: {why}", spec.path.display()))?;
        watch.ends(&name, &walk.found, control.began.elapsed());
        walks.push(walk);
    }
    Ok(Bill {
        name: spec.name.clone(),
        title: spec.title.clone(),
        hardware: spec.hardware_name.clone(),
        costs: costs_of(spec),
        kept: kept::of(spec),
        walks,
    })
}

impl Bill {
    /// The worst that an operation can do; none if no walk performed it.
    pub fn worst(&self, kind: OpKind) -> Option<Worst> {
        let walks = || {
            self.walks
                .iter()
                .filter(|walk| walk.bounds.operations.contains(&kind))
        };
        let mut all = worst::Reached::default();
        for reached in walks().filter_map(|walk| walk.reached.get(&kind)) {
            all.0.extend(&reached.0);
        }
        (!all.0.is_empty()).then(|| Worst {
            factor: all.factor(),
            for_nothing: all.for_nothing(),
            is_least: walks().any(|walk| walk.found.stopped.is_some()),
        })
    }

    /// Whether the user did not wait for the end.
    pub fn is_interrupted(&self) -> bool {
        let mut stopped = self
            .walks
            .iter()
            .filter_map(|walk| walk.found.stopped.as_ref());
        stopped.any(|why| *why == Why::Interrupted)
    }
}
