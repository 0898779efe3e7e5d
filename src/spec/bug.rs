//! `[bug]`: a known bug, told as a small difference from a base that does not have it.

use std::path::Path;

use super::fields::{Fields, choice};
use super::report::{Problem, Sink};
use super::source::Span;
use super::tree::Node;
use super::{Spec, Words, keys};

/// A known bug. The spec's title says what it is, its sources say where it is known from.
#[derive(Clone, Debug)]
pub struct Bug {
    /// Its name in lists of bugs.
    pub id: String,
    /// How well it is known.
    pub grade: Grade,
    /// The parts of the scopes that show it; all that ask for what it breaks if there are none.
    pub parts: Vec<String>,
    /// The base, which does not have it; it is checked within the scopes of the bug.
    pub fixed: Box<Spec>,
}

impl Bug {
    /// Whether a part of a scope shows it.
    pub fn shown_in(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|name| name == part)
    }
}

/// How well a bug is known: what was read to learn of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "GRADES says what each means")]
pub enum Grade {
    Source,
    Manual,
    Mail,
    Commit,
    Candidate,
    Derived,
}

/// The grades by name, and what each means.
pub const GRADES: Words<Grade> = &[
    (
        "source",
        Grade::Source,
        "read in the source that has it, or whose comments tell of it",
    ),
    ("manual", Grade::Manual, "read in the architecture's text"),
    ("mail", Grade::Mail, "read in a message to a mailing list"),
    (
        "commit",
        Grade::Commit,
        "read in the message of the commit that mends it",
    ),
    (
        "candidate",
        Grade::Candidate,
        "our own reading of a source; nobody has confirmed it",
    ),
    (
        "derived",
        Grade::Derived,
        "follows from the manual for a uAPI that does not exist yet",
    ),
];

impl Grade {
    /// The word in spec files and reports.
    pub fn name(self) -> &'static str {
        let found = GRADES.iter().find(|(_, grade, _)| *grade == self);
        found.expect("GRADES has all of them").0
    }
}

/// What `[bug]` says, apart from the base.
pub(super) struct Read {
    pub id: String,
    pub grade: Grade,
    pub parts: Vec<String>,
}

/// Reads `[bug]`. It is about the file that it stands in: a file that is based on a bug would have no correct version.
pub(super) fn read(node: &Node, whole: Span, base: Option<&Path>, sink: &mut Sink) -> Option<Read> {
    if node.span.file != whole.file {
        sink.report(
            Problem::at(node.span, "the base of this spec is itself a known bug")
                .help("base it on what that one is based on"),
        );
        return None;
    }
    let fields = Fields::of(keys::bug(), node, sink)?;
    let id = fields
        .need("id", sink)
        .and_then(|node| super::fields::text(node, sink));
    let grades: Vec<_> = GRADES
        .iter()
        .map(|(name, grade, _)| (*name, *grade))
        .collect();
    let grade = fields
        .need("grade", sink)
        .and_then(|node| choice("grade", node, &grades, sink));
    let parts = fields
        .get("parts")
        .map(|node| super::fields::texts(node, sink))
        .unwrap_or_default();
    if base.is_none() {
        sink.report(
            Problem::at(
                node.span,
                "a known bug needs a `base` that does not have it",
            )
            .help("the difference between the two is the bug"),
        );
        return None;
    }
    Some(Read {
        id: id?.to_owned(),
        grade: grade?,
        parts,
    })
}
