//! What `nestcheck costs` prints: every operation, every count, the worst case, and what must be remembered.

use std::fmt::Write;

use comfy_table::Table;
use vocab::{Devices, Threat};

use super::costs::obstacle;
use super::markdown::chapter;
use super::table::plain;
use super::{keeps, sections};
use crate::cost::bill::{Bill, Worst};
use crate::cost::{COUNTS, Costs};

/// What the columns mean.
const LEGEND: [&str; 4] = [
    "of an operation on a space with n pages that is bound to k slots, another slot being bound to another space; unmap is of one page",
    "dropped: the cache entries that its commands hit; had to go: those of them that were stale, and those left; left: stale and still cached at its return",
    "worst: of all operations within the bounds below, that which drops the most entries (dropped:had to go) for each that had to go",
    "for nothing: the most entries dropped by an operation where none had to go; ≥: not all was visited",
];

/// For terminals.
pub fn table(bills: &[Bill]) -> String {
    let mut text = format!("Costs\n  {}\n", LEGEND.join("\n  "));
    for bill in bills {
        let (heading, table) = (heading(bill), plain(grid(bill)));
        write!(text, "\n{heading}\n{table}").expect("a string takes everything");
        for line in notes(bill) {
            writeln!(text, "  {line}").expect("a string takes everything");
        }
    }
    if let Some(table) = keeps::grid(kept(bills)) {
        let (table, legend) = (plain(table), keeps::LEGEND.join("\n  "));
        write!(text, "\nState\n  {legend}\n{table}").expect("a string takes everything");
    }
    text
}

/// For documents.
pub fn markdown(bills: &[Bill]) -> String {
    let mut text = format!("# Costs\n\n{}\n", LEGEND.join("; "));
    for bill in bills {
        text.push_str(&chapter(
            &heading(bill),
            grid(bill),
            &notes(bill).join("\n\n"),
        ));
    }
    if let Some(grid) = keeps::grid(kept(bills)) {
        text.push_str(&chapter("State", grid, &keeps::LEGEND.join("; ")));
    }
    text
}

fn kept(bills: &[Bill]) -> impl Iterator<Item = (&str, &crate::cost::kept::Kept)> {
    bills.iter().map(|bill| (bill.name.as_str(), &bill.kept))
}

fn heading(bill: &Bill) -> String {
    format!("{}: {}", bill.name, bill.title)
}

/// One row an operation.
fn grid(bill: &Bill) -> Table {
    let mut table = Table::new();
    let counts = COUNTS.iter().map(|count| count.name.replace('_', " "));
    let last = ["worst", "for nothing"].map(str::to_owned);
    let header = ["operation".to_owned()].into_iter().chain(counts);
    table.set_header(header.chain(last));
    for costs in &bill.costs {
        let mut cells = vec![costs.kind.name().to_owned()];
        cells.extend(COUNTS.iter().map(|count| {
            let formula = costs.formula(count);
            formula.map_or("·".to_owned(), |formula| formula.to_string())
        }));
        cells.extend(worst(bill.worst(costs.kind)));
        table.add_row(cells);
    }
    table
}

fn worst(worst: Option<Worst>) -> [String; 2] {
    let Some(Worst {
        factor,
        for_nothing,
        is_least,
    }) = worst
    else {
        return ["·".to_owned(), "·".to_owned()];
    };
    let least = if is_least { "≥ " } else { "" };
    let factor = factor.map_or("·".to_owned(), |it| {
        format!("{least}{}:{}", it.dropped, it.had_to_go)
    });
    [factor, format!("{least}{for_nothing}")]
}

/// What was not performed and why, and within which bounds the worst case was looked for.
fn notes(bill: &Bill) -> Vec<String> {
    let not_performed = |costs: &Costs| obstacle(&bill.name, costs);
    let mut lines: Vec<_> = bill.costs.iter().filter_map(not_performed).collect();
    let (threat, devices) = (Threat::Honest.name(), Devices::Driven.name());
    for walk in &bill.walks {
        let name = format!("{}.{}", walk.scope, walk.part);
        let within = sections::dimensions(&name, &walk.bounds);
        let visited = sections::visited(&walk.found);
        lines.push(format!(
            "{within}; {threat} guest, {devices} devices: {visited}"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::{json, sample};

    #[test]
    fn the_sample_looks_as_it_did() {
        let bills = [sample::bill()];
        expect_test::expect_file!["sample/costs.txt"].assert_eq(&super::table(&bills));
        expect_test::expect_file!["sample/costs.md"].assert_eq(&super::markdown(&bills));
        expect_test::expect_file!["sample/costs.json"].assert_eq(&json::bills(&bills));
    }
}
