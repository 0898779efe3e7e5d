//! `[guest]`, `[vmm]`, `[kernel]` and `[host]`: programs, their parameters and their steps.

use std::collections::BTreeSet;

use model::program::{Kind, OpKind, Section};

use super::fields::{self, Fields};
use super::keys;
use super::kinds::KINDS;
use super::lines::{self, Line};
use super::report::{Problem, Sink};
use super::source::{Files, Span};
use super::text::ast::{Command, Step, walk};
use super::text::{command_list, parse};
use super::tree::{Key, Node, Table, Value};
use super::words::{did_you_mean, one_of};

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParamKind {
    Id(Kind),
    /// A command taken off the guest's queue.
    Command,
}

/// A program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub section: Section,
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    /// The operation that it is.
    pub operation: Option<OpKind>,
    pub params: Vec<(String, ParamKind)>,
    /// What a guest who calls it asks for.
    pub asks: Vec<Command>,
    pub lines: Vec<Line>,
    pub steps: Vec<Step>,
    /// Whether its parameters and variables are known; otherwise what its steps mean is not judged.
    pub understood: bool,
}

impl Program {
    /// `kernel.bind`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.section.name(), self.name)
    }

    /// `bind(viommu, slot)`
    pub fn signature(&self) -> String {
        let params: Vec<_> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        format!("{}({})", self.name, params.join(", "))
    }

    pub fn is_doorbell(&self) -> bool {
        self.section == Section::Vmm && self.name == "doorbell"
    }
}

/// Reads every program, in the order of sections.
pub(crate) fn read(root: &Table, files: &Files, sink: &mut Sink) -> Vec<Program> {
    let mut programs = Vec::new();
    for section in Section::ALL {
        let Some((_, node)) = root.get(section.name()) else {
            continue;
        };
        let Some(table) = fields::table("a section of programs", node, sink) else {
            continue;
        };
        for (key, node) in &table.entries {
            programs.extend(one(section, key, node, files, sink));
        }
    }
    programs
}

fn one(
    section: Section,
    key: &Key,
    node: &Node,
    files: &Files,
    sink: &mut Sink,
) -> Option<Program> {
    let Value::Table(_) = &node.value else {
        sink.report(Problem::at(
            node.span,
            format!("expected the steps of a program, found {}", node.what()),
        ));
        return None;
    };
    let errors = sink.count();
    let fields = Fields::of(keys::program(), node, sink)?;
    let name = key.name.clone();
    let guests = section == Section::Guest;
    let operation = OpKind::ALL.into_iter().find(|op| {
        op.name() == name
            && op.is_guests() == guests
            && matches!(section, Section::Guest | Section::Host)
    });
    let mut params = Vec::new();
    match (operation, fields.get("params")) {
        (Some(op), given) => {
            params.extend(
                op.param_names()
                    .iter()
                    .zip(op.params())
                    .map(|(n, kind)| (n.to_string(), ParamKind::Id(*kind))),
            );
            if let Some(given) = given {
                sink.report(
                    Problem::at(
                        given.span,
                        format!("the parameters of the operation `{name}` are fixed"),
                    )
                    .label(format!(
                        "they are {}",
                        one_of(op.param_names().iter().copied()).replace(" or ", " and ")
                    )),
                );
            }
        }
        (None, Some(given)) => params = read_params(given, sink),
        (None, None) => {}
    }
    let mut asks = Vec::new();
    if let Some(node) = fields.get("asks") {
        if matches!(section, Section::Guest | Section::Host) {
            sink.report(
                Problem::at(node.span, "nobody asks this program for anything")
                    .label("`asks` belongs to the programs of [vmm] and [kernel] that guests call"),
            );
        }
        for item in fields::list(node, sink).unwrap_or_default() {
            if let Some(value) = fields::text(item, sink) {
                let raw = &files.get(item.span.file).text[item.span.range()];
                let lines = lines::split(item.span.file, item.span, raw, value, sink);
                asks.extend(command_list(&lines, sink));
            }
        }
    }
    let lines = match fields.need("steps", sink).map(|node| (node, &node.value)) {
        Some((_, Value::Steps(lines))) => lines.clone(),
        Some((node, _)) => {
            sink.report(Problem::at(
                node.span,
                format!("expected the steps of a program, found {}", node.what()),
            ));
            Vec::new()
        }
        None => Vec::new(),
    };
    let declared = sink.count() == errors;
    let steps = parse(&lines, sink);
    let understood = declared && names_everything(&lines, &steps);
    let program = Program {
        section,
        name,
        span: key.span,
        operation,
        params,
        asks,
        lines,
        steps,
        understood,
    };
    if program.is_doorbell() && !program.params.is_empty() {
        sink.report(
            Problem::at(key.span, "`vmm.doorbell` has no parameters")
                .label("it has the guest's queue"),
        );
    }
    Some(program)
}

/// Whether every line that brings in a variable could be read. Without one, whatever uses the variable would seem to be wrong.
fn names_everything(lines: &[Line], steps: &[Step]) -> bool {
    let mut read = BTreeSet::new();
    walk(steps, &mut |step| {
        read.insert(step.line);
    });
    let brings = |line: &Line| line.text.starts_with("let ") || line.text.starts_with("for ");
    lines
        .iter()
        .enumerate()
        .all(|(at, line)| !brings(line) || read.contains(&at))
}

/// `"slot"`, or `"old: slot"` for a second one of the same kind.
fn read_params(node: &Node, sink: &mut Sink) -> Vec<(String, ParamKind)> {
    let mut params: Vec<(String, ParamKind)> = Vec::new();
    for item in fields::list(node, sink).unwrap_or_default() {
        let Some(text) = fields::text(item, sink) else {
            continue;
        };
        let (name, word) = match text.split_once(':') {
            Some((name, word)) => (name.trim(), word.trim()),
            None => (text, text),
        };
        let kind = match KINDS.iter().find(|(known, _)| *known == word) {
            Some((_, kind)) => ParamKind::Id(*kind),
            None if text == "command" => ParamKind::Command,
            None => {
                let known = || KINDS.iter().map(|(name, _)| *name).chain(["command"]);
                sink.report(
                    Problem::at(item.span, format!("unknown parameter `{text}`"))
                        .label(format!("expected {}", one_of(known())))
                        .hint(did_you_mean(word, known()))
                        .help("a parameter is named after its kind; a second one of a kind is written `\"old: slot\"`"),
                );
                continue;
            }
        };
        if params.iter().any(|(known, _)| known == name) {
            sink.report(Problem::at(
                item.span,
                format!("there are two parameters `{name}`"),
            ));
        }
        params.push((name.to_owned(), kind));
    }
    params
}
