//! What operations cost, variants by operations; the formulas of all counts are in the JSON report.

use comfy_table::Table;
use model::OpKind;

use super::{Report, SpecReport};
use crate::cost::{Costs, Count, Formula, Point, Unit, count};

/// What the columns mean.
pub const LEGEND: [&str; 3] = [
    "exits/ioctls+hypercalls/commands/SYNCs of an operation on a space with n pages that is bound to k slots",
    "k=1: where the last slot differs; unmap is of one page",
    "dropped:had to go are the cache entries that its commands hit, and those that had to go",
];

/// The operations that have a column: those that a designer asks about first.
const COLUMNS: [OpKind; 6] = [
    OpKind::Unmap,
    OpKind::Bind,
    OpKind::Unbind,
    OpKind::Replace,
    OpKind::Exit,
    OpKind::Reclaim,
];

/// What is counted for each operation.
const CALLS: [Count; 4] = [
    count("exits", Unit::Calls, |counts| counts.cost.exits),
    count("ioctls+hypercalls", Unit::Calls, |counts| {
        counts.cost.ioctls + counts.cost.hypercalls
    }),
    count("commands", Unit::Calls, |counts| counts.cost.commands),
    count("SYNCs", Unit::Calls, |counts| counts.cost.syncs),
];

/// What tells over-invalidation.
const ENTRIES: [Count; 2] = [
    count("dropped", Unit::Entries, |counts| counts.cost.dropped),
    count("had to go", Unit::Entries, |counts| counts.had_to_go),
];

/// The table, without a style; none if no spec has operations.
pub fn grid(report: &Report) -> Option<Table> {
    if report.specs.iter().all(|spec| spec.costs.is_empty()) {
        return None;
    }
    let mut table = Table::new();
    let mut header = vec!["variant"];
    for kind in COLUMNS {
        header.push(kind.name());
        if kind == OpKind::Unmap {
            header.push("dropped:had to go");
        }
    }
    table.set_header(header);
    for spec in &report.specs {
        let mut cells = vec![spec.name.clone()];
        for kind in COLUMNS {
            let costs = spec.costs.iter().find(|costs| costs.kind == kind);
            cells.push(cell(costs, &CALLS, "/"));
            if kind == OpKind::Unmap {
                cells.push(cell(costs, &ENTRIES, ":"));
            }
        }
        table.add_row(cells);
    }
    Some(table)
}

/// Why operations could not be performed, a line each; those that the table has no column for included.
pub fn obstacles(report: &Report) -> Vec<String> {
    let of_spec = |spec: &SpecReport| {
        let costs = spec.costs.iter();
        let lines = costs.filter_map(|costs| obstacle(&spec.name, costs));
        lines.collect::<Vec<_>>()
    };
    report.specs.iter().flat_map(of_spec).collect()
}

/// Why an operation of a spec could not be performed, if it could not.
pub fn obstacle(name: &str, costs: &Costs) -> Option<String> {
    let (Point { k, n }, why) = costs.obstacle()?;
    let kind = costs.kind.name();
    Some(format!(
        "{name} {kind} was not performed at k={k}, n={n}: {why}"
    ))
}

/// Several counts in one cell, those for k = 1 apart if one of them differs there.
fn cell(costs: Option<&Costs>, counts: &[Count], separator: &str) -> String {
    let Some(costs) = costs else {
        return "·".to_owned();
    };
    let formulas: Option<Vec<Formula>> = counts.iter().map(|count| costs.formula(count)).collect();
    let Some(formulas) = formulas else {
        return "not performed".to_owned();
    };
    let joined = |texts: Vec<String>| texts.join(separator);
    let others = |formula: &Formula| match formula.cases() {
        None => formula.to_string(),
        Some((others, _)) => others.to_string().replace(' ', ""),
    };
    let last = |formula: &Formula| match formula.cases() {
        Some((_, Some(last))) => last.to_string().replace(' ', ""),
        _ => others(formula),
    };
    let differs = |formula: &Formula| matches!(formula.cases(), Some((_, Some(_))));
    let mut text = joined(formulas.iter().map(others).collect());
    if formulas.iter().any(differs) {
        let last = joined(formulas.iter().map(last).collect());
        text.push_str(&format!(" (k=1: {last})"));
    }
    text
}
