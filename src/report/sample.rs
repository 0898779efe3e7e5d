//! A report with one of everything, for the tests of formats.

use model::program::Section;
use model::{Bounds, Cost, OpKind, SourceStep};
use vocab::{Devices, PropertyId, Threat, Verdict};

use super::trace::{Line, Trace};
use super::{PairReport, PartReport, PartVerdict, Report, Row, SpecReport};
use crate::cost::{Costs, Counts, Point};
use crate::search::{Found, Why};

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
            hardware: "smmuv3".to_owned(),
            costs: vec![costs(OpKind::Unmap, unmap), costs(OpKind::Bind, bind)],
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
    Costs {
        kind,
        points: points
            .map(|(k, n)| (Point { k, n }, at(Point { k, n })))
            .to_vec(),
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
