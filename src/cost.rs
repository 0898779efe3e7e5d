//! What operations cost: counted, not timed, and by running the very programs that are checked.
//!
//! Each operation of a spec is performed alone, by honest guests with driven devices, at a few points (k, n): k slots are bound to
//! the space that it is about, n pages of that space are mapped (`situation`). What it costs there is summed over its steps
//! (`alone`). Formulas in k and n are fitted to some of the points and believed only if they meet the others too (`formula`).
//! Costs depend on the spec only: not on the threat, not on the devices, not on the scope that is searched.
//!
//! **Over-invalidation.** Caches are saturated, so an entry here is one that may be cached, the worst case for each count.
//!
//! * `dropped`: the sum, over the commands of the operation, of the entries that each of them hit when it was issued. What is cached again
//!   and hit again counts again.
//! * `had_to_go`: the entries that the operation made stale, and those that it found stale and dropped. An entry is stale if empty
//!   caches could not come to hold it from memory as it is: before the operation for what it found, after its return for what it made.
//! * `left`: those of `had_to_go` that may still be cached at the return. Not always a fault: stage-2 entries of a VM that has lost
//!   its last device may wait for `destroy`.

mod alone;
mod formula;
mod situation;

use model::{Cost, OpKind};

use crate::spec::Spec;
pub use formula::Formula;
pub use situation::Performed;

/// The values of k at which operations are performed. One more than the fit needs; with the one slot of another space, all that a
/// state can represent.
const SLOTS: [u8; 3] = [1, 2, 3];

/// The values of n: all that a state can represent. Two points are always on a line, so that linearity in n is not verified.
const PAGES: [u8; 2] = [1, 2];

/// How much of everything there is when an operation is performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Slots that are bound to the space; for `bind` that which it binds included.
    pub k: u8,
    /// Pages of the space that are mapped; for `map` that which it maps included.
    pub n: u8,
}

/// What an operation cost at a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What its steps counted.
    pub cost: Cost,
    /// Entries that had to go.
    pub had_to_go: u32,
    /// Those of them that are left.
    pub left: u32,
}

/// One kind of count. The same rows make the JSON report and the sums of the table.
#[derive(Clone, Copy)]
pub struct Count {
    /// As in the JSON report.
    pub name: &'static str,
    /// Reads it.
    pub get: fn(&Counts) -> u32,
}

/// All of them, in the order of reports.
pub const COUNTS: [Count; 8] = [
    count("exits", |counts| counts.cost.exits),
    count("ioctls", |counts| counts.cost.ioctls),
    count("hypercalls", |counts| counts.cost.hypercalls),
    count("commands", |counts| counts.cost.commands),
    count("syncs", |counts| counts.cost.syncs),
    count("dropped", |counts| counts.cost.dropped),
    count("had_to_go", |counts| counts.had_to_go),
    count("left", |counts| counts.left),
];

const fn count(name: &'static str, get: fn(&Counts) -> u32) -> Count {
    Count { name, get }
}

/// What an operation costs.
#[derive(Clone, Debug)]
pub struct Costs {
    /// Which operation.
    pub kind: OpKind,
    /// What it cost at each point, or why it could not be performed there.
    pub points: Vec<(Point, Result<Counts, String>)>,
}

impl Costs {
    /// A count as a formula; none if the operation could not be performed at some point.
    pub fn formula(&self, get: impl Fn(&Counts) -> u32) -> Option<Formula> {
        let values: Option<Vec<_>> = self
            .points
            .iter()
            .map(|(point, counts)| Some((*point, counts.as_ref().ok().map(&get)?)))
            .collect();
        Some(Formula::fit(&values?))
    }

    /// Whether the formulas say all that the points do.
    pub fn is_explained(&self) -> bool {
        let has_formula = |count: &Count| self.formula(count.get).is_some_and(|it| it.is_one());
        COUNTS.iter().all(has_formula)
    }

    /// The first point at which the operation could not be performed, and why.
    pub fn obstacle(&self) -> Option<(Point, &str)> {
        self.points
            .iter()
            .find_map(|(point, counts)| Some((*point, counts.as_ref().err()?.as_str())))
    }
}

/// The costs of all operations that a spec defines.
pub fn of(spec: &Spec) -> Vec<Costs> {
    let is_defined = |kind: &OpKind| {
        spec.code
            .entries
            .iter()
            .any(|entry| entry.name == kind.name())
    };
    OpKind::ALL
        .into_iter()
        .filter(is_defined)
        .map(|kind| Costs {
            kind,
            points: points()
                .map(|point| (point, situation::measure(spec, kind, point)))
                .collect(),
        })
        .collect()
}

/// An operation performed alone at each point, or why it could not be.
pub fn performed(spec: &Spec, kind: OpKind) -> Vec<Result<Performed, String>> {
    points()
        .map(|point| situation::performed(spec, kind, point))
        .collect()
}

/// Every point, those with fewer pages first.
fn points() -> impl Iterator<Item = Point> {
    PAGES
        .into_iter()
        .flat_map(|n| SLOTS.into_iter().map(move |k| Point { k, n }))
}
