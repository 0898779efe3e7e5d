//! docs/mutants.md: who finds which mutant.

use std::fs;
use std::path::{Path, PathBuf};

use crate::suites::{Crate, Found};

/// Where the rows begin.
const HEAD: &str = "|---|---|---|---|---|\n";
/// What stands in place of a suite where none finds the mutant; then why.
const NOBODY: &str = "nobody: ";

/// One line.
#[derive(Clone, Debug)]
pub struct Row {
    /// The mutant.
    pub name: String,
    of: String,
    what: String,
    /// The suite that notices it and after how many seconds, or [`NOBODY`] and why.
    by: String,
    seconds: String,
}

impl Row {
    /// What was seen.
    pub fn new(of: Crate, name: &str, what: &str, found: Option<&Found>) -> Self {
        Row {
            name: name.to_owned(),
            of: of.name().to_owned(),
            what: what.trim().to_owned(),
            by: found.map_or(NOBODY, Found::by).to_owned(),
            seconds: found.map_or_else(String::new, |found| format!("{:.1}", found.seconds())),
        }
    }

    /// The suite that notices it.
    pub fn found_by(&self) -> Option<&str> {
        (!self.by.starts_with(NOBODY.trim_end())).then_some(self.by.as_str())
    }

    /// Whether it is this mutant's.
    pub fn is_of(&self, of: Crate, name: &str) -> bool {
        self.of == of.name() && self.name == name
    }

    /// Whether it is a mistake that an emulator has made: B58, say.
    pub fn is_known_bug(&self) -> bool {
        let number = self.name.strip_prefix('B');
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    }

    fn parse(line: &str) -> Self {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [of, name, what, by, seconds] = cells[..] else {
            panic!("a row of docs/mutants.md has five cells: {line}");
        };
        Row {
            name: name.trim_matches('`').to_owned(),
            of: of.to_owned(),
            what: what.to_owned(),
            by: by.to_owned(),
            seconds: seconds.to_owned(),
        }
    }

    fn render(&self) -> String {
        let Row {
            name,
            of,
            what,
            by,
            seconds,
        } = self;
        let by = by.trim_end();
        format!("| {of} | `{name}` | {what} | {by} | {seconds} |\n")
    }

    /// The same but for the time and the reason.
    fn agrees_with(&self, other: &Row) -> bool {
        let same = (&self.of, &self.name, &self.what) == (&other.of, &other.name, &other.what);
        same && self.found_by() == other.found_by()
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mutants.md")
}

/// The document: what stands before the table, its rows, and what stands behind it.
fn document() -> (String, Vec<Row>, String) {
    let document = fs::read_to_string(path()).expect("docs/mutants.md can be read");
    let (before, table) = document
        .split_once(HEAD)
        .expect("docs/mutants.md has a table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.map(Row::parse).collect();
    let after = table.split_inclusive('\n').skip(rows.len()).collect();
    (before.to_owned(), rows, after)
}

/// The rows that are kept.
pub fn read() -> Vec<Row> {
    document().1
}

/// Keeps what was seen, with the reasons that were known.
pub fn write(seen: &[Row], kept: &[Row]) {
    let rows = seen.iter().map(|row| {
        let known = kept.iter().find(|known| known.agrees_with(row));
        let reason = known.filter(|known| known.found_by().is_none());
        reason.unwrap_or(row).render()
    });
    let (before, _, after) = document();
    let text = format!("{before}{HEAD}{}{after}", rows.collect::<String>());
    fs::write(path(), text).expect("docs/mutants.md can be written");
}

/// What was seen must be what is kept.
pub fn compare(seen: &[Row], kept: &[Row]) {
    for row in seen {
        let known = kept.iter().any(|known| known.agrees_with(row));
        assert!(known, "docs/mutants.md does not say: {}", row.render());
    }
    assert_eq!(
        kept.len(),
        seen.len(),
        "docs/mutants.md has mutants that do not exist"
    );
    for row in kept.iter().filter(|row| row.found_by().is_none()) {
        let reason = row.by.len() > NOBODY.len();
        assert!(reason, "{}: nobody finds it, without a reason", row.name);
    }
}
