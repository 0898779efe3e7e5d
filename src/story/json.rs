//! For programs.

use serde::Serialize;

use super::{Story, column};

/// The version of the schema; it changes when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// The whole story.
pub fn render(story: &Story) -> String {
    let about = &story.about;
    let row_of = |event: usize| {
        story
            .rows
            .iter()
            .position(|row| row.events.contains(&event))
    };
    let mut named: Vec<_> = story
        .cause
        .events()
        .into_iter()
        .filter_map(row_of)
        .map(|row| row + 1)
        .collect();
    named.sort_unstable();
    named.dedup();
    let document = Document {
        schema: SCHEMA,
        spec: &about.spec,
        property: about.property.name(),
        threat: about.threat.name(),
        devices: about.devices.name(),
        scope: &about.scope,
        part: &about.part,
        actors: story.columns(),
        steps: story
            .rows
            .iter()
            .enumerate()
            .map(|(place, row)| Step {
                number: place + 1,
                actor: column(&row.actor),
                kind: row.kind.name(),
                file: row.source.as_ref().map(|(file, _)| &**file),
                line: row.source.as_ref().map(|(_, line)| *line),
                what: story.says(row),
                notes: &row.notes,
                bytes: story.bytes_of(row),
            })
            .collect(),
        violated: &story.end,
        because: Because {
            cause: story.cause.name(),
            removal: story.cause.removal(),
            text: &story.because,
            steps: named,
        },
        executed: Ran {
            outcome: story.executed.name(),
            text: story.executed.to_string(),
        },
        checked: Checked {
            software: story.steps.0,
            fetches: story.steps.1,
            effects: story.steps.2,
        },
    };
    let mut text = serde_json::to_string_pretty(&document)
        .expect("a story has string keys and small numbers only");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    spec: &'a str,
    property: &'a str,
    threat: &'a str,
    devices: &'a str,
    scope: &'a str,
    part: &'a str,
    actors: Vec<String>,
    steps: Vec<Step<'a>>,
    violated: &'a str,
    because: Because<'a>,
    checked: Checked,
    executed: Ran,
}

/// What the engine made of it.
#[derive(Serialize)]
struct Ran {
    outcome: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Step<'a> {
    number: usize,
    actor: String,
    kind: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    what: String,
    notes: &'a [String],
    /// What is stored and queued, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bytes: Vec<&'a str>,
}

#[derive(Serialize)]
struct Because<'a> {
    cause: &'a str,
    /// What became of the command that should have removed the entry, or the one that it was made from.
    removal: Option<&'a str>,
    text: &'a str,
    /// The numbers of the steps that the text names.
    steps: Vec<usize>,
}

/// Steps that were taken on scheduled caches.
#[derive(Serialize)]
struct Checked {
    software: usize,
    fetches: usize,
    effects: usize,
}
