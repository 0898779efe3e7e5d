//! What follows the table, whatever the format: differences, gaps, bounds, steps never executed, traces.
//!
//! What several runs have in common is printed once, under the names of all of them.

use model::Bounds;
use vocab::Verdict;

use super::trace::Trace;
use super::{PairReport, PartReport, Report, Row, SpecReport, bugs};
use crate::scope::DIMENSIONS;
use crate::search::Found;

/// A title, and items with lines of their own.
pub struct Section {
    pub title: &'static str,
    pub items: Vec<(String, Vec<String>)>,
}

/// All sections that have something in them.
pub fn all(report: &Report) -> Vec<Section> {
    [
        Section {
            title: "Known bugs",
            items: bugs::items(report),
        },
        Section {
            title: "Differs from [expect]",
            items: rows(report, Row::differs, difference),
        },
        Section {
            title: "Unknown",
            items: rows(
                report,
                |row| row.verdict == Verdict::Unknown,
                |row| row.unknown.clone(),
            ),
        },
        Section {
            title: "Put to the test in no run of a part that judges it",
            items: untested(report),
        },
        Section {
            title: "Within",
            items: bounds(report),
        },
        Section {
            title: "Steps never executed",
            items: uncovered(report),
        },
        Section {
            title: "Shortest traces",
            items: if report.tells {
                traces(report)
            } else {
                untold(report)
            },
        },
    ]
    .into_iter()
    .filter(|section| !section.items.is_empty())
    .collect()
}

fn rows(
    report: &Report,
    choose: fn(&Row) -> bool,
    explain: fn(&Row) -> Vec<String>,
) -> Vec<(String, Vec<String>)> {
    let mut items = Vec::new();
    for (spec, pair) in report.pairs() {
        for row in pair.rows.iter().filter(|row| choose(row)) {
            items.push((
                format!("{} {}", name(spec, pair), row.id.name()),
                explain(row),
            ));
        }
    }
    items
}

fn difference(row: &Row) -> Vec<String> {
    let claimed = row.expected.map_or("nothing", Verdict::name);
    let mut lines = vec![format!("claimed {claimed}, found {}", row.verdict.name())];
    lines.extend(
        row.inherited
            .iter()
            .map(|place| format!("the claim is inherited from {place}")),
    );
    lines.extend(
        row.because
            .iter()
            .map(|because| format!("the claim's reason: {because}")),
    );
    lines
}

/// For each scope and part the bounds, and what was visited: run by run for one spec, in sum for several.
fn bounds(report: &Report) -> Vec<(String, Vec<String>)> {
    let mut items: Vec<(String, Vec<(String, &PartReport)>)> = Vec::new();
    for (spec, pair) in report.pairs() {
        for part in &pair.parts {
            let run = (name(spec, pair), part);
            let heading = within(part);
            match items.iter_mut().find(|(known, _)| *known == heading) {
                Some((_, runs)) => runs.push(run),
                None => items.push((heading, vec![run])),
            }
        }
    }
    let lines = |runs: Vec<(String, &PartReport)>| match report.specs.len() {
        1 => runs.iter().map(each).collect(),
        _ => in_sum(&runs),
    };
    items
        .into_iter()
        .map(|(heading, runs)| (heading, lines(runs)))
        .collect()
}

fn each((name, part): &(String, &PartReport)) -> String {
    format!("{name}: {}", visited(&part.found))
}

/// The largest of the runs that visited everything, and all others.
fn in_sum(runs: &[(String, &PartReport)]) -> Vec<String> {
    let complete = |(_, part): &&(String, &PartReport)| part.found.stopped.is_none();
    let largest = runs
        .iter()
        .filter(complete)
        .max_by_key(|(_, part)| part.found.states);
    let count = runs.iter().filter(complete).count();
    let sum = largest.map(|run| format!("{count} runs, the largest {}", each(run)));
    let others = runs.iter().filter(|run| !complete(run)).map(each);
    sum.into_iter().chain(others).collect()
}

fn within(part: &PartReport) -> String {
    dimensions(&format!("{}.{}", part.scope, part.name), &part.bounds)
}

/// A part's name and how many there are of everything.
pub(super) fn dimensions(name: &str, bounds: &Bounds) -> String {
    let counts = DIMENSIONS.iter().map(|dimension| {
        let count = (dimension.get)(bounds);
        format!("{}={count}", dimension.name)
    });
    let counts = counts.collect::<Vec<_>>().join(" ");
    let operations = bounds.operations.iter().map(|kind| kind.name());
    let operations = operations.collect::<Vec<_>>().join("+");
    format!("{name}: {counts} operations={operations}")
}

/// How far a search came.
pub(super) fn visited(found: &Found<()>) -> String {
    let states = grouped(found.states);
    let transitions = grouped(found.transitions);
    let depth = found
        .depth
        .map_or(String::new(), |depth| format!(", depth {depth}"));
    let end = match &found.stopped {
        None => "all visited".to_owned(),
        Some(why) => format!("not all visited: {why}"),
    };
    format!("{states} states, {transitions} transitions{depth}, {end}")
}

/// What a part judges without ever testing it, though another part may make it hold.
fn untested(report: &Report) -> Vec<(String, Vec<String>)> {
    let mut items: Vec<(Runs, Vec<String>)> = Vec::new();
    for (spec, pair) in report.pairs() {
        for part in &pair.parts {
            let vacuous = part
                .verdicts
                .iter()
                .filter(|said| said.verdict == Verdict::Vacuous);
            for said in vacuous {
                let line = format!("{} in part {}", said.id.name(), part.name);
                merge(&mut items, spec, run(pair), vec![line]);
            }
        }
    }
    named(items)
}

fn uncovered(report: &Report) -> Vec<(String, Vec<String>)> {
    let mut items: Vec<(Runs, Vec<String>)> = Vec::new();
    for (spec, pair) in report.pairs() {
        let lines: Vec<_> = pair
            .uncovered
            .iter()
            .map(|step| {
                let (section, program) = (step.section.name(), &step.program);
                format!(
                    "{section}.{program}  {}:{}  {}",
                    step.file, step.line, step.text
                )
            })
            .collect();
        merge(&mut items, spec, run(pair), lines);
    }
    items.retain(|(_, lines)| !lines.is_empty());
    named(items)
}

/// Where to find the traces that are not told.
fn untold(report: &Report) -> Vec<(String, Vec<String>)> {
    let is_violated =
        |(_, pair): (_, &PairReport)| pair.rows.iter().any(|row| row.verdict == Verdict::Violated);
    if !report.pairs().any(is_violated) {
        return Vec::new();
    }
    let hint = "told by `nestcheck check FILE`, or by `--traces always`";
    vec![(hint.to_owned(), Vec::new())]
}

fn traces(report: &Report) -> Vec<(String, Vec<String>)> {
    let mut items = Vec::new();
    for spec in &report.specs {
        // The same story under several threats is told once.
        let mut told: Vec<(Runs, Vec<String>)> = Vec::new();
        for pair in &spec.pairs {
            for row in &pair.rows {
                if let Some((part, trace)) = shortest(pair, row) {
                    let heading = format!("{} {}", run(pair), row.id.name());
                    let when = match trace.lines.len() {
                        0 => "in the initial state".to_owned(),
                        1 => "in 1 step".to_owned(),
                        steps => format!("in {steps} steps"),
                    };
                    let mut lines = vec![format!("violated {when}, part {part}")];
                    lines.extend(trace.text());
                    merge(&mut told, spec, heading, lines);
                }
            }
        }
        items.extend(named(told));
    }
    items
}

/// The first of the shortest traces of a row.
fn shortest<'a>(pair: &'a PairReport, row: &Row) -> Option<(&'a str, &'a Trace)> {
    pair.parts
        .iter()
        .filter_map(|part| Some((part.name.as_str(), part.verdict(row.id)?.trace.as_ref()?)))
        .min_by_key(|(_, trace)| trace.lines.len())
}

/// The runs that have something in common: for each spec, which of its runs.
type Runs = Vec<(String, Vec<String>)>;

/// Adds an item, or its run to the one with the same lines.
fn merge(items: &mut Vec<(Runs, Vec<String>)>, spec: &SpecReport, run: String, lines: Vec<String>) {
    let Some((runs, _)) = items.iter_mut().find(|(_, known)| *known == lines) else {
        items.push((vec![(spec.label(), vec![run])], lines));
        return;
    };
    match runs.iter_mut().find(|(known, _)| *known == spec.label()) {
        Some((_, own)) => own.push(run),
        None => runs.push((spec.label(), vec![run])),
    }
}

/// The runs of each item in words: specs that have the same runs are named together.
fn named(items: Vec<(Runs, Vec<String>)>) -> Vec<(String, Vec<String>)> {
    let heading = |runs: Runs| {
        let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        for (spec, own) in runs {
            match groups.iter_mut().find(|(_, known)| *known == own) {
                Some((specs, _)) => specs.push(spec),
                None => groups.push((vec![spec], own)),
            }
        }
        let texts = groups.iter().map(|(specs, own)| match &specs[..] {
            [spec] if own.len() == 1 => format!("{spec} {}", own[0]),
            specs => format!("{}: {}", specs.join(", "), own.join(", ")),
        });
        texts.collect::<Vec<_>>().join("; ")
    };
    items
        .into_iter()
        .map(|(runs, lines)| (heading(runs), lines))
        .collect()
}

fn run(pair: &PairReport) -> String {
    format!("{} {}", pair.threat.name(), pair.devices.name())
}

fn name(spec: &SpecReport, pair: &PairReport) -> String {
    format!("{} {}", spec.label(), run(pair))
}

/// A count with its thousands apart.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
