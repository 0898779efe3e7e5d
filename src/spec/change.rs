//! `[[change]]`: small differences to a base's programs, written as edits of their lines.

use model::program::Section;

use super::fields::{self, Fields};
use super::keys;
use super::lines::{self, Line, folded};
use super::report::{Problem, Sink};
use super::source::Files;
use super::tree::{Node, Table, Value};
use super::words::did_you_mean;

/// What a change can do; it does exactly one of these. Behind each, the key that goes with it.
pub const ACTIONS: [(&str, Option<&str>); 5] = [
    ("remove", None),
    ("replace", Some("with")),
    ("before", Some("insert")),
    ("after", Some("insert")),
    ("swap", None),
];

/// Applies a file's changes, one after another.
pub(crate) fn apply(changes: &Node, root: &mut Table, files: &Files, sink: &mut Sink) {
    for change in fields::list(changes, sink).unwrap_or_default() {
        if let Some(fields) = Fields::of(keys::change(), change, sink) {
            one(&fields, root, files, sink);
        }
    }
}

/// Applies one change; does nothing after an error.
fn one(change: &Fields<'_>, root: &mut Table, files: &Files, sink: &mut Sink) -> Option<()> {
    let program = change.need("program", sink)?;
    let lines = find(program, root, sink)?;
    let nth = match change.get("nth") {
        Some(node) => Some(fields::number(node, 1, u8::MAX, "", sink)? as usize),
        None => None,
    };
    let actions: Vec<_> = ACTIONS
        .into_iter()
        .filter_map(|(action, _)| change.get(action).map(|node| (action, node)))
        .collect();
    let [(action, node)] = actions[..] else {
        let message = match actions.len() {
            0 => "this change does nothing",
            _ => "this change does several things",
        };
        sink.report(
            Problem::at(change.span, message)
                .label("expected exactly one of `remove`, `replace`, `before`, `after` and `swap`"),
        );
        return None;
    };
    for (key, goes_with) in [("with", "`replace`"), ("insert", "`before` or `after`")] {
        if let Some(node) = change.get(key)
            && !goes_with.contains(action)
        {
            sink.report(Problem::at(
                node.span,
                format!("`{key}` goes with {goes_with}, not with `{action}`"),
            ));
        }
    }
    match action {
        "remove" => {
            let at = target(node, lines, nth, files, sink)?;
            lines.drain(at..whole(lines, at));
        }
        "replace" => {
            let with = snippet(brings(change, action, sink)?, files, sink)?;
            let at = target(node, lines, nth, files, sink)?;
            // A new head takes over the old one's block; any other step replaces the block too.
            let keeps_block = heads(&lines[at]) && with.last().is_some_and(heads);
            let end = if keeps_block {
                at + 1
            } else {
                whole(lines, at)
            };
            let new = indented(with, lines[at].indent);
            lines.splice(at..end, new);
        }
        "swap" => swap(node, lines, nth, files, sink)?,
        _ => {
            let insert = snippet(brings(change, action, sink)?, files, sink)?;
            let at = target(node, lines, nth, files, sink)?;
            let place = if action == "before" {
                at
            } else {
                whole(lines, at)
            };
            let new = indented(insert, lines[at].indent);
            lines.splice(place..place, new);
        }
    }
    Some(())
}

/// The value of the key that goes with an action; its absence is an error.
fn brings<'a>(change: &Fields<'a>, action: &str, sink: &mut Sink) -> Option<&'a Node> {
    let with = ACTIONS.into_iter().find(|(known, _)| *known == action);
    let (_, Some(key)) = with? else { return None };
    let found = change.get(key);
    if found.is_none() {
        sink.report(
            Problem::at(
                change.span,
                format!("a change with `{action}` lacks `{key}`"),
            )
            .label(format!("expected `{key} = ...` here")),
        );
    }
    found
}

fn swap(
    node: &Node,
    lines: &mut Vec<Line>,
    nth: Option<usize>,
    files: &Files,
    sink: &mut Sink,
) -> Option<()> {
    let [one, other] = fields::list(node, sink)? else {
        sink.report(Problem::at(node.span, "`swap` takes two steps"));
        return None;
    };
    let one = target(one, lines, nth, files, sink)?;
    let other = target(other, lines, None, files, sink)?;
    let (first, second) = (one.min(other), one.max(other));
    if second < whole(lines, first) {
        sink.report(Problem::at(
            node.span,
            "these steps cannot be exchanged: one is the other, or within its block",
        ));
        return None;
    }
    let (first_indent, second_indent) = (lines[first].indent, lines[second].indent);
    let later: Vec<_> = lines.drain(second..whole(lines, second)).collect();
    let earlier: Vec<_> = lines.drain(first..whole(lines, first)).collect();
    let gap = second - earlier.len();
    lines.splice(gap..gap, indented(earlier, second_indent));
    lines.splice(first..first, indented(later, first_indent));
    Some(())
}

/// The lines of the program that a change names.
fn find<'a>(program: &Node, root: &'a mut Table, sink: &mut Sink) -> Option<&'a mut Vec<Line>> {
    let name = fields::text(program, sink)?;
    let known: Vec<String> = names(root);
    let found = lines_of(name, root);
    if found.is_none() {
        sink.report(
            Problem::at(
                program.span,
                format!("there is no program `{name}` to change"),
            )
            .hint(did_you_mean(name, known.iter().map(String::as_str))),
        );
    }
    found
}

/// The lines of a program by its full name, `guest.unmap`.
pub(super) fn lines_of<'a>(name: &str, root: &'a mut Table) -> Option<&'a mut Vec<Line>> {
    let (section, program) = name.split_once('.')?;
    let Value::Table(programs) = root.value_mut(section)? else {
        return None;
    };
    let Value::Table(program) = programs.value_mut(program)? else {
        return None;
    };
    match program.value_mut("steps")? {
        Value::Steps(lines) => Some(lines),
        _ => None,
    }
}

/// The full names of all programs, in the order of the tree.
fn names(root: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (section, node) in &root.entries {
        if let Value::Table(programs) = &node.value
            && Section::ALL
                .iter()
                .any(|known| known.name() == section.name)
        {
            names.extend(
                programs
                    .entries
                    .iter()
                    .map(|(key, _)| format!("{}.{}", section.name, key.name)),
            );
        }
    }
    names
}

/// The index of the line whose step a change names.
fn target(
    step: &Node,
    lines: &[Line],
    nth: Option<usize>,
    files: &Files,
    sink: &mut Sink,
) -> Option<usize> {
    let wanted = fields::text(step, sink)?;
    let wanted = wanted.split('#').next().unwrap_or(wanted);
    let same = |line: &&(usize, &Line)| folded(&line.1.text) == folded(wanted);
    let numbered: Vec<_> = lines.iter().enumerate().collect();
    let found: Vec<usize> = numbered
        .iter()
        .filter(same)
        .map(|(index, _)| *index)
        .collect();
    let wanted = wanted.trim();
    let problem = match (found.len(), nth) {
        (1, None) => return Some(found[0]),
        (count, Some(nth)) if nth <= count => return Some(found[nth - 1]),
        (0, _) => Problem::at(step.span, format!("no step of the program is `{wanted}`")).hint(
            did_you_mean(wanted, lines.iter().map(|line| line.text.as_str())),
        ),
        (count, Some(nth)) => Problem::at(
            step.span,
            format!("`{wanted}` occurs {count} times in the program, not {nth}"),
        ),
        (count, None) => {
            let at: Vec<_> = found
                .iter()
                .map(|index| files.line(lines[*index].span).to_string())
                .collect();
            Problem::at(
                step.span,
                format!("`{wanted}` occurs {count} times in the program"),
            )
            .help(format!(
                "say which with `nth = 1` to `nth = {count}`; they are in the lines {}",
                at.join(", ")
            ))
        }
    };
    sink.report(problem);
    None
}

/// The lines that a change brings in.
fn snippet(node: &Node, files: &Files, sink: &mut Sink) -> Option<Vec<Line>> {
    let value = fields::text(node, sink)?;
    let raw = &files.get(node.span.file).text[node.span.range()];
    let new = lines::split(node.span.file, node.span, raw, value, sink);
    if new.is_empty() {
        sink.report(
            Problem::at(node.span, "there is no step in this text")
                .help("`remove` takes a step away"),
        );
        return None;
    }
    Some(new)
}

/// Moves lines to an indentation; they keep their shape.
fn indented(mut lines: Vec<Line>, indent: usize) -> Vec<Line> {
    let own = lines.first().map_or(0, |line| line.indent);
    for line in &mut lines {
        line.indent = (line.indent + indent).saturating_sub(own);
    }
    lines
}

/// Whether a line begins a block.
pub(super) fn heads(line: &Line) -> bool {
    line.text.ends_with(':')
}

/// Where a step ends: behind its block, and behind the `else:`, `on refusal:` or `on error:` that belongs to it.
pub(super) fn whole(lines: &[Line], at: usize) -> usize {
    let indent = lines[at].indent;
    let belongs = |line: &Line| {
        line.indent > indent
            || line.indent == indent
                && matches!(
                    folded(&line.text).as_str(),
                    "else:" | "on refusal:" | "on error:"
                )
    };
    at + 1
        + lines[at + 1..]
            .iter()
            .take_while(|line| belongs(line))
            .count()
}
