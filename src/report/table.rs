//! The report for terminals: variants by properties, variants by operations, then everything that needs explaining.

use std::fmt::Write;

use comfy_table::{Table, presets};
use vocab::{PropertyId, Verdict};

use super::{PairReport, Report, Row, costs, sections};

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut text = lines(grid(report));
    if let Some(table) = costs::grid(report) {
        let (table, legend) = (lines(table), costs::LEGEND);
        write!(text, "\n{table}{legend}\n").expect("a string takes everything");
        for line in costs::obstacles(report) {
            writeln!(text, "{line}").expect("a string takes everything");
        }
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

fn lines(mut table: Table) -> String {
    table.load_style(presets::NOTHING);
    table
        .lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect()
}

/// The table of verdicts, without a style.
pub(super) fn grid(report: &Report) -> Table {
    let judged: Vec<_> = PropertyId::ALL
        .into_iter()
        .filter(|id| report.pairs().any(|(_, pair)| pair.row(*id).is_some()))
        .collect();
    let mut table = Table::new();
    let mut header = vec!["variant", "threat", "devices"];
    header.extend(judged.iter().map(|id| id.name()));
    header.push("states");
    table.set_header(header);
    for spec in &report.specs {
        for (place, pair) in spec.pairs.iter().enumerate() {
            let name = if place == 0 { spec.name.as_str() } else { "" };
            let mut cells = vec![
                name.to_owned(),
                pair.threat.name().to_owned(),
                pair.devices.name().to_owned(),
            ];
            cells.extend(
                judged
                    .iter()
                    .map(|id| pair.row(*id).map_or("·".into(), cell)),
            );
            cells.push(states(pair));
            table.add_row(cells);
        }
    }
    table
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
