//! docs/mutants.md: who finds which mutant.

use crate::suites::Crate;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The mutant.
    pub name: String,
    /// The suite that notices it.
    pub by: Option<String>,
    of: &'static str,
    what: String,
}

impl Row {
    /// What was seen.
    pub fn new(of: Crate, name: &str, what: &str, by: Option<&str>) -> Self {
        Row {
            name: name.to_owned(),
            by: by.map(str::to_owned),
            of: of.name(),
            what: what.trim().to_owned(),
        }
    }
}

pub fn compare(_: &[Row]) {}
