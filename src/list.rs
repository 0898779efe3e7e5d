//! `nestcheck list`: the words that spec files and flags are made of.
//!
//! Steps and axes are taken from docs/spec-format.md, so that they are explained in one place.

use std::fmt::Write;

use model::{OpKind, property};
use vocab::Opcode;

use crate::args::Topic;
use crate::scope::DIMENSIONS;

const FORMAT: &str = include_str!("../docs/spec-format.md");

/// The text of a topic, or of all.
pub fn render(topic: Option<Topic>) -> String {
    match topic {
        Some(Topic::Properties) => properties(),
        Some(Topic::Steps) => steps(),
        Some(Topic::Axes) => axes(),
        Some(Topic::Scopes) => scopes(),
        None => [properties(), steps(), axes(), scopes()].join("\n"),
    }
}

fn properties() -> String {
    let mut text = String::from("Properties\n");
    for property in &property::ALL {
        writeln!(text, "  {:8} {}", property.id.name(), property.claim).unwrap();
        for (name, value) in [
            ("source", property.source),
            ("witness", property.witness),
            ("broken by", property.broken_by),
        ] {
            writeln!(text, "  {:8}   {name}: {value}", "").unwrap();
        }
    }
    text
}

fn steps() -> String {
    let mut text = String::from("Steps\n");
    for (step, meaning) in table("| step | meaning |") {
        row(&mut text, &step, &meaning);
    }
    text.push_str("\nCommands\n");
    for opcode in Opcode::ALL {
        row(&mut text, opcode.name(), opcode.meaning());
    }
    text
}

fn axes() -> String {
    let mut text = String::from("Axes\n");
    for line in block("## Axes") {
        writeln!(text, "  {line}").unwrap();
    }
    text
}

fn scopes() -> String {
    let mut text =
        String::from("Scopes: quick, default and deep in every spec. Dimensions of their parts\n");
    for dimension in DIMENSIONS {
        let range = format!(
            "{} = {}..{}",
            dimension.name, dimension.least, dimension.most
        );
        row(&mut text, &range, dimension.meaning);
    }
    let operations: Vec<_> = OpKind::ALL.into_iter().map(OpKind::name).collect();
    row(&mut text, "operations", &operations.join(", "));
    text
}

fn row(text: &mut String, word: &str, meaning: &str) {
    let width = 58;
    match word.chars().count() <= width {
        true => writeln!(text, "  {word:width$}  {meaning}").unwrap(),
        false => writeln!(text, "  {word}\n  {:width$}  {meaning}", "").unwrap(),
    }
}

/// The rows of a two-column table of the format's description, without Markdown.
fn table(header: &str) -> Vec<(String, String)> {
    let plain = |cell: &str| cell.replace('`', "").trim().to_owned();
    FORMAT
        .lines()
        .skip_while(|line| *line != header)
        .skip(2)
        .map_while(|line| {
            line.strip_prefix("| ")?
                .strip_suffix('|')?
                .split_once(" | ")
        })
        .map(|(first, second)| (plain(first), plain(second)))
        .collect()
}

/// The first code block under a heading of the format's description.
fn block(heading: &str) -> Vec<&'static str> {
    FORMAT
        .lines()
        .skip_while(|line| *line != heading)
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_from_the_documents_is_found() {
        assert!(steps().contains("hwq SYNC"));
        assert!(table("| step | meaning |").len() > 25);
        assert!(axes().contains("cd_table"));
        assert!(scopes().contains("guest_threads"));
        assert!(properties().contains("P-LIVE"));
    }
}
