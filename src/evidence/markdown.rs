//! The evidence about one spec as Markdown: a table for each part, with a row for each neighbour and a column for each pair.

use std::fmt::Write;

use comfy_table::{Table, presets};
use vocab::{PropertyId, Verdict};

use super::{Compared, Evidence, Pair, PartEvidence, Said};
use crate::report::grouped;
use crate::search::Why;

/// A page.
pub fn page(evidence: &Evidence) -> String {
    let mut text = format!("# {}\n", evidence.name);
    for part in &evidence.parts {
        write!(text, "\n## {}\n", part.name).expect(FITS);
        if let Some(because) = &part.because {
            write!(text, "\nBecause: {because}.\n").expect(FITS);
        }
        write!(text, "\n{}\n\n{}\n", verdicts(part), table(part)).expect(FITS);
        if let Some(none) = none(part) {
            write!(text, "\n{none}\n").expect(FITS);
        }
    }
    text
}

const FITS: &str = "a string takes everything";

/// `honest driven`
fn name((threat, devices): Pair) -> String {
    format!("{} {}", threat.name(), devices.name())
}

/// What is said within the bounds as they are: `P-CFG, P-LIVE holds. P-S1 VIOLATED (honest driven).` Pairs are named where not all
/// that judge a property say the same.
fn verdicts(part: &PartEvidence) -> String {
    let mut sentences = Vec::new();
    for verdict in [
        Verdict::Holds,
        Verdict::Violated,
        Verdict::Vacuous,
        Verdict::Unknown,
    ] {
        let mut names = Vec::new();
        for id in PropertyId::ALL {
            let of = |said: &Said| {
                said.verdicts
                    .iter()
                    .find(|(other, _)| *other == id)
                    .copied()
            };
            let said = part.pairs.iter().zip(part.here.iter().map(of));
            let said: Vec<_> = said
                .filter_map(|(pair, said)| Some((*pair, said?.1)))
                .collect();
            let these: Vec<_> = said.iter().filter(|(_, said)| *said == verdict).collect();
            let pairs = these.iter().map(|(pair, _)| name(*pair));
            match these.len() {
                0 => {}
                some if some == said.len() => names.push(id.name().to_owned()),
                _ => names.push(format!(
                    "{} ({})",
                    id.name(),
                    pairs.collect::<Vec<_>>().join(", ")
                )),
            }
        }
        if !names.is_empty() {
            sentences.push(format!("*{}*: {}.", verdict.name(), names.join(", ")));
        }
    }
    sentences.join(" ")
}

fn table(part: &PartEvidence) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let pairs = part.pairs.iter().map(|pair| name(*pair));
    table.set_header(["".to_owned()].into_iter().chain(pairs));
    let here = part.here.iter().map(size);
    table.add_row(["as it is".to_owned()].into_iter().chain(here));
    for neighbour in &part.neighbours {
        let [from, to] = neighbour.values;
        let cells = neighbour.said.iter().zip(&part.here);
        let cells = cells.map(|(said, here)| cell(said, here));
        let row = format!("{} {from} → {to}", neighbour.dimension);
        table.add_row([row].into_iter().chain(cells));
    }
    table.to_string()
}

/// What a neighbour says, compared with the part itself.
fn cell(said: &Said, here: &Said) -> String {
    let words = otherwise(said, here);
    match said.compared(here) {
        Compared::Same | Compared::GivenUp => size(said),
        Compared::Vacuous => format!("{words}, {}", size(said)),
        Compared::Otherwise => format!("**{words}**, {}", size(said)),
    }
}

/// `P-S1 holds, P-CFG vacuous`
fn otherwise(said: &Said, here: &Said) -> String {
    let otherwise = said.otherwise(here);
    let words = otherwise.iter();
    let words = words.map(|(id, verdict)| format!("{} {}", id.name(), verdict.name()));
    words.collect::<Vec<_>>().join(", ")
}

/// States, and steps that were not executed; whether there are more.
fn size(said: &Said) -> String {
    let (states, uncovered) = (grouped(said.states), said.uncovered);
    match &said.stopped {
        None => format!("{states} · {uncovered}"),
        Some(Why::MaxStates(_)) => format!("> {states} · {uncovered}"),
        Some(Why::NotModelled(why)) => format!("> {states} · {uncovered}, not modelled: {why}"),
        Some(why) => format!("> {states} · {uncovered}, {why}"),
    }
}

/// Which neighbours there are not.
fn none(part: &PartEvidence) -> Option<String> {
    let [smaller, larger] = &part.none;
    let list = |what: &str, names: &[&str]| match names {
        [] => None,
        names => Some(format!("{what} {}", names.join(", "))),
    };
    let lists = [list("fewer", smaller), list("more", larger)];
    let lists: Vec<_> = lists.into_iter().flatten().collect();
    match lists.is_empty() {
        true => None,
        false => Some(format!(
            "No run can have {}.",
            lists.join(", and none can have ")
        )),
    }
}
