//! The evidence as Markdown: a table for each part, a row for each dimension.

use std::fmt::Write;

use comfy_table::{Table, presets};
use vocab::Verdict;

use super::{Evidence, Neighbour, PartEvidence};
use crate::report::{PartReport, grouped};

/// All specs, one below the other.
pub fn render(evidence: &[Evidence]) -> String {
    let mut text = String::new();
    for spec in evidence {
        let (threat, devices) = (spec.threat.name(), spec.devices.name());
        write!(
            text,
            "\n## {}: {threat} guest, {devices} devices\n",
            spec.name
        )
        .expect(FITS);
        for part in &spec.parts {
            write!(text, "\n**{}.{}**", part.base.scope, part.base.name).expect(FITS);
            if let Some(because) = &part.because {
                write!(text, ": {because}").expect(FITS);
            }
            write!(text, "\n\n{}.\n\n{}\n", verdicts(&part.base), table(part)).expect(FITS);
        }
    }
    text.trim_start().to_owned()
}

const FITS: &str = "a string takes everything";

/// `P-S1 holds, P-CFG holds; 12,345 states`
fn verdicts(part: &PartReport) -> String {
    let said = part.verdicts.iter();
    let said = said.map(|said| format!("{} {}", said.id.name(), said.verdict.name()));
    let said = said.collect::<Vec<_>>().join(", ");
    format!("{said}; {}", states(part))
}

fn states(part: &PartReport) -> String {
    let not_executed = match part.uncovered.len() {
        0 => "every step executed".to_owned(),
        1 => "1 step not executed".to_owned(),
        count => format!("{count} steps not executed"),
    };
    format!("{} states, {not_executed}", grouped(part.found.states))
}

fn table(part: &PartEvidence) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["dimension", "here", "one smaller", "one larger"]);
    for (name, value, neighbours) in &part.dimensions {
        let [smaller, larger] = neighbours;
        let cells = [smaller, larger].map(|neighbour| cell(part, neighbour));
        let [smaller, larger] = cells;
        table.add_row([(*name).to_owned(), value.to_string(), smaller, larger]);
    }
    table.to_string()
}

/// What a neighbour says, compared with the part itself.
fn cell(part: &PartEvidence, neighbour: &Neighbour) -> String {
    let report = match neighbour {
        Neighbour::None(_) => return "-".to_owned(),
        Neighbour::Run(report) => report,
    };
    let otherwise = part.otherwise(report);
    let otherwise: Vec<_> = otherwise
        .iter()
        .map(|(id, verdict)| format!("{} {}", id.name(), verdict.name()))
        .collect();
    let complete = report.found.stopped.is_none();
    let unknown = report
        .verdicts
        .iter()
        .any(|said| said.verdict == Verdict::Unknown);
    let verdict = match (complete || !unknown, otherwise.is_empty()) {
        (true, true) => "the same".to_owned(),
        (true, false) => otherwise.join(", "),
        (false, true) => "nothing else found, not all visited".to_owned(),
        (false, false) => format!("{}; not all visited", otherwise.join(", ")),
    };
    format!("{verdict}; {}", states(report))
}
