//! The tables of docs/spec-format.md, made from the words and keys of the reader: a word that is added there is added here.

mod examples;

use std::fmt::Write;

use crate::spec::{Holds, Shape, shapes, vocabulary};

pub use examples::{EXAMPLES, Example};

/// Every block by its name in the document.
pub fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for (heading, shape) in shapes() {
        blocks.push((format!("keys of {heading}"), keys(&shape)));
    }
    for chapter in vocabulary() {
        let rows = chapter.entries.iter().map(|entry| {
            let example = EXAMPLES.iter().find(|example| example.form == entry.form);
            let example = example.map_or(String::new(), |example| {
                format!("{} *({})*", lines(example.steps), example.program)
            });
            [code(&entry.form), cell(&entry.meaning), example]
        });
        let rows: Vec<_> = rows.collect();
        // Words of keys are shown in the document's own examples.
        let with_examples = rows.iter().any(|[_, _, example]| !example.is_empty());
        let text = match with_examples {
            true => table(["word", "meaning", "example *(program)*"], rows),
            false => table(
                ["word", "meaning"],
                rows.into_iter().map(|[a, b, _]| [a, b]).collect(),
            ),
        };
        blocks.push((chapter.title.to_owned(), text));
    }
    blocks
}

fn keys(shape: &Shape) -> String {
    let rows = shape.keys.iter().map(|key| {
        let needed = if key.needed { "yes" } else { "" };
        [
            code(key.name),
            needed.to_owned(),
            cell(&holds(&key.holds)),
            cell(&key.meaning),
        ]
    });
    table(["key", "needed", "holds", "meaning"], rows.collect())
}

fn holds(holds: &Holds) -> String {
    let words = |words: &[&str]| {
        let quoted: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        quoted.join(", ")
    };
    match holds {
        Holds::Text => "a string".to_owned(),
        Holds::Texts => "a list of strings".to_owned(),
        Holds::Pair => "two strings".to_owned(),
        Holds::Flag => "`true` or `false`".to_owned(),
        Holds::Number(least, most) => format!("{least} to {most}"),
        Holds::Word(known) => words(known),
        Holds::Words(known) => format!("a list of {}", words(known)),
        Holds::Steps => "steps".to_owned(),
        Holds::Table(_) => "a table".to_owned(),
        Holds::Tables(_) => "tables".to_owned(),
        Holds::Named(_, _) => "tables by name".to_owned(),
        Holds::Either(one, other) => format!("{} or {}", self::holds(one), self::holds(other)),
    }
}

fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).expect("a string takes everything");
    }
    text
}

/// A bar ends a cell, wherever it stands.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

/// Lines of steps within a cell; their indentation is outside of the code, where blanks are kept.
fn lines(steps: &str) -> String {
    let line = |line: &str| {
        let step = line.trim_start();
        format!(
            "{}{}",
            "&emsp;".repeat((line.len() - step.len()) / 2),
            code(step)
        )
    };
    steps.lines().map(line).collect::<Vec<_>>().join("<br>")
}
