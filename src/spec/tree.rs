//! A spec file as a tree of values that know their places; the only module that names the TOML library.
//!
//! The texts of programs are split into lines here, before files are merged: a line keeps the place that it came from, whichever
//! file's program it ends up in.

use std::ops::Range;

use model::program::Section;
use toml::de::{DeTable, DeValue};

use super::lines::{self, Line};
use super::report::{Problem, Sink};
use super::source::{FileId, Span};

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
}

/// What can stand in a spec file.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
    /// The text of a program.
    Steps(Vec<Line>),
    /// Something that no key takes: a float or a date.
    Other(&'static str),
}

/// A table: its keys in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Whether it was written in braces: then it is one value, which replaces another as a whole.
    pub inline: bool,
    pub entries: Vec<(Key, Node)>,
}

/// A key and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub name: String,
    pub span: Span,
}

impl Table {
    pub fn get(&self, name: &str) -> Option<&(Key, Node)> {
        self.entries.iter().find(|(key, _)| key.name == name)
    }

    /// A key's value, to be changed.
    pub fn value_mut(&mut self, name: &str) -> Option<&mut Value> {
        let mut entries = self.entries.iter_mut();
        let (_, node) = entries.find(|(key, _)| key.name == name)?;
        Some(&mut node.value)
    }
}

impl Node {
    /// What it is, in words.
    pub fn what(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a string",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Steps(_) => "a program",
            Value::Other(what) => what,
        }
    }
}

/// The tree of a file's text; nothing if it is not TOML.
pub(crate) fn parse(file: FileId, text: &str, sink: &mut Sink) -> Option<Table> {
    let (document, errors) = DeTable::parse_recoverable(text);
    // What a parser guesses after an error makes more of them: only the first is certain to be one.
    let first = errors
        .iter()
        .min_by_key(|error| error.span().map(|span| span.start));
    if let Some(error) = first {
        let place = Span::new(file, visible(text, error.span().unwrap_or(0..0)));
        sink.report(Problem::at(
            place,
            format!("this is not TOML: {}", error.message()),
        ));
        return None;
    }
    let mut root = table(file, text, document.get_ref(), false);
    programs(file, text, &mut root, sink);
    Some(root)
}

/// A caret under a line's end or under nothing is hard to see: at least one byte, within the text.
fn visible(text: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = range.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

fn table(file: FileId, text: &str, source: &DeTable<'_>, inline: bool) -> Table {
    let mut entries: Vec<_> = source
        .iter()
        .map(|(key, value)| {
            let name = Key {
                name: key.get_ref().to_string(),
                span: Span::new(file, key.span()),
            };
            (name, node(file, text, value.span(), value.get_ref()))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span);
    Table { inline, entries }
}

fn node(file: FileId, text: &str, range: Range<usize>, source: &DeValue<'_>) -> Node {
    let value = match source {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("a number beyond 64 bits"),
        },
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|item| node(file, text, item.span(), item.get_ref()))
                .collect(),
        ),
        DeValue::Table(inner) => {
            let inline = text[visible(text, range.clone())].starts_with('{');
            Value::Table(table(file, text, inner, inline))
        }
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
    };
    Node {
        span: Span::new(file, visible(text, range)),
        value,
    }
}

/// Splits the texts of programs into lines, and writes every program as a table with `steps`.
fn programs(file: FileId, text: &str, root: &mut Table, sink: &mut Sink) {
    for (key, section) in &mut root.entries {
        if !Section::ALL
            .iter()
            .any(|section| section.name() == key.name)
        {
            continue;
        }
        let Value::Table(section) = &mut section.value else {
            continue;
        };
        for (name, program) in &mut section.entries {
            if let Value::Text(_) = &program.value {
                let mut steps = program.clone();
                split(file, text, &mut steps, sink);
                let key = Key {
                    name: "steps".to_owned(),
                    span: name.span,
                };
                program.value = Value::Table(Table {
                    inline: false,
                    entries: vec![(key, steps)],
                });
            } else if let Value::Table(program) = &mut program.value {
                program.inline = false;
                for (_, steps) in program
                    .entries
                    .iter_mut()
                    .filter(|(key, _)| key.name == "steps")
                {
                    split(file, text, steps, sink);
                }
            }
        }
    }
}

fn split(file: FileId, text: &str, steps: &mut Node, sink: &mut Sink) {
    if let Value::Text(value) = &steps.value {
        let raw = &text[steps.span.range()];
        steps.value = Value::Steps(lines::split(file, steps.span, raw, value, sink));
    }
}
