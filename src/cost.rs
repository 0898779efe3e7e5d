//! What operations cost: counted, not timed, and by running the very programs that are checked.
//!
//! Each operation of a spec is performed alone, by honest guests with driven devices, at a few points (k, n): k slots are bound to
//! the space that it is about, n pages of that space are mapped (`situation`). What it costs there is summed over its steps
//! (`alone`). A state has room for few points; at more of them what programs call and issue is counted without one (`unbounded`), and where
//! both are possible they must agree. Formulas in k and n are fitted to some of the points and believed only if they meet the others too
//! (`formula`). Costs depend on the spec only: not on the threat, not on the devices, not on the scope that is searched.
//!
//! **Over-invalidation.** Caches are saturated, so an entry here is one that may be cached, the worst case for each count.
//!
//! * `dropped`: the sum, over the commands of the operation, of the entries that each of them hit when it was issued. What is cached again
//!   and hit again counts again.
//! * `had_to_go`: those of them that were stale, and those that the operation made stale and left. An entry is stale if empty caches could
//!   not come to hold it from memory as it is.
//! * `left`: those that the operation made stale and that may still be cached at its return. Not always a fault: stage-2 entries of a VM
//!   that has lost its last device may wait for `destroy`.
//!
//! That is at one situation. The worst of all that can be reached is found by a search (`worst`), and so is what a variant must
//! remember (`kept`).

pub mod alone;
pub mod bill;
mod formula;
pub mod kept;
pub mod situation;
mod unbounded;
pub mod worst;

use model::{Cost, OpKind};

use crate::spec::Spec;
pub use formula::Formula;
pub use situation::Alone;

/// The largest k and n at which operations are performed by the machine: one slot more than a fit needs, and, with the one slot of
/// another space, all that a state can represent.
const PERFORMED: [u8; 2] = [3, 2];

/// The largest k and n at which calls are counted.
const COUNTED: [u8; 2] = [8, 8];

/// How much of everything there is when an operation is performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Slots that are bound to the space; for `bind` that which it binds included.
    pub k: u8,
    /// Pages of the space that are mapped; for `map` that which it maps included.
    pub n: u8,
}

impl Point {
    /// Every point from (1, 1), those with fewer pages first.
    fn up_to([slots, pages]: [u8; 2]) -> impl Iterator<Item = Point> {
        (1..=pages).flat_map(move |n| (1..=slots).map(move |k| Point { k, n }))
    }
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

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Calls, commands and SYNCs: known without caches.
    Calls,
    /// Cache entries.
    Entries,
}

/// One kind of count. The same rows make the JSON report and the sums of the table.
#[derive(Clone, Copy)]
pub struct Count {
    /// As in the JSON report.
    pub name: &'static str,
    /// Of what.
    pub unit: Unit,
    /// Reads it.
    pub get: fn(&Counts) -> u32,
}

/// All of them, in the order of reports.
pub const COUNTS: [Count; 8] = [
    count("exits", Unit::Calls, |counts| counts.cost.exits),
    count("ioctls", Unit::Calls, |counts| counts.cost.ioctls),
    count("hypercalls", Unit::Calls, |counts| counts.cost.hypercalls),
    COMMANDS,
    count("syncs", Unit::Calls, |counts| counts.cost.syncs),
    count("dropped", Unit::Entries, |counts| counts.cost.dropped),
    count("had_to_go", Unit::Entries, |counts| counts.had_to_go),
    count("left", Unit::Entries, |counts| counts.left),
];

const COMMANDS: Count = count("commands", Unit::Calls, |counts| counts.cost.commands);

/// A row of such a table.
pub const fn count(name: &'static str, unit: Unit, get: fn(&Counts) -> u32) -> Count {
    Count { name, unit, get }
}

/// What an operation costs.
#[derive(Clone, Debug)]
pub struct Costs {
    /// Which operation.
    pub kind: OpKind,
    /// What it cost at each point, or why it could not be performed there.
    pub points: Vec<(Point, Result<Counts, String>)>,
    /// What it calls and issues at more points; empty if it cannot be performed at some of them.
    pub calls: Vec<(Point, Cost)>,
}

impl Costs {
    /// A count as a formula; none if the operation could not be performed at some point.
    pub fn formula(&self, count: &Count) -> Option<Formula> {
        let value = |(point, counts): &(Point, Result<Counts, String>)| {
            Some((*point, (count.get)(counts.as_ref().ok()?)))
        };
        let performed: Vec<_> = self.points.iter().map(value).collect::<Option<_>>()?;
        Some(match count.unit {
            Unit::Calls => self.formula_of_calls(count),
            Unit::Entries => match Formula::fit(&performed) {
                // Two values of n are always on a line. That a command hits a fixed number of entries, and as many more for each page, is
                // sure, since pages are alike; that as many commands are issued for each n must be known.
                formula if formula.depends_on_n() && !self.issues_the_same_for_all_n() => {
                    Formula::NotVerified
                }
                formula => formula,
            },
        })
    }

    fn issues_the_same_for_all_n(&self) -> bool {
        let commands = self.formula_of_calls(&COMMANDS);
        commands.is_one() && !commands.depends_on_n()
    }

    fn formula_of_calls(&self, count: &Count) -> Formula {
        let counts = |cost| Counts {
            cost,
            ..Counts::default()
        };
        let value = |&(point, cost): &(Point, Cost)| (point, (count.get)(&counts(cost)));
        Formula::fit(&self.calls.iter().map(value).collect::<Vec<_>>())
    }

    /// Whether the formulas say all that the points do.
    pub fn is_explained(&self) -> bool {
        let has_formula = |count: &Count| self.formula(count).is_some_and(|it| it.is_one());
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
        .map(|kind| of_operation(spec, kind))
        .collect()
}

fn of_operation(spec: &Spec, kind: OpKind) -> Costs {
    let measure = |point| (point, situation::measure(spec, kind, point));
    let points: Vec<_> = Point::up_to(PERFORMED).map(measure).collect();
    for (point, counts) in &points {
        if let Ok(counts) = counts {
            let counted = unbounded::count(&spec.code, kind, *point);
            let performed = Cost {
                dropped: 0,
                ..counts.cost
            };
            let (name, kind) = (&spec.name, kind.name());
            assert_eq!(
                Ok(performed),
                counted,
                "{name} {kind} at {point:?}: what was performed and what was counted differ"
            );
        }
    }
    let count = |point| Some((point, unbounded::count(&spec.code, kind, point).ok()?));
    let calls: Option<_> = Point::up_to(COUNTED).map(count).collect();
    Costs {
        kind,
        points,
        calls: calls.unwrap_or_default(),
    }
}

/// An operation performed alone at each point at which it is, or why it could not be.
pub fn performed(spec: &Spec, kind: OpKind) -> Vec<Result<Alone, String>> {
    Point::up_to(PERFORMED)
        .map(|point| situation::performed(spec, kind, point))
        .collect()
}
