//! What a job found, as a value, and the formats in which it is printed.
//!
//! Everything here is a function of the specs and the flags: no times, no rates, no order that depends on a machine.

pub mod bill;
mod bugs;
mod costs;
pub mod json;
mod keeps;
pub mod markdown;
#[cfg(test)]
mod sample;
mod sections;
pub mod table;
pub mod trace;

use model::{Bounds, SourceStep};
use vocab::{Devices, PropertyId, Threat, Verdict};

use crate::cost::Costs;
use crate::cost::kept::Kept;
use crate::exit::Exit;
use crate::search::{Found, Why};
pub use sections::grouped;
use trace::Trace;

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which they were named.
    pub specs: Vec<SpecReport>,
    /// Whether formats for readers tell the shortest trace of each violation.
    pub tells: bool,
}

/// A spec's share.
#[derive(Clone, Debug)]
pub struct SpecReport {
    /// The file's name without directory and extension.
    pub name: String,
    /// One line.
    pub title: String,
    /// The hardware file's name.
    pub hardware: String,
    /// Why it was run.
    pub role: Role,
    /// What its operations cost, whatever guests and devices may do.
    pub costs: Vec<Costs>,
    /// What its software must remember, if that was asked.
    pub kept: Option<Kept>,
    /// For each threat and kind of device what was found.
    pub pairs: Vec<PairReport>,
}

/// Why a spec was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// For its own sake.
    Variant,
    /// It has a known bug.
    Bug(BugRole),
    /// It is the base of the known bug with that id, and does not have it.
    Fixed(String),
}

/// What a spec says of its bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BugRole {
    /// Its name in lists of bugs.
    pub id: String,
    /// How well it is known.
    pub grade: &'static str,
    /// Where it is known from.
    pub sources: Vec<String>,
    /// What it breaks, and under whom.
    pub breaks: Vec<Broken>,
}

/// A property that a bug breaks, and under which threat and with which devices.
pub type Broken = ((Threat, Devices), PropertyId);

impl SpecReport {
    /// Its name in tables: the correct version of a bug stands below the bug.
    pub fn label(&self) -> String {
        match &self.role {
            Role::Variant | Role::Bug(_) => self.name.clone(),
            Role::Fixed(id) => format!("{} without {id}", self.name),
        }
    }

    /// What was found under a threat and a kind of device.
    pub fn pair(&self, kind: (Threat, Devices)) -> Option<&PairReport> {
        let is = |pair: &&PairReport| (pair.threat, pair.devices) == kind;
        self.pairs.iter().find(is)
    }
}

/// What was found under one threat and kind of device.
#[derive(Clone, Debug)]
pub struct PairReport {
    /// What guests may do.
    pub threat: Threat,
    /// What devices may do.
    pub devices: Devices,
    /// What is said of each property, over all parts.
    pub rows: Vec<Row>,
    /// The steps that no part executed.
    pub uncovered: Vec<SourceStep>,
    /// The runs.
    pub parts: Vec<PartReport>,
}

/// What is said of a property over all parts that ask for it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which property.
    pub id: PropertyId,
    /// The verdict.
    pub verdict: Verdict,
    /// What the author claims.
    pub expected: Option<Verdict>,
    /// And why.
    pub because: Option<String>,
    /// File and line of the claim, if it stands in a base of the spec.
    pub inherited: Option<String>,
    /// Why nothing better can be said.
    pub unknown: Vec<String>,
    /// The length of the shortest trace.
    pub trace_len: Option<usize>,
}

/// What one run found.
#[derive(Clone, Debug)]
pub struct PartReport {
    /// The scope's name.
    pub scope: String,
    /// The part's.
    pub name: String,
    /// How many of everything.
    pub bounds: Bounds,
    /// What is said of each property that was asked for.
    pub verdicts: Vec<PartVerdict>,
    /// The steps that were not executed.
    pub uncovered: Vec<SourceStep>,
    /// The counts.
    pub found: Found<()>,
}

/// What one run says of a property.
#[derive(Clone, Debug)]
pub struct PartVerdict {
    /// Which property.
    pub id: PropertyId,
    /// The verdict.
    pub verdict: Verdict,
    /// A shortest way to a violation, if there is one and the search keeps paths.
    pub trace: Option<Trace>,
}

impl Row {
    /// Whether the verdict differs from the claim, a verdict that is unknown apart.
    pub fn differs(&self) -> bool {
        self.verdict != Verdict::Unknown && self.expected.is_some_and(|claim| claim != self.verdict)
    }

    /// Whether the verdict is unknown and that was not claimed.
    pub fn is_incomplete(&self) -> bool {
        self.verdict == Verdict::Unknown && self.expected != Some(Verdict::Unknown)
    }
}

impl PartVerdict {
    /// The number of steps of the trace.
    pub fn trace_len(&self) -> Option<usize> {
        self.trace.as_ref().map(|trace| trace.lines.len())
    }
}

impl PartReport {
    /// What it says of a property, if it was asked.
    pub fn verdict(&self, id: PropertyId) -> Option<&PartVerdict> {
        self.verdicts.iter().find(|verdict| verdict.id == id)
    }
}

impl PairReport {
    /// What is said of a property.
    pub fn row(&self, id: PropertyId) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }
}

impl Report {
    /// Every spec with every pair, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&SpecReport, &PairReport)> {
        let of = |spec| move |pair| (spec, pair);
        self.specs
            .iter()
            .flat_map(move |spec| spec.pairs.iter().map(of(spec)))
    }

    /// The code to end with. A user who interrupts gets "incomplete" whatever was found before; otherwise a difference counts
    /// for more than a gap.
    pub fn exit(&self) -> Exit {
        let parts = || self.pairs().flat_map(|(_, pair)| &pair.parts);
        let rows = || self.pairs().flat_map(|(_, pair)| &pair.rows);
        if parts().any(|part| part.found.stopped == Some(Why::Interrupted)) {
            Exit::Incomplete
        } else if rows().any(Row::differs) {
            Exit::Differs
        } else if rows().any(Row::is_incomplete) {
            Exit::Incomplete
        } else {
            Exit::AsExpected
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(change: fn(&mut PairReport)) -> Exit {
        let mut report = sample::report();
        report.specs[0].pairs.iter_mut().for_each(change);
        report.exit()
    }

    #[test]
    fn exit_codes() {
        assert_eq!(exit(|pair| pair.rows.clear()), Exit::AsExpected);
        assert_eq!(exit(|pair| pair.rows.retain(Row::differs)), Exit::Differs);
        let gaps = |pair: &mut PairReport| pair.rows.retain(Row::is_incomplete);
        assert_eq!(exit(gaps), Exit::Incomplete);
        assert_eq!(exit(|_| {}), Exit::Differs);
        let interrupted =
            |pair: &mut PairReport| pair.parts[0].found.stopped = Some(Why::Interrupted);
        assert_eq!(exit(interrupted), Exit::Incomplete);
    }

    #[test]
    fn an_expected_gap_is_as_expected() {
        let claimed = |pair: &mut PairReport| {
            pair.rows.retain(Row::is_incomplete);
            pair.rows
                .iter_mut()
                .for_each(|row| row.expected = Some(Verdict::Unknown));
        };
        assert_eq!(exit(claimed), Exit::AsExpected);
    }
}
