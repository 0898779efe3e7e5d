//! Known bugs: what each broke in how many steps, and that its correct version does not.

use vocab::{Devices, PropertyId, Threat, Verdict};

use super::{PairReport, Report, Role, SpecReport, sections::grouped};

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
        lines.extend(
            bug.breaks
                .iter()
                .filter_map(|(pair, id)| finding(spec, fixed, *pair, *id)),
        );
        items.push((format!("{}: {}", bug.id, spec.title), lines));
    }
    items
}

/// `P-S1 violated in 16 steps, honest driven: 10,234 states; native-batched, which does not have it: holds, 12,345 states`
fn finding(
    spec: &SpecReport,
    fixed: Option<&SpecReport>,
    kind: (Threat, Devices),
    id: PropertyId,
) -> Option<String> {
    let pair = spec.pair(kind)?;
    let row = pair.row(id)?;
    let steps = match (row.verdict, row.trace_len) {
        (Verdict::Violated, Some(1)) => " in 1 step".to_owned(),
        (Verdict::Violated, Some(steps)) => format!(" in {steps} steps"),
        _ => String::new(),
    };
    let (threat, devices) = (kind.0.name(), kind.1.name());
    let mut line = format!(
        "{} {}{steps}, {threat} {devices}: {} states",
        id.name(),
        row.verdict.name(),
        states(pair)
    );
    if let Some(fixed) = fixed
        && let Some(pair) = fixed.pair(kind)
        && let Some(row) = pair.row(id)
    {
        let verdict = row.verdict.name();
        line += &format!("; {}: {verdict}, {} states", fixed.label(), states(pair));
    }
    Some(line)
}

fn states(pair: &PairReport) -> String {
    grouped(pair.parts.iter().map(|part| part.found.states).sum())
}
