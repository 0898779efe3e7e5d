//! The report for documents: the same tables and the same sections, in Markdown.

use std::fmt::Write;

use comfy_table::{Table, presets};

use super::{Report, costs, keeps, sections, table};

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut grid = table::grid(report);
    grid.load_style(presets::ASCII_MARKDOWN);
    let mut text = format!("{grid}\n");
    if let Some(grid) = costs::grid(report) {
        text.push_str(&chapter("Costs", grid, &costs::LEGEND.join("; ")));
        for line in costs::obstacles(report) {
            write!(text, "\n{line}\n").expect("a string takes everything");
        }
    }
    if let Some(grid) = keeps::grid(keeps::of(report)) {
        text.push_str(&chapter("State", grid, &keeps::LEGEND.join("; ")));
    }
    for section in sections::all(report) {
        write!(text, "\n## {}\n", section.title).expect("a string takes everything");
        for (heading, lines) in section.items {
            write!(text, "\n{heading}\n").expect("a string takes everything");
            if !lines.is_empty() {
                write!(text, "\n```text\n{}\n```\n", lines.join("\n"))
                    .expect("a string takes everything");
            }
        }
    }
    text
}

/// A table with a heading, and what its columns mean.
pub(super) fn chapter(heading: &str, mut grid: Table, legend: &str) -> String {
    grid.load_style(presets::ASCII_MARKDOWN);
    format!("\n## {heading}\n\n{grid}\n\n{legend}\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn the_sample_looks_as_it_did() {
        expect_test::expect_file!["sample/report.md"].assert_eq(&super::render(&sample::report()));
    }
}
