//! A report with one of everything, for the tests of formats.

use std::collections::{BTreeMap, BTreeSet};

use model::program::{Kind, Section};
use model::{Bounds, Cost, OpKind, SourceStep, TableMemory};
use vocab::{Devices, PropertyId, Threat, Verdict};

use super::trace::{Line, Trace};
use super::{PairReport, PartReport, PartVerdict, Report, Role, Row, SpecReport};
use crate::cost::bill::Bill;
use crate::cost::kept::{self, Kept, Size};
use crate::cost::worst::{Entries, Reached, Walk};
use crate::cost::{Costs, Counts, Point};
use crate::search::{Found, Why};
use crate::spec::Owner;

/// One spec under one pair: a violation that was not claimed, a verdict as claimed, a gap, and a property that nobody claims.
pub fn report() -> Report {
    let verdicts = [
        (PropertyId::S1, Verdict::Violated, Some(Verdict::Holds)),
        (PropertyId::Cfg, Verdict::Holds, Some(Verdict::Holds)),
        (PropertyId::Iso, Verdict::Unknown, Some(Verdict::Holds)),
        (PropertyId::Live, Verdict::Vacuous, None),
    ];
    let violated = |verdict| verdict == Verdict::Violated;
    let step = SourceStep {
        section: Section::Guest,
        program: "unmap".to_owned(),
        line: 14,
        file: "specs/sample.toml".to_owned(),
        text: "cmdq SYNC".to_owned(),
    };
    let part = PartReport {
        scope: "quick".to_owned(),
        name: "sharing".to_owned(),
        bounds: bounds(),
        verdicts: verdicts
            .map(|(id, verdict, _)| PartVerdict {
                id,
                verdict,
                trace: violated(verdict).then(trace),
            })
            .to_vec(),
        uncovered: vec![step.clone()],
        found: Found {
            states: 1234,
            transitions: 5678,
            depth: Some(9),
            stopped: Some(Why::MaxStates(1234)),
            violated: 1,
            witnessed: 3,
            executed: Default::default(),
            paths: Vec::new(),
        },
    };
    let rows = verdicts.map(|(id, verdict, expected)| Row {
        id,
        verdict,
        expected,
        because: violated(verdict).then(|| "the author thought so".to_owned()),
        inherited: None,
        unknown: Vec::from_iter(
            (verdict == Verdict::Unknown).then(|| "part sharing: interrupted".to_owned()),
        ),
        trace_len: violated(verdict).then_some(2),
    });
    Report {
        tells: true,
        specs: vec![SpecReport {
            name: "sample".to_owned(),
            title: "A sample".to_owned(),
            role: Role::Variant,
            hardware: "smmuv3".to_owned(),
            costs: vec![costs(OpKind::Unmap, unmap), costs(OpKind::Bind, bind)],
            kept: Some(kept()),
            pairs: vec![PairReport {
                threat: Threat::Honest,
                devices: Devices::Driven,
                rows: rows.to_vec(),
                uncovered: vec![step],
                parts: vec![part],
            }],
        }],
    }
}

fn trace() -> Trace {
    let line = |who: &str, what: &str, change: &str| Line {
        who: who.to_owned(),
        what: what.to_owned(),
        changes: vec![change.to_owned()],
    };
    Trace {
        lines: vec![
            line("guest 0", "pte(space 0, page 0) := ipa 0", "PTE -> ipa 0"),
            line("host", "s2(vm 0, ipa 0) := none", "stage 2 -> none"),
        ],
        end: None,
    }
}

/// At few points, so that the sample stays short.
fn costs(kind: OpKind, at: fn(Point) -> Result<Counts, String>) -> Costs {
    let points = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)];
    let points = points.map(|(k, n)| (Point { k, n }, at(Point { k, n })));
    let calls = |(point, counts): &(Point, Result<Counts, String>)| {
        Some((*point, counts.as_ref().ok()?.cost))
    };
    Costs {
        kind,
        calls: points.iter().filter_map(calls).collect(),
        points: points.to_vec(),
    }
}

/// Linear, apart and not linear counts.
fn unmap(Point { k, n }: Point) -> Result<Counts, String> {
    let (k, n) = (u32::from(k), u32::from(n));
    Ok(Counts {
        cost: Cost {
            exits: if k == 1 { 3 } else { 2 },
            ioctls: 1 + k,
            hypercalls: 0,
            commands: k * k,
            syncs: 2,
            dropped: 2 + k * n,
        },
        had_to_go: 2 + k,
        left: 0,
    })
}

fn bind(_: Point) -> Result<Counts, String> {
    Err("it ends with an error".to_owned())
}

/// A table with a formula, which hostile guests make larger, and one without.
fn kept() -> Kept {
    let table = |name: &str, owner, honest| kept::Table {
        name: name.to_owned(),
        key: Kind::Asid,
        value: Kind::Slot,
        owner,
        honest,
        hostile: (owner == Owner::Hypervisor).then_some(Size::Linear { one: 1, d: 0, s: 2 }),
    };
    let linear = Size::Linear { one: 0, d: 0, s: 1 };
    Kept {
        tables: vec![
            table("installed", Owner::Hypervisor, linear),
            table("slots", Owner::Guest, Size::AtLeast(4)),
        ],
        descriptors: TableMemory::Guest,
        writers: BTreeSet::from([Section::Guest]),
    }
}

/// The same spec's bill; one search was cut short.
pub fn bill() -> Bill {
    let spec = report().specs.remove(0);
    let pairs = [(0, 0), (3, 0), (4, 2)];
    let pairs = pairs.map(|(dropped, had_to_go)| Entries { dropped, had_to_go });
    let part = &spec.pairs[0].parts[0];
    Bill {
        walks: vec![Walk {
            scope: part.scope.clone(),
            part: part.name.clone(),
            bounds: part.bounds.clone(),
            found: part.found.clone(),
            reached: BTreeMap::from([(OpKind::Unmap, Reached(BTreeSet::from(pairs)))]),
        }],
        name: spec.name,
        title: spec.title,
        hardware: spec.hardware,
        costs: spec.costs,
        kept: spec.kept.expect("the sample has one"),
    }
}

fn bounds() -> Bounds {
    Bounds {
        devices: 1,
        ssids: 2,
        asids: 2,
        vmids: 1,
        spaces: 2,
        pages: 1,
        ipas: 1,
        vms: 1,
        viommus: 1,
        guest_threads: 2,
        host_threads: 0,
        operations: vec![OpKind::Map, OpKind::Unmap],
    }
}
