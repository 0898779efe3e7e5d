//! The report for terminals: variants by properties, variants by operations, then everything that needs explaining.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::{Table, presets};
use vocab::{Devices, PropertyId, Threat, Verdict};

use super::{PairReport, Report, Row, costs, keeps, sections};

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut text = blocks(report);
    if let Some(table) = costs::grid(report) {
        let (table, legend) = (plain(table), costs::LEGEND.join("\n  "));
        write!(text, "\nCosts\n  {legend}\n{table}").expect("a string takes everything");
        for line in costs::obstacles(report) {
            writeln!(text, "{line}").expect("a string takes everything");
        }
    }
    if let Some(table) = keeps::grid(keeps::of(report)) {
        let (table, legend) = (plain(table), keeps::LEGEND.join("\n  "));
        write!(text, "\nState\n  {legend}\n{table}").expect("a string takes everything");
    }
    for section in sections::all(report) {
        write!(text, "\n{}\n", section.title).expect("a string takes everything");
        for (heading, lines) in section.items {
            writeln!(text, "  {heading}").expect("a string takes everything");
            for line in lines {
                writeln!(text, "    {line}").expect("a string takes everything");
            }
        }
    }
    text
}

/// A table below a title.
pub(super) fn plain(mut table: Table) -> String {
    table.load_style(presets::NOTHING);
    table
        .lines()
        .map(|line| format!("  {}\n", line.trim()))
        .collect()
}

/// One block for each threat and kind of devices, so that variants stand below each other; columns are aligned over all blocks.
fn blocks(report: &Report) -> String {
    let ids = judged(report);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut header = vec!["variant"];
    header.extend(ids.iter().map(|id| id.name()));
    header.push("states");
    table.set_header(header);
    let mut headings = Vec::new();
    for kind in kinds(report) {
        let (threat, devices) = kind;
        headings.push((
            table.row_count(),
            format!("{} guest, {} devices", threat.name(), devices.name()),
        ));
        for (spec, pair) in report
            .pairs()
            .filter(|(_, pair)| (pair.threat, pair.devices) == kind)
        {
            let mut cells = vec![format!("  {}", spec.label())];
            cells.extend(judgements(pair, &ids));
            table.add_row(cells);
        }
    }
    let mut text = String::new();
    for (place, line) in table.lines().enumerate() {
        // The header is a line of its own above the first row.
        for (_, heading) in headings
            .iter()
            .filter(|(row, _)| place > 0 && *row == place - 1)
        {
            writeln!(text, "{heading}").expect("a string takes everything");
        }
        let line = line.strip_prefix(' ').unwrap_or(&line).trim_end();
        writeln!(text, "{line}").expect("a string takes everything");
    }
    text
}

/// The table in one piece, for formats that cannot have blocks.
pub(super) fn grid(report: &Report) -> Table {
    let ids = judged(report);
    let mut table = Table::new();
    let mut header = vec!["variant", "threat", "devices"];
    header.extend(ids.iter().map(|id| id.name()));
    header.push("states");
    table.set_header(header);
    for (spec, pair) in report.pairs() {
        let mut cells = vec![
            spec.label(),
            pair.threat.name().to_owned(),
            pair.devices.name().to_owned(),
        ];
        cells.extend(judgements(pair, &ids));
        table.add_row(cells);
    }
    table
}

/// The properties that some run judges.
fn judged(report: &Report) -> Vec<PropertyId> {
    let is_judged = |id: &PropertyId| report.pairs().any(|(_, pair)| pair.row(*id).is_some());
    PropertyId::ALL.into_iter().filter(is_judged).collect()
}

/// The threats and kinds of devices that some spec was run under.
fn kinds(report: &Report) -> BTreeSet<(Threat, Devices)> {
    report
        .pairs()
        .map(|(_, pair)| (pair.threat, pair.devices))
        .collect()
}

/// The cells of a row behind its name: a verdict for each property, and the states.
fn judgements(pair: &PairReport, ids: &[PropertyId]) -> Vec<String> {
    let mut cells: Vec<_> = ids
        .iter()
        .map(|id| pair.row(*id).map_or("·".into(), cell))
        .collect();
    cells.push(states(pair));
    cells
}

/// `holds`, `VIOLATED 7`; where the author claims something else, that follows.
fn cell(row: &Row) -> String {
    let mut text = match (row.verdict, row.trace_len) {
        (Verdict::Violated, Some(steps)) => format!("VIOLATED {steps}"),
        (Verdict::Violated, None) => "VIOLATED".to_owned(),
        (verdict, _) => verdict.name().to_owned(),
    };
    if let Some(expected) = row.expected.filter(|claim| *claim != row.verdict) {
        write!(text, " ≠ {}", expected.name()).expect("a string takes everything");
    }
    text
}

/// The states of all parts; `≥` if some part was not searched to the end.
fn states(pair: &PairReport) -> String {
    let count = pair.parts.iter().map(|part| part.found.states).sum();
    let complete = pair.parts.iter().all(|part| part.found.stopped.is_none());
    format!(
        "{}{}",
        if complete { "" } else { "≥" },
        sections::grouped(count)
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn the_sample_looks_as_it_did() {
        expect_test::expect_file!["sample/report.txt"].assert_eq(&super::render(&sample::report()));
    }
}
