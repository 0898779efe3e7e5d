//! Bases: a spec says what another says, and then what is different.

use std::fs;
use std::path::{Path, PathBuf};

use super::change;
use super::fields;
use super::report::{Problem, Sink};
use super::source::{self, Files, Span};
use super::tree::{self, Node, Table, Value};

/// A file merged with its bases.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub table: Table,
    /// Where errors about the whole file point to.
    pub whole: Span,
    /// The base that the file itself names.
    pub base: Option<PathBuf>,
}

/// A file on the way from the spec to its last base.
struct Visit {
    path: PathBuf,
    /// The file itself, however it was named.
    identity: PathBuf,
}

/// Reads a file and its bases and merges them; changes are applied by the file that makes them.
///
/// Returns nothing if one of them cannot be read.
pub(crate) fn load(path: &Path, files: &mut Files, sink: &mut Sink) -> Option<Loaded> {
    resolve(path, None, &mut Vec::new(), files, sink)
}

fn resolve(
    path: &Path,
    named: Option<Span>,
    visits: &mut Vec<Visit>,
    files: &mut Files,
    sink: &mut Sink,
) -> Option<Loaded> {
    let identity = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(first) = visits.iter().position(|visit| visit.identity == identity) {
        let chain: Vec<_> = visits[first..]
            .iter()
            .map(|visit| visit.path.as_path())
            .chain([path])
            .collect();
        let chain: Vec<_> = chain
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let message = "this base is based on the file that names it";
        sink.report(problem(named, message).help(format!("the cycle is {}", chain.join(" -> "))));
        return None;
    }
    let text = match source::read(path) {
        Ok(text) => text,
        Err(reason) => {
            sink.report(problem(named, reason));
            return None;
        }
    };
    let file = files.add(path, text);
    let whole = Span::new(file, 0..0);
    let text = files.get(file).text.clone();
    let mut own = tree::parse(file, &text, sink)?;

    visits.push(Visit {
        path: path.to_owned(),
        identity,
    });
    let base = take(&mut own, "base");
    let mut merged = Table::default();
    let mut named_base = None;
    if let Some(node) = base {
        let name = fields::text(&node, sink)?;
        let beside = path.parent().unwrap_or(Path::new("")).join(name);
        // Without its base a file lacks this and that, which would hide the one thing that is wrong.
        let beside = tidy(&beside);
        merged = resolve(&beside, Some(node.span), visits, files, sink)?.table;
        named_base = Some(beside);
    }
    visits.pop();

    let changes = take(&mut own, "change");
    merge(&mut merged, own);
    if let Some(changes) = changes {
        change::apply(&changes, &mut merged, files, sink);
    }
    Some(Loaded {
        table: merged,
        whole,
        base: named_base,
    })
}

fn problem(named: Option<Span>, message: impl Into<String>) -> Problem {
    match named {
        Some(place) => Problem::at(place, message),
        None => Problem::nowhere(message),
    }
}

/// Resolves `a/../b`, so that messages name files as people do.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir
                if matches!(
                    tidy.components().next_back(),
                    Some(std::path::Component::Normal(_))
                ) =>
            {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

fn take(table: &mut Table, name: &str) -> Option<Node> {
    let index = table.entries.iter().position(|(key, _)| key.name == name)?;
    Some(table.entries.remove(index).1)
}

/// Puts one table's keys over another's. Tables in brackets are merged, everything else is replaced: a value in braces is one
/// value, and half of a base's claim would be nobody's claim.
fn merge(under: &mut Table, over: Table) {
    for (key, node) in over.entries {
        let Some((old_key, old)) = under
            .entries
            .iter_mut()
            .find(|(old, _)| old.name == key.name)
        else {
            under.entries.push((key, node));
            continue;
        };
        match (&mut old.value, node.value) {
            (Value::Table(below), Value::Table(above)) if !above.inline && !below.inline => {
                merge(below, above);
                old.span = node.span;
            }
            (_, value) => {
                *old = Node {
                    span: node.span,
                    value,
                }
            }
        }
        *old_key = key;
    }
}
