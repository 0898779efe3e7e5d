//! The table of necessities, for terminals, documents and programs.

use std::fmt::Write;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{Finding, Necessity, Place, Row};

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// For terminals.
pub fn table(necessity: &Necessity) -> String {
    let mut grid = grid(necessity, |text| text.to_owned());
    grid.load_style(presets::NOTHING);
    let mut text = format!("{}\n\n", title(necessity));
    for line in grid.lines() {
        writeln!(text, "{}", line.trim()).expect("a string takes everything");
    }
    text + "\n" + &summary(necessity) + "\n"
}

/// For documents.
pub fn markdown(necessity: &Necessity) -> String {
    let mut grid = grid(necessity, |text| format!("`{}`", text.replace('|', "\\|")));
    grid.load_style(presets::ASCII_MARKDOWN);
    let (title, summary) = (title(necessity), summary(necessity));
    format!("# {title}\n\n{summary}\n\n{grid}\n")
}

/// For programs.
pub fn json(necessity: &Necessity) -> String {
    let rows: Vec<_> = necessity.rows.iter().map(object).collect();
    let document = json!({
        "schema": SCHEMA, "spec": necessity.spec, "scopes": necessity.scopes, "steps": rows,
    });
    let text = serde_json::to_string_pretty(&document);
    text.expect("a table has string keys and finite numbers only") + "\n"
}

fn title(necessity: &Necessity) -> String {
    let scopes = necessity.scopes.join(", then ");
    format!(
        "What breaks without each step of {}, within {scopes}",
        necessity.spec
    )
}

fn grid(necessity: &Necessity, code: fn(&str) -> String) -> Table {
    let mut grid = Table::new();
    grid.set_header(["program", "step", "at", "without it", "under"]);
    for row in &necessity.rows {
        let mut step = code(&row.step.text);
        if let Some(with) = with(row) {
            write!(step, " {with}").expect("a string takes everything");
        }
        grid.add_row([
            format!("{}.{}", row.step.section.name(), row.step.program),
            step,
            format!("{}:{}", row.step.file, row.step.line),
            finding(&row.finding, code),
            under(&row.finding),
        ]);
    }
    grid
}

/// What goes with a step.
fn with(row: &Row) -> Option<String> {
    let count = row.also.len();
    let steps = if count == 1 { "step" } else { "steps" };
    match row.step.text.split_whitespace().next()? {
        _ if count == 0 => None,
        "lock" => Some(format!("and its {}", numbered(count, "unlock", "unlocks"))),
        _ => Some(format!("and its block of {count} {steps}")),
    }
}

fn numbered(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => one.to_owned(),
        _ => format!("{count} {many}"),
    }
}

fn finding(finding: &Finding, code: fn(&str) -> String) -> String {
    let list = |words: Vec<String>| words.join(", ");
    match finding {
        Finding::Breaks { properties, .. } => {
            let each = properties.iter();
            list(
                each.map(|(id, steps)| format!("{} VIOLATED {steps}", id.name()))
                    .collect(),
            )
        }
        Finding::Vacuous { properties, .. } => {
            let each = properties.iter();
            let names = each.map(|id| id.name().to_owned()).collect();
            format!("vacuous: {}", list(names))
        }
        Finding::Starves(steps) => {
            let first = &steps[0];
            let program = format!("{}.{}", first.section.name(), first.program);
            let others = match steps.len() - 1 {
                0 => String::new(),
                more => format!(" and {}", numbered(more, "another step", "others")),
            };
            format!(
                "nothing breaks; never executed: {} of {program}{others}",
                code(&first.text)
            )
        }
        Finding::Redundant(None) => {
            "redundant within these bounds; alone, nothing differs".to_owned()
        }
        Finding::Redundant(Some((kind, change))) => {
            let (kind, change) = (kind.name(), change.text());
            format!("redundant within these bounds; alone, {kind} {change}")
        }
        Finding::NeverExecuted => "never executed within these bounds".to_owned(),
        Finding::LeftOut => "left out by an axis".to_owned(),
        Finding::NotRemovable(why) => format!("not removable: {why}"),
        Finding::NotModelled { why, .. } => format!("not modelled: {why}"),
        Finding::Unknown(why) => format!("unknown: {}", why.join("; ")),
    }
}

fn under(finding: &Finding) -> String {
    match finding {
        Finding::Breaks { place, part, .. } | Finding::NotModelled { place, part, .. } => {
            format!("{}, {}.{part}", place.pair(), place.scope)
        }
        Finding::Vacuous { place, .. } => format!("{}, {}", place.pair(), place.scope),
        _ => String::new(),
    }
}

/// What the summary says, and of which findings.
type Kind = (&'static str, fn(&Finding) -> bool);

/// What the summary counts, in its order.
const KINDS: [Kind; 9] = [
    ("break something", |it| matches!(it, Finding::Breaks { .. })),
    ("leave something untested", |it| {
        matches!(it, Finding::Vacuous { .. })
    }),
    ("starve others", |it| matches!(it, Finding::Starves(_))),
    ("redundant within these bounds", |it| {
        matches!(it, Finding::Redundant(_))
    }),
    ("never executed", |it| matches!(it, Finding::NeverExecuted)),
    ("left out by an axis", |it| matches!(it, Finding::LeftOut)),
    ("not removable", |it| matches!(it, Finding::NotRemovable(_))),
    ("not modelled", |it| {
        matches!(it, Finding::NotModelled { .. })
    }),
    ("unknown", |it| matches!(it, Finding::Unknown(_))),
];

fn summary(necessity: &Necessity) -> String {
    let count = |is: fn(&Finding) -> bool| {
        let rows = necessity.rows.iter();
        rows.filter(|row| is(&row.finding)).count()
    };
    let counts: Vec<_> = KINDS
        .iter()
        .map(|(words, is)| (words, count(*is)))
        .filter(|(_, count)| *count > 0)
        .map(|(words, count)| format!("{count} {words}"))
        .collect();
    format!("{} steps: {}.", necessity.rows.len(), counts.join(", "))
}

fn object(row: &Row) -> Value {
    let also: Vec<_> = row.also.iter().map(|step| step.line).collect();
    let mut object = json!({
        "program": format!("{}.{}", row.step.section.name(), row.step.program),
        "step": row.step.text,
        "file": row.step.file,
        "line": row.step.line,
        "also": also,
    });
    let said = match &row.finding {
        Finding::Breaks {
            place,
            part,
            properties,
        } => {
            let each = properties.iter();
            let each = each.map(|(id, steps)| json!({"id": id.name(), "trace_len": steps}));
            let properties: Vec<_> = each.collect();
            json!({"finding": "breaks", "under": under_json(place), "part": part, "properties": properties})
        }
        Finding::Vacuous { place, properties } => {
            let properties: Vec<_> = properties
                .iter()
                .map(|id| json!({"id": id.name()}))
                .collect();
            json!({"finding": "vacuous", "under": under_json(place), "properties": properties})
        }
        Finding::Starves(steps) => {
            let lines: Vec<_> = steps.iter().map(|step| step.line).collect();
            json!({"finding": "starves", "never_executed": lines})
        }
        Finding::Redundant(alone) => {
            let alone = alone.map(|(kind, change)| format!("{} {}", kind.name(), change.text()));
            json!({"finding": "redundant", "alone": alone})
        }
        Finding::NeverExecuted => json!({"finding": "never-executed"}),
        Finding::LeftOut => json!({"finding": "left-out"}),
        Finding::NotRemovable(why) => json!({"finding": "not-removable", "why": why}),
        Finding::NotModelled { why, place, part } => {
            json!({"finding": "not-modelled", "under": under_json(place), "part": part, "why": why})
        }
        Finding::Unknown(why) => json!({"finding": "unknown", "why": why}),
    };
    let (Value::Object(object), Value::Object(said)) = (&mut object, said) else {
        panic!("both were written as objects")
    };
    object.extend(said);
    Value::Object(std::mem::take(object))
}

fn under_json(place: &Place) -> Value {
    json!({"threat": place.threat.name(), "devices": place.devices.name(), "scope": place.scope})
}

impl Place {
    /// `honest driven`
    pub(super) fn pair(&self) -> String {
        format!("{} {}", self.threat.name(), self.devices.name())
    }
}
