//! Spec files: what a variant is, as its author wrote it, ready to be checked.
//!
//! The format is described in docs/spec-format.md. A file is read in this order: `base` merges files into one tree, `change` edits
//! their programs, `text` parses them, and `compile` makes code of them. Every value keeps its place until then (`source`), and
//! whatever is wrong is noted with its place and a hint (`report`) while reading goes on.

mod axes;
mod base;
mod bug;
mod change;
mod compile;
mod expect;
mod fields;
mod hardware;
mod keys;
pub(crate) mod kinds;
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

pub use bug::{Bug, GRADES, Grade};
pub use change::ACTIONS;

pub use keys::{
    Holds, Key, Shape, change as change_shape, hardware as hardware_shape, key_meanings, shapes,
    spec as spec_shape,
};
pub use report::SpecErrors;
pub use tables::Owner;
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
    /// Whose programs may use each of [`Code::tables`].
    pub owners: Vec<Owner>,
    /// The verdicts that its author claims.
    pub expect: BTreeMap<(Threat, Devices), BTreeMap<PropertyId, Claim>>,
    /// The known bug that the file tells of, if it does.
    pub bug: Option<Bug>,
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
    /// The file in which it stands: the spec or one of its bases.
    pub file: String,
    /// And the line, counted from 1.
    pub line: u32,
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

/// Words of a spec file with their values and meanings.
pub type Words<T> = &'static [(&'static str, T, &'static str)];

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
    root.is_none_or(|root| sink.count() > 0 || root.table.get("expect").is_some())
}

/// Reads as much as can be read; there is no spec if something without which there is none could not be.
fn build(path: &Path, files: &mut Files, sink: &mut Sink) -> Option<Spec> {
    let loaded = base::load(path, files, sink)?;
    assemble(path, &loaded, Unreached::Wrong, files, sink)
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
    loaded: &base::Loaded,
    unreached: Unreached,
    files: &mut Files,
    sink: &mut Sink,
) -> Option<Spec> {
    let base::Loaded {
        table: root,
        whole,
        base,
    } = loaded;
    let whole = *whole;
    let fields = Fields::new(keys::spec(), whole, root, sink);
    // Where a heading is misspelt or missing, the rest of the file is not where it belongs, and would seem to lack everything.
    let headed = sink.count() == 0;
    let missing = fields.missing();
    if headed && !missing.is_empty() {
        sink.report(only_a_base(&missing, whole));
        sink.only_a_base = true;
    }
    let title = fields
        .get("title")
        .and_then(|node| fields::text(node, sink));
    let sources = fields
        .get("sources")
        .map(|node| fields::texts(node, sink))
        .unwrap_or_default();
    let hardware = fields
        .get("hardware")
        .and_then(|node| hardware::read(node, files, sink));
    let axes = axes::read(fields.get("axes"), sink);
    let before = sink.count();
    let tables = tables::read(fields.get("tables"), sink);
    let tables_read = sink.count() == before;
    let before = sink.count();
    let mut programs = programs::read(root, files, sink);
    if unreached == Unreached::LeftOut {
        let reached = compile::reached(&programs);
        let mut place = 0..;
        programs.retain(|_| place.next().is_some_and(|at| reached.contains(&at)));
    }
    let programs_read = sink.count() == before;
    let shaped = headed && tables_read;
    let expect = expect::read(fields.get("expect"), files, sink);
    if !shaped || !missing.is_empty() {
        // What is there has been read. What it means together is not judged, for it is not whole.
        return None;
    }
    // Programs mean nothing without the axes.
    let code = axes
        .as_ref()
        .map(|axes| compile::compile(axes, &tables, &programs, whole, files, sink));
    // An operation that could not be read is no reason to say that it is missing.
    let judged = code.as_ref().filter(|_| programs_read);
    let scopes = scopes::read(fields.get("scope"), judged, whole, sink);
    let bug = fields
        .get("bug")
        .and_then(|node| bug::read(node, whole, base.as_deref(), sink))
        .zip(base.as_ref())
        .and_then(|(read, base)| {
            // What is wrong with the base has been said of the file already.
            let fixed = self::read(base).ok()?;
            Some(Bug {
                id: read.id,
                grade: read.grade,
                parts: read.parts,
                fixed: Box::new(fixed),
            })
        });
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
        owners: tables.iter().map(|table| table.owner).collect(),
        expect,
        bug,
        scopes,
    })
}

/// The error for a file that lacks what every spec must have: one, however much is missing.
fn only_a_base(missing: &[&str], whole: Span) -> Problem {
    let lacks = words::one_of(missing.iter().copied()).replace(" or ", " and ");
    Problem::at(whole, format!("this file is only a base for others: it lacks {lacks}"))
        .label("a spec has `title`, `hardware`, `[axes]`, `[expect]` and `[scope]`, of its own or from its base")
        .help("check a file that names this one as its `base`, or write what is missing")
}
