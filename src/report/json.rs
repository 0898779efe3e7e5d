//! The report for programs. `schema` changes when a field changes its meaning or goes away.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{PairReport, PartReport, Report, SpecReport};
use crate::cost::{COUNTS, Costs, Counts, Point};
use crate::scope::DIMENSIONS;

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// The whole report.
pub fn render(report: &Report) -> String {
    let runs = report
        .pairs()
        .flat_map(|(spec, pair)| pair.parts.iter().map(move |part| run(spec, pair, part)))
        .collect();
    let schema = SCHEMA;
    let mut text = serde_json::to_string_pretty(&Document { schema, runs })
        .expect("a report has string keys and finite numbers only");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    runs: Vec<Run<'a>>,
}

/// One search: a spec under a threat and a kind of device, within one part of a scope.
#[derive(Serialize)]
struct Run<'a> {
    spec: &'a str,
    hardware: &'a str,
    threat: &'a str,
    devices: &'a str,
    scope: Scope<'a>,
    states: u64,
    transitions: u64,
    depth: Option<u32>,
    exhaustive: bool,
    properties: Vec<Property<'a>>,
    uncovered: Vec<Step<'a>>,
    costs: Map<String, Value>,
}

#[derive(Serialize)]
struct Scope<'a> {
    name: &'a str,
    part: &'a str,
    #[serde(flatten)]
    bounds: BTreeMap<&'a str, u8>,
    operations: Vec<&'a str>,
}

#[derive(Serialize)]
struct Property<'a> {
    id: &'a str,
    verdict: &'a str,
    /// What is claimed of all parts together.
    expected: Option<&'a str>,
    trace_len: Option<usize>,
}

#[derive(Serialize)]
struct Step<'a> {
    program: String,
    file: &'a str,
    line: u32,
    text: &'a str,
}

fn run<'a>(spec: &'a SpecReport, pair: &'a PairReport, part: &'a PartReport) -> Run<'a> {
    Run {
        spec: &spec.name,
        hardware: &spec.hardware,
        threat: pair.threat.name(),
        devices: pair.devices.name(),
        scope: Scope {
            name: &part.scope,
            part: &part.name,
            bounds: DIMENSIONS
                .iter()
                .map(|dimension| (dimension.name, (dimension.get)(&part.bounds)))
                .collect(),
            operations: part
                .bounds
                .operations
                .iter()
                .map(|kind| kind.name())
                .collect(),
        },
        states: part.found.states,
        transitions: part.found.transitions,
        depth: part.found.depth,
        exhaustive: part.found.stopped.is_none(),
        properties: part
            .verdicts
            .iter()
            .map(|said| Property {
                id: said.id.name(),
                verdict: said.verdict.name(),
                expected: pair
                    .row(said.id)
                    .and_then(|row| row.expected)
                    .map(|claim| claim.name()),
                trace_len: said.trace_len(),
            })
            .collect(),
        uncovered: part
            .uncovered
            .iter()
            .map(|step| Step {
                program: format!("{}.{}", step.section.name(), step.program),
                file: &step.file,
                line: step.line,
                text: &step.text,
            })
            .collect(),
        costs: spec.costs.iter().map(costs).collect(),
    }
}

/// An operation's name, the formula of each count, and the points where a formula is missing.
fn costs(costs: &Costs) -> (String, Value) {
    let mut fields: Map<String, Value> = COUNTS
        .iter()
        .map(|count| {
            let formula = costs.formula(count);
            (count.name.into(), json!(formula.map(|it| it.to_string())))
        })
        .collect();
    let explained = costs.is_explained();
    let points = costs.points.iter().filter(|_| !explained).map(point);
    let points = points.collect();
    fields.insert("points".into(), Value::Array(points));
    (costs.kind.name().into(), Value::Object(fields))
}

fn point((point, counts): &(Point, Result<Counts, String>)) -> Value {
    let mut fields = Map::new();
    fields.insert("k".into(), json!(point.k));
    fields.insert("n".into(), json!(point.n));
    match counts {
        Ok(counts) => fields.extend(
            COUNTS
                .iter()
                .map(|count| (count.name.into(), json!((count.get)(counts)))),
        ),
        Err(why) => fields.extend([("not_performed".into(), json!(why))]),
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn the_sample_looks_as_it_did() {
        expect_test::expect_file!["sample/report.json"]
            .assert_eq(&super::render(&sample::report()));
    }
}
