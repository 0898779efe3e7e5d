//! The report for programs. `schema` changes when a field changes its meaning or goes away.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use model::Bounds;

use super::keeps::memory;
use super::{PairReport, PartReport, Report, Role, SpecReport};
use crate::cost::bill::Bill;
use crate::cost::kept::{self, DESCRIPTOR, Kept};
use crate::cost::worst::{Reached, Walk};
use crate::cost::{COUNTS, Costs, Counts, Point};
use crate::scope::DIMENSIONS;
use crate::spec::{Owner, kinds};

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// The whole report.
pub fn render(report: &Report) -> String {
    let runs = report
        .pairs()
        .flat_map(|(spec, pair)| pair.parts.iter().map(move |part| run(spec, pair, part)))
        .collect();
    let schema = SCHEMA;
    text(&Document { schema, runs })
}

fn text(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document)
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
    /// The known bug that it has.
    bug: Option<&'a str>,
    /// The known bug that it does not have, if that is why it was run.
    without: Option<&'a str>,
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
    keeps: Value,
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
        bug: match &spec.role {
            Role::Bug(bug) => Some(&bug.id),
            _ => None,
        },
        without: match &spec.role {
            Role::Fixed(id) => Some(id),
            _ => None,
        },
        threat: pair.threat.name(),
        devices: pair.devices.name(),
        scope: scope(&part.scope, &part.name, &part.bounds),
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
        keeps: spec.kept.as_ref().map_or(Value::Null, keeps),
    }
}

fn scope<'a>(name: &'a str, part: &'a str, bounds: &Bounds) -> Scope<'a> {
    Scope {
        name,
        part,
        bounds: DIMENSIONS
            .iter()
            .map(|dimension| (dimension.name, (dimension.get)(bounds)))
            .collect(),
        operations: bounds.operations.iter().map(|kind| kind.name()).collect(),
    }
}

/// What a variant's software must remember.
fn keeps(kept: &Kept) -> Value {
    let owner = |owner| match owner {
        Owner::Guest => "guest",
        Owner::Hypervisor => "hypervisor",
    };
    let table = |table: &kept::Table| {
        json!({
            "name": table.name,
            "key": kinds::name(table.key),
            "value": kinds::name(table.value),
            "owner": owner(table.owner),
            "honest": table.honest.to_string(),
            "hostile": table.hostile.map(|size| size.to_string()),
        })
    };
    let writers = kept.writers.iter().map(|section| section.name());
    json!({
        "tables": kept.tables.iter().map(table).collect::<Vec<_>>(),
        "descriptors": {
            "bytes": format!("{DESCRIPTOR}s"),
            "memory": memory(kept.descriptors),
            "writers": writers.collect::<Vec<_>>(),
        },
    })
}

/// What `nestcheck costs` found.
pub fn bills(bills: &[Bill]) -> String {
    let specs: Vec<_> = bills.iter().map(bill).collect();
    text(&json!({ "schema": SCHEMA, "specs": specs }))
}

fn bill(bill: &Bill) -> Value {
    json!({
        "spec": bill.name,
        "hardware": bill.hardware,
        "costs": bill.costs.iter().map(costs).collect::<Map<_, _>>(),
        "keeps": keeps(&bill.kept),
        "walks": bill.walks.iter().map(walk).collect::<Vec<_>>(),
    })
}

/// A search, and for each operation every pair of dropped and had_to_go that it ended with.
fn walk(walk: &Walk) -> Value {
    let pairs = |reached: &Reached| {
        let pairs = reached.0.iter().map(|it| [it.dropped, it.had_to_go]);
        json!(pairs.collect::<Vec<_>>())
    };
    let reached = walk.reached.iter();
    let reached = reached.map(|(kind, reached)| (kind.name().to_owned(), pairs(reached)));
    json!({
        "scope": scope(&walk.scope, &walk.part, &walk.bounds),
        "states": walk.found.states,
        "exhaustive": walk.found.stopped.is_none(),
        "dropped_had_to_go": reached.collect::<Map<_, _>>(),
    })
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
