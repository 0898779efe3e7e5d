//! Known bugs: what each broke in how many steps, and that its correct version does not.

use vocab::{Devices, PropertyId, Threat, Verdict};

use super::{PairReport, Report, Role, Row, SpecReport, grouped};

/// For each known bug a heading and its lines.
pub fn items(report: &Report) -> Vec<(String, Vec<String>)> {
    let mut items = Vec::new();
    for spec in &report.specs {
        let Role::Bug(bug) = &spec.role else {
            continue;
        };
        let fixed = report
            .specs
            .iter()
            .find(|other| other.role == Role::Fixed(bug.id.clone()));
        let mut lines: Vec<_> = bug
            .sources
            .iter()
            .map(|source| format!("[{}] {source}", bug.grade))
            .collect();
        let mut kinds: Vec<_> = bug.breaks.iter().map(|(kind, _)| *kind).collect();
        kinds.dedup();
        lines.extend(kinds.into_iter().filter_map(|kind| {
            let broken = bug.breaks.iter().filter(|(other, _)| *other == kind);
            let broken: Vec<_> = broken.map(|(_, id)| *id).collect();
            finding(spec, fixed, kind, &broken)
        }));
        items.push((format!("{}: {}", bug.id, spec.title), lines));
    }
    items
}

/// `honest driven: P-S1 violated in 16 steps, P-CFG in 6 …: 10,234 states; native-batched without B1: 12,345 states, P-S1 holds, …`
fn finding(
    spec: &SpecReport,
    fixed: Option<&SpecReport>,
    kind: (Threat, Devices),
    broken: &[PropertyId],
) -> Option<String> {
    let said = |report: &SpecReport| {
        let pair = report.pair(kind)?;
        let verdicts = broken.iter().map(|id| match pair.row(*id) {
            Some(row) => verdict(row),
            None => format!("{} not judged", id.name()),
        });
        let verdicts = verdicts.collect::<Vec<_>>().join(", ");
        Some(format!("{verdicts}; {} states", states(pair)))
    };
    let (threat, devices) = (kind.0.name(), kind.1.name());
    let mut line = format!("{threat} {devices}: {}", said(spec)?);
    if let Some(fixed) = fixed
        && let Some(without) = said(fixed)
    {
        line += &format!(" | {}: {without}", fixed.label());
    }
    Some(line)
}

/// `P-S1 violated in 16 steps`, `P-S1 holds`
fn verdict(row: &Row) -> String {
    let steps = match (row.verdict, row.trace_len) {
        (Verdict::Violated, Some(1)) => " in 1 step".to_owned(),
        (Verdict::Violated, Some(steps)) => format!(" in {steps} steps"),
        _ => String::new(),
    };
    format!("{} {}{steps}", row.id.name(), row.verdict.name())
}

fn states(pair: &PairReport) -> String {
    grouped(pair.parts.iter().map(|part| part.found.states).sum())
}
