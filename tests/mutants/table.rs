//! docs/mutants.md: who finds which mutant. Its prose is written by people; the tables under four of its headings are read and written
//! here.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::suites::{Crate, Found, Suite};

/// How many each suite finds.
const COUNTS: &str = "## How many each suite finds\n";
/// The tables of mutants.
const TABLES: [Table; 3] = [Table::KnownBugs, Table::Engine, Table::Model];
/// What stands in place of suites where none finds the mutant.
const NOBODY: &str = "nobody";

/// One of the tables of mutants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    KnownBugs,
    Engine,
    Model,
}

impl Table {
    /// Where a mutant stands: mistakes that QEMU has made have names that begin with their numbers, B58, say.
    fn of(of: Crate, name: &str) -> Self {
        let number = name.strip_prefix('B');
        match of {
            Crate::Model => Table::Model,
            Crate::Engine
                if number.is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                Table::KnownBugs
            }
            Crate::Engine => Table::Engine,
        }
    }

    const fn reading(self) -> Crate {
        match self {
            Table::KnownBugs | Table::Engine => Crate::Engine,
            Table::Model => Crate::Model,
        }
    }

    const fn heading(self) -> &'static str {
        match self {
            Table::KnownBugs => "## QEMU's mistakes, in the engine\n",
            Table::Engine => "## Other mistakes in the engine\n",
            Table::Model => "## Mistakes in the model's hardware\n",
        }
    }
}

/// One mutant's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    table: Table,
    /// The mutant.
    pub name: String,
    what: String,
    /// The suites that notice it; none is nobody.
    by: Vec<String>,
    /// What notices it first; or why nobody does.
    case: String,
    seconds: String,
}

impl Row {
    /// What was seen.
    pub fn new(of: Crate, name: &str, what: &str, found: Option<&Found>) -> Self {
        let seconds = |found: &Found| format!("{:.1}", found.time.as_secs_f64());
        Row {
            table: Table::of(of, name),
            name: name.to_owned(),
            what: what.trim().to_owned(),
            by: found.map_or_else(Vec::new, |found| {
                found.by.iter().map(|&name| name.to_owned()).collect()
            }),
            case: found.map_or_else(String::new, |found| found.case.clone()),
            seconds: found.map_or_else(String::new, seconds),
        }
    }

    /// What was seen now, or else what is kept. Why nobody finds it is known to the kept one only.
    pub fn newer(seen: Option<&Row>, kept: Option<&Row>) -> Option<Row> {
        match (seen, kept) {
            (Some(seen), Some(kept)) if seen.by.is_empty() && kept.by.is_empty() => Some(Row {
                what: seen.what.clone(),
                ..kept.clone()
            }),
            (seen, kept) => seen.or(kept).cloned(),
        }
    }

    /// The suite and its case that notice it first.
    pub fn found_by(&self) -> Option<(&str, &str)> {
        let suite = self.by.first()?;
        Some((suite, &self.case))
    }

    /// Which reading makes the mistake.
    pub const fn of(&self) -> Crate {
        self.table.reading()
    }

    /// Whether it is this mutant's.
    pub fn is_of(&self, of: Crate, name: &str) -> bool {
        self.table == Table::of(of, name) && self.name == name
    }

    /// Whether it is a mistake that an emulator has made.
    pub fn is_known_bug(&self) -> bool {
        self.table == Table::KnownBugs
    }

    /// The same mutant: what is said of it may differ.
    pub fn is_as(&self, other: &Row) -> bool {
        (self.table, &self.name) == (other.table, &other.name)
    }

    fn parse(table: Table, line: &str) -> Self {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, what, by, case, seconds] = cells[..] else {
            panic!("a mutant in docs/mutants.md has five cells: {line}");
        };
        let by = by.split(", ").filter(|suite| *suite != NOBODY);
        Row {
            table,
            name: name.trim_matches('`').to_owned(),
            what: what.to_owned(),
            by: by.map(str::to_owned).collect(),
            case: case.trim_matches('`').to_owned(),
            seconds: seconds.to_owned(),
        }
    }

    fn render(&self) -> String {
        let Row {
            name,
            what,
            by,
            case,
            seconds,
            ..
        } = self;
        if by.is_empty() {
            return format!("| `{name}` | {what} | {NOBODY} | {case} | |\n");
        }
        let by = by.join(", ");
        format!("| `{name}` | {what} | {by} | `{case}` | {seconds} |\n")
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mutants.md")
}

fn document() -> String {
    fs::read_to_string(path()).expect("docs/mutants.md can be read")
}

/// Where the rows under a heading stand, behind the head of the table.
fn rows_under(document: &str, heading: &str) -> Range<usize> {
    let found = document.find(heading).and_then(|at| {
        let rule = at + document[at..].find("\n|---")?;
        Some(rule + 1 + document[rule + 1..].find('\n')? + 1)
    });
    let begin = found.unwrap_or_else(|| panic!("docs/mutants.md has no table under {heading}"));
    let rows = document[begin..].split_inclusive('\n');
    let length = rows.take_while(|line| line.starts_with('|')).map(str::len);
    begin..begin + length.sum::<usize>()
}

/// The mutants that are kept.
pub fn read() -> Vec<Row> {
    let document = document();
    let rows = TABLES.iter().flat_map(|&table| {
        let lines = document[rows_under(&document, table.heading())].lines();
        lines.map(move |line| Row::parse(table, line))
    });
    rows.collect()
}

/// Keeps what was seen.
pub fn write(rows: &[Row], suites: &[Suite]) {
    let mut document = document();
    for table in TABLES {
        let of_table = rows.iter().filter(|row| row.table == table);
        let lines: String = of_table.map(Row::render).collect();
        let place = rows_under(&document, table.heading());
        document.replace_range(place, &lines);
    }
    let place = rows_under(&document, COUNTS);
    document.replace_range(place, &counts(rows, suites));
    fs::write(path(), document).expect("docs/mutants.md can be written");
}

/// How many of each table's mutants a suite finds, and how many none does.
fn counts(rows: &[Row], suites: &[Suite]) -> String {
    let line = |name: &str, asked: &dyn Fn(Table) -> bool, found: &dyn Fn(&Row) -> bool| {
        let cells = TABLES.iter().map(|&table| {
            let of_table = rows.iter().filter(|row| row.table == table);
            match asked(table) {
                true => of_table.filter(|row| found(row)).count().to_string(),
                false => "·".to_owned(),
            }
        });
        let cells: Vec<_> = cells.collect();
        format!("| {name} | {} |\n", cells.join(" | "))
    };
    let mut lines = line("mutants", &|_| true, &|_| true);
    let mut names: Vec<_> = suites.iter().map(|suite| suite.name).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    for name in names {
        let asked = |table: Table| {
            let mut of_table = suites.iter().filter(|suite| suite.of == table.reading());
            of_table.any(|suite| suite.name == name)
        };
        let found = |row: &Row| row.by.iter().any(|by| by == name);
        lines += &line(name, &asked, &found);
    }
    lines + &line(NOBODY, &|_| true, &|row| row.by.is_empty())
}

/// The table must be of these mutants, its counts those of its rows, and who is found by nobody has a reason.
pub fn check(mutants: &[Row], kept: &[Row], suites: &[Suite]) {
    for row in mutants {
        let known = kept.iter().find(|kept| kept.is_as(row));
        let known = known.unwrap_or_else(|| panic!("docs/mutants.md has no {}", row.name));
        assert_eq!(known.what, row.what, "docs/mutants.md, {}", row.name);
    }
    for row in kept {
        let exists = mutants.iter().any(|mutant| mutant.is_as(row));
        assert!(exists, "docs/mutants.md has a {}, which is none", row.name);
        let reason = row.by.is_empty() && row.case.is_empty();
        assert!(!reason, "nobody finds {}, without a reason", row.name);
    }
    let document = document();
    let place = rows_under(&document, COUNTS);
    assert_eq!(document[place], counts(kept, suites), "docs/mutants.md");
}
