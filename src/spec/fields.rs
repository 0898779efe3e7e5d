//! Reading the keys of a table: which there are, which must be there, and what they hold.

use super::keys::Shape;
use super::report::{Problem, Sink};
use super::source::Span;
use super::tree::{Key, Node, Table, Value};
use super::words::{did_you_mean, nearest, one_of};

/// A table whose keys are known.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    shape: Shape,
    /// The keys that were meant by some that are not known.
    misspelt: Vec<&'a str>,
    /// Where it is.
    pub span: Span,
    table: &'a Table,
}

impl<'a> Fields<'a> {
    /// The keys of a table; those that are not known are reported.
    pub fn new(shape: Shape, span: Span, table: &'a Table, sink: &mut Sink) -> Self {
        let known: Vec<_> = shape.keys.iter().map(|key| key.name).collect();
        let unknown = table.entries.iter().map(|(key, _)| key);
        let unknown: Vec<&Key> = unknown
            .filter(|key| !known.contains(&key.name.as_str()))
            .collect();
        unknown_keys(shape.what, unknown.iter().copied(), &known, sink);
        let misspelt = unknown
            .iter()
            .filter_map(|key| nearest(&key.name, known.iter().copied()))
            .collect();
        Fields {
            shape,
            misspelt,
            span,
            table,
        }
    }

    /// The same, of a value that must be a table.
    pub fn of(shape: Shape, node: &'a Node, sink: &mut Sink) -> Option<Self> {
        let inner = table(shape.what, node, sink)?;
        Some(Fields::new(shape, node.span, inner, sink))
    }

    /// A key's value, if the key is there.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        assert!(
            self.shape.keys.iter().any(|known| known.name == key),
            "`{key}` of {} is read, and keys.rs does not have it",
            self.shape.what
        );
        self.table.get(key).map(|(_, node)| node)
    }

    /// The keys that must be there and are not.
    pub fn missing(&self) -> Vec<&'static str> {
        let needed = self.shape.keys.iter().filter(|key| key.needed);
        needed
            .map(|key| key.name)
            .filter(|key| self.table.get(key).is_none())
            .collect()
    }

    /// A key's value; its absence is an error.
    pub fn need(&self, key: &str, sink: &mut Sink) -> Option<&'a Node> {
        let found = self.get(key);
        assert!(
            self.shape
                .keys
                .iter()
                .any(|known| known.name == key && known.needed),
            "`{key}` of {} must be there, and keys.rs does not say so",
            self.shape.what
        );
        if found.is_none()
            && !self.misspelt.contains(&key)
            && !(sink.only_a_base && self.shape.inherits)
        {
            sink.report(
                Problem::at(self.span, format!("{} lacks `{key}`", self.shape.what))
                    .label(format!("expected `{key} = ...` here")),
            );
        }
        found
    }
}

/// Reports keys that mean nothing: each that was misspelt by itself, and those that belong elsewhere together.
pub(crate) fn unknown_keys<'a>(
    what: &str,
    unknown: impl IntoIterator<Item = &'a Key>,
    known: &[&str],
    sink: &mut Sink,
) {
    let meant = |key: &&Key| nearest(&key.name, known.iter().copied()).is_some();
    let (misspelt, others): (Vec<&Key>, Vec<&Key>) = unknown.into_iter().partition(meant);
    let problem = |key: &Key| {
        Problem::at(key.span, format!("unknown key `{}` in {what}", key.name))
            .label(format!("expected {}", one_of(known.iter().copied())))
            .hint(did_you_mean(&key.name, known.iter().copied()))
    };
    for key in misspelt {
        sink.report(problem(key));
    }
    if let [first, rest @ ..] = &others[..] {
        let more = (!rest.is_empty()).then(|| {
            let names = one_of(rest.iter().map(|key| key.name.as_str())).replace(" or ", " and ");
            format!("nor does it know {names}: perhaps the heading above them is missing")
        });
        sink.report(problem(first).hint(more));
    }
}

/// Reports a value of the wrong type.
fn wrong<T>(what: &str, node: &Node, sink: &mut Sink) -> Option<T> {
    let message = format!("expected {what}, found {}", node.what());
    sink.report(Problem::at(node.span, message));
    None
}

/// A table.
pub(crate) fn table<'a>(what: &str, node: &'a Node, sink: &mut Sink) -> Option<&'a Table> {
    match &node.value {
        Value::Table(table) => Some(table),
        _ => wrong(&format!("{what}, which is a table"), node, sink),
    }
}

/// A string.
pub(crate) fn text<'a>(node: &'a Node, sink: &mut Sink) -> Option<&'a str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => wrong("a string", node, sink),
    }
}

/// True or false.
pub(crate) fn flag(node: &Node, sink: &mut Sink) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        _ => wrong("`true` or `false`", node, sink),
    }
}

/// A number within bounds.
pub(crate) fn number(node: &Node, least: u8, most: u8, why: &str, sink: &mut Sink) -> Option<u8> {
    let Value::Number(value) = node.value else {
        return wrong("a number", node, sink);
    };
    if let Ok(small) = u8::try_from(value)
        && (least..=most).contains(&small)
    {
        return Some(small);
    }
    let (message, why) = match value < least.into() {
        true => (format!("{value} is too small"), ""),
        false => (format!("{value} is too large"), why),
    };
    sink.report(Problem::at(node.span, message).label(format!("expected {least} to {most}{why}")));
    None
}

/// A list.
pub(crate) fn list<'a>(node: &'a Node, sink: &mut Sink) -> Option<&'a [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        _ => wrong("a list", node, sink),
    }
}

/// A list of strings.
pub(crate) fn texts(node: &Node, sink: &mut Sink) -> Vec<String> {
    let items = list(node, sink).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| text(item, sink))
        .map(str::to_owned)
        .collect()
}

/// One of a few words; `what` is what they name.
pub(crate) fn choice<T: Copy>(
    what: &str,
    node: &Node,
    known: &[(&str, T)],
    sink: &mut Sink,
) -> Option<T> {
    let word = text(node, sink)?;
    let found = known.iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let names = || known.iter().map(|(name, _)| *name);
        sink.report(
            Problem::at(node.span, format!("unknown {what} `{word}`"))
                .label(format!("expected {}", one_of(names())))
                .hint(did_you_mean(word, names())),
        );
    }
    found.map(|(_, value)| *value)
}

/// A list of a few words, each at most once.
pub(crate) fn choices<T: Copy + PartialEq>(
    what: &str,
    node: &Node,
    known: &[(&str, T)],
    sink: &mut Sink,
) -> Vec<T> {
    let mut chosen = Vec::new();
    for item in list(node, sink).unwrap_or_default() {
        let Some(value) = choice(what, item, known, sink) else {
            continue;
        };
        if chosen.contains(&value) {
            sink.report(Problem::at(
                item.span,
                format!("this {what} is listed twice"),
            ));
        }
        chosen.push(value);
    }
    chosen
}
