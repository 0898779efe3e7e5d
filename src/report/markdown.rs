//! The report for documents: the same table and the same sections, in Markdown.

use std::fmt::Write;

use comfy_table::presets;

use super::{Report, sections, table};

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut grid = table::grid(report);
    grid.load_style(presets::ASCII_MARKDOWN);
    let mut text = format!("{grid}\n");
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
