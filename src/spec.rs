//! Spec files: what a variant is, as its author wrote it, ready to be checked.
//!
//! The format is described in docs/spec-format.md. A file is read in this order: `base` merges files into one tree, `change` edits
//! their programs, `text` parses them, and `compile` makes code of them. Every value keeps its place until then (`source`), and
//! whatever is wrong is noted with its place and a hint (`report`) while reading goes on.

mod axes;
mod base;
mod change;
mod compile;
mod expect;
mod fields;
mod hardware;
mod kinds;
mod lines;
mod programs;
pub mod removal;
mod report;
pub(crate) mod scopes;
mod source;
mod tables;
mod text;
mod tree;
mod vocabulary;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::{Axes, Bounds, Code, Hardware};
use vocab::{Devices, PropertyId, Threat, Verdict};

use fields::Fields;
use report::{Problem, Sink};
use source::{Files, Span};
use tree::Table;

pub use report::SpecErrors;
pub use vocabulary::{Chapter, Entry, vocabulary};

/// A uAPI variant and what its author claims of it.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The file's name without directory and extension.
    pub name: String,
    /// One line.
    pub title: String,
    /// Where the variant is described.
    pub sources: Vec<String>,
    /// The hardware file's name without directory and extension.
    pub hardware_name: String,
    /// The hardware.
    pub hardware: Hardware,
    /// In what it differs that is not a program.
    pub axes: Axes,
    /// Its programs.
    pub code: Code,
    /// The verdicts that its author claims.
    pub expect: BTreeMap<(Threat, Devices), BTreeMap<PropertyId, Claim>>,
    /// The named scopes; each is one or more parts, which are checked one after another.
    pub scopes: BTreeMap<String, Vec<Part>>,
}

/// A claimed verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the author says a run will find.
    pub verdict: Verdict,
    /// Why.
    pub because: Option<String>,
}

/// One question within a scope: bounds, and the properties that they are large enough for.
#[derive(Clone, Debug)]
pub struct Part {
    /// `sharing`, `reclaim`, …
    pub name: String,
    /// How many of everything.
    pub bounds: Bounds,
    /// The properties that are judged within these bounds.
    pub asks: Vec<PropertyId>,
    /// The threats under which it is run.
    pub threats: Vec<Threat>,
    /// Why these bounds are enough.
    pub because: Option<String>,
}

/// Every key of a spec file.
const KEYS: [&str; 13] = [
    "title", "hardware", "sources", "base", "change", "axes", "tables", "guest", "vmm", "kernel",
    "host", "expect", "scope",
];

/// Reads a spec file, its bases and its hardware, and compiles its programs.
pub fn read(path: &Path) -> Result<Spec, SpecErrors> {
    let mut files = Files::default();
    let mut sink = Sink::default();
    match build(path, &mut files, &mut sink) {
        Some(spec) if sink.count() == 0 => Ok(spec),
        _ => Err(sink.into_errors(files)),
    }
}

/// Whether a file makes claims, in itself or in its bases: what tells a variant from a mere base. A file that cannot be read is
/// taken for a variant, so that [`read`] can say what is wrong with it.
pub fn has_claims(path: &Path) -> bool {
    let mut sink = Sink::default();
    let root = base::load(path, &mut Files::default(), &mut sink);
    root.is_none_or(|(root, _)| sink.count() > 0 || root.get("expect").is_some())
}

/// Reads as much as can be read; there is no spec if something without which there is none could not be.
fn build(path: &Path, files: &mut Files, sink: &mut Sink) -> Option<Spec> {
    let (root, whole) = base::load(path, files, sink)?;
    assemble(path, &root, whole, Unreached::Wrong, files, sink)
}

/// What a program is to which no operation leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unreached {
    /// A mistake: a name that was misspelt.
    Wrong,
    /// What is left when its only call has been removed.
    LeftOut,
}

/// Makes a spec of a merged tree.
fn assemble(
    path: &Path,
    root: &Table,
    whole: Span,
    unreached: Unreached,
    files: &mut Files,
    sink: &mut Sink,
) -> Option<Spec> {
    let fields = Fields::new("a spec file", whole, root, &KEYS, sink);
    let title = fields
        .need("title", sink)
        .and_then(|node| fields::text(node, sink));
    let sources = fields
        .get("sources")
        .map(|node| fields::texts(node, sink))
        .unwrap_or_default();
    let hardware = fields
        .need("hardware", sink)
        .and_then(|node| hardware::read(node, files, sink));
    let axes = axes::read(fields.get("axes"), whole, sink);
    let tables = tables::read(fields.get("tables"), sink);
    let mut programs = programs::read(root, files, sink);
    if unreached == Unreached::LeftOut {
        let reached = compile::reached(&programs);
        let mut place = 0..;
        programs.retain(|_| place.next().is_some_and(|at| reached.contains(&at)));
    }
    let expect = expect::read(fields.get("expect"), whole, sink);
    // Programs mean nothing without the axes.
    let code = axes
        .as_ref()
        .map(|axes| compile::compile(axes, &tables, &programs, whole, files, sink));
    let scopes = scopes::read(fields.get("scope"), code.as_ref(), whole, sink);
    let (hardware_name, hardware) = hardware?;
    Some(Spec {
        path: path.to_owned(),
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        title: title?.to_owned(),
        sources,
        hardware_name,
        hardware,
        axes: axes?.axes,
        code: code?,
        expect,
        scopes,
    })
}

/// The error for a table that a spec must have.
fn missing_table(name: &str, whole: Span) -> Problem {
    Problem::at(whole, format!("the spec lacks `[{name}]`"))
}
