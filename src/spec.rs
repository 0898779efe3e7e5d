//! Spec files: what a variant is, as its author wrote it, ready to be checked.
//!
//! The format is described in docs/spec-format.md. Only the modules below know TOML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{Axes, Bounds, Code, Hardware};
use vocab::{Devices, PropertyId, Threat, Verdict};

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
