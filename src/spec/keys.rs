//! The keys of spec files: in which table each stands, whether it must, and what it holds.
//!
//! The one list that the reader, the JSON Schema and the tables of docs/spec-format.md are made from. The reader cannot ask for a key
//! that is not here, so that none can be read and left undocumented.

use model::program::{OpKind, Section};
use vocab::{Devices, PropertyId, Threat, Verdict};

use super::axes::{AxisWords, axes as axis_words};
use super::bug::GRADES;
use super::hardware::{HARDWARE_KEYS, ORDERS};
use super::kinds::KINDS;
use super::scopes::SCOPES;
use super::tables::{OWNERS, STARTS};
use crate::scope::DIMENSIONS;

/// A table with known keys.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What it is, for messages: `a part of a scope`.
    pub what: &'static str,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Whether a file may say a part of it and leave the rest to its base: not if it is written in braces, or in a list.
    pub inherits: bool,
}

/// A key.
#[derive(Clone, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// Whether it must be there once bases are merged.
    pub needed: bool,
    /// What it holds.
    pub holds: Holds,
    /// What it says, in one line.
    pub meaning: String,
}

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Holds {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// Two strings.
    Pair,
    /// True or false.
    Flag,
    /// A number of a range.
    Number(u8, u8),
    /// One of a few words.
    Word(Vec<&'static str>),
    /// A list of some of a few words, each at most once.
    Words(Vec<&'static str>),
    /// The steps of a program.
    Steps,
    /// A table.
    Table(Shape),
    /// A list of tables.
    Tables(Shape),
    /// A table whose keys are names: these, or any.
    Named(Option<Vec<&'static str>>, Box<Holds>),
    /// The one or the other.
    Either(Box<Holds>, Box<Holds>),
}

fn key(name: &'static str, holds: Holds, meaning: impl Into<String>) -> Key {
    Key {
        name,
        needed: false,
        holds,
        meaning: meaning.into(),
    }
}

fn needed(name: &'static str, holds: Holds, meaning: impl Into<String>) -> Key {
    Key {
        needed: true,
        ..key(name, holds, meaning)
    }
}

fn named(names: Vec<&'static str>, holds: Holds) -> Holds {
    Holds::Named(Some(names), Box::new(holds))
}

fn any_name(holds: Holds) -> Holds {
    Holds::Named(None, Box::new(holds))
}

fn words<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}

/// A spec file.
pub fn spec() -> Shape {
    let claims = Holds::Either(Box::new(verdict()), Box::new(Holds::Table(claim())));
    let properties = PropertyId::ALL.map(PropertyId::name).to_vec();
    let devices = Devices::ALL.map(Devices::name).to_vec();
    let threats = Threat::ALL.map(Threat::name).to_vec();
    let mut keys = vec![
        needed("title", Holds::Text, "what the variant is, in one line"),
        needed("hardware", Holds::Text, "the name of a file in `hardware/`"),
        key("sources", Holds::Texts, "where the variant is described"),
        key(
            "base",
            Holds::Text,
            "another spec, relative to this file, that says whatever this file does not",
        ),
        key(
            "bug",
            Holds::Table(bug()),
            "the known bug that the file tells of, and its base does not have",
        ),
        key(
            "change",
            Holds::Tables(change()),
            "small differences to the base's programs, applied in order",
        ),
        needed(
            "axes",
            Holds::Table(axes()),
            "in what variants differ that is not a program",
        ),
        key(
            "tables",
            any_name(Holds::Table(table())),
            "data structures of software: from a key to a set of values",
        ),
    ];
    keys.extend(Section::ALL.map(|section| {
        let program = Holds::Either(Box::new(Holds::Steps), Box::new(Holds::Table(program())));
        key(section.name(), any_name(program), programs_of(section))
    }));
    keys.push(needed(
        "expect",
        named(threats, named(devices, named(properties, claims))),
        "the verdicts that the author claims, by threat, devices and property",
    ));
    keys.push(needed(
        "scope",
        named(words(&SCOPES), any_name(Holds::Table(part()))),
        "within which bounds the variant is checked, by scope and part",
    ));
    Shape {
        what: "a spec file",
        keys,
        inherits: true,
    }
}

fn programs_of(section: Section) -> String {
    let who = match section {
        Section::Guest => "a guest's",
        Section::Vmm => "the VMM's",
        Section::Kernel => "the host kernel's",
        Section::Host => "the host's own",
    };
    let operations: Vec<_> = OpKind::ALL
        .into_iter()
        .filter(|op| match section {
            Section::Guest => op.is_guests(),
            Section::Host => !op.is_guests(),
            Section::Vmm | Section::Kernel => false,
        })
        .map(OpKind::name)
        .collect();
    match operations.is_empty() {
        true => format!("{who} programs"),
        false => format!("{who} programs; operations are {}", operations.join(", ")),
    }
}

fn verdict() -> Holds {
    Holds::Word(Verdict::ALL.map(Verdict::name).to_vec())
}

/// `[[change]]`
pub fn change() -> Shape {
    Shape {
        what: "a change",
        keys: vec![
            needed(
                "program",
                Holds::Text,
                "the program that is changed: `guest.unmap`",
            ),
            key("remove", Holds::Text, "a step to take away"),
            key("replace", Holds::Text, "a step to put others in place of"),
            key("with", Holds::Text, "the steps that replace it"),
            key("before", Holds::Text, "a step to put others before"),
            key("after", Holds::Text, "a step to put others behind"),
            key("insert", Holds::Text, "the steps that are put there"),
            key("swap", Holds::Pair, "two steps to exchange"),
            key(
                "nth",
                Holds::Number(1, u8::MAX),
                "which of several equal steps is meant",
            ),
        ],
        inherits: false,
    }
}

/// `[bug]`
pub fn bug() -> Shape {
    Shape {
        what: "[bug]",
        keys: vec![
            needed("id", Holds::Text, "its name in lists of bugs"),
            needed(
                "grade",
                Holds::Word(GRADES.iter().map(|(word, ..)| *word).collect()),
                "how well it is known",
            ),
            key(
                "parts",
                Holds::Texts,
                "the parts of the scope that show it; all that ask for what it breaks if absent",
            ),
        ],
        inherits: false,
    }
}

/// `[axes]`, whose words are those of `nestcheck list axes`.
pub fn axes() -> Shape {
    const NEEDED: [&str; 3] = ["ats", "cd_table", "vmid"];
    let mut keys: Vec<Key> = Vec::new();
    for axis in axis_words() {
        let name = axis.key.split('.').next().unwrap_or(axis.key);
        if keys.iter().any(|key| key.name == name) {
            continue;
        }
        let (holds, meaning) = match name == axis.key {
            true => (axis_holds(&axis), axis.meaning.to_owned()),
            false => (Holds::Table(cd_table()), "the CD table".to_owned()),
        };
        keys.push(Key {
            needed: NEEDED.contains(&name),
            ..key(name, holds, meaning)
        });
    }
    Shape {
        what: "[axes]",
        keys,
        inherits: true,
    }
}

/// `cd_table = { ... }`
pub fn cd_table() -> Shape {
    let keys = axis_words()
        .into_iter()
        .filter_map(|axis| {
            let name = axis.key.strip_prefix("cd_table.")?;
            Some(needed(name, axis_holds(&axis), axis.meaning))
        })
        .collect();
    Shape {
        what: "cd_table",
        keys,
        inherits: false,
    }
}

/// What an axis holds, by the words for its values: a range is written `2 to 255`.
fn axis_holds(axis: &AxisWords) -> Holds {
    let values: Vec<_> = axis.values.iter().map(|(value, _)| *value).collect();
    let ends = |value: &&str| match value.split_once(" to ") {
        Some((least, most)) => Some((least.parse::<u8>().ok()?, most.parse::<u8>().ok()?)),
        None => value.parse().ok().map(|value: u8| (value, value)),
    };
    if values == ["true", "false"] {
        return Holds::Flag;
    }
    if let Some(ranges) = values.iter().map(ends).collect::<Option<Vec<_>>>() {
        let least = ranges.iter().map(|(least, _)| *least).min();
        let most = ranges.iter().map(|(_, most)| *most).max();
        return Holds::Number(least.unwrap_or(0), most.unwrap_or(u8::MAX));
    }
    match axis.several {
        true => Holds::Words(values),
        false => Holds::Word(values),
    }
}

/// A table of `[tables]`.
pub fn table() -> Shape {
    let kinds = || Holds::Word(words(&KINDS));
    Shape {
        what: "a table of [tables]",
        keys: vec![
            needed("key", kinds(), "of what kind its keys are"),
            needed("value", kinds(), "of what kind its values are"),
            needed(
                "owner",
                Holds::Word(words(&OWNERS)),
                "whose programs use it",
            ),
            key(
                "start",
                Holds::Word(words(&STARTS)),
                "what it begins with; empty if absent",
            ),
        ],
        inherits: false,
    }
}

/// A program that is written as a table.
pub fn program() -> Shape {
    Shape {
        what: "a program",
        keys: vec![
            key(
                "params",
                Holds::Texts,
                "its parameters, each named after its kind; a second one of a kind is written `old: space`",
            ),
            key(
                "asks",
                Holds::Texts,
                "the commands for which a guest who calls it asks",
            ),
            needed("steps", Holds::Steps, "what it does, one step a line"),
        ],
        inherits: true,
    }
}

/// A claim that is written as a table.
pub fn claim() -> Shape {
    Shape {
        what: "a claim",
        keys: vec![
            needed("verdict", verdict(), "what the author says a run will find"),
            key("because", Holds::Text, "why"),
        ],
        inherits: false,
    }
}

/// `[scope.NAME.PART]`
pub fn part() -> Shape {
    let counts = DIMENSIONS.map(|dimension| {
        let holds = Holds::Number(dimension.least, dimension.most as u8);
        needed(dimension.name, holds, dimension.meaning)
    });
    let mut keys = counts.to_vec();
    keys.extend([
        needed(
            "operations",
            Holds::Words(OpKind::ALL.map(OpKind::name).to_vec()),
            "the operations that threads perform",
        ),
        needed(
            "asks",
            Holds::Words(PropertyId::ALL.map(PropertyId::name).to_vec()),
            "the properties that these bounds are large enough for",
        ),
        key(
            "threats",
            Holds::Words(Threat::ALL.map(Threat::name).to_vec()),
            "the threats under which it is run; all if absent",
        ),
        key("because", Holds::Text, "why these bounds are enough"),
    ]);
    Shape {
        what: "a part of a scope",
        keys,
        inherits: true,
    }
}

/// A file of `hardware/`.
pub fn hardware() -> Shape {
    let mut keys = vec![
        needed("title", Holds::Text, "what the hardware is, in one line"),
        key("sources", Holds::Texts, "where that is said"),
    ];
    keys.extend(HARDWARE_KEYS.map(|(name, meaning)| {
        let holds = match name {
            "queue_order" => Holds::Word(words(&ORDERS)),
            _ => Holds::Flag,
        };
        needed(name, holds, meaning)
    }));
    Shape {
        what: "a hardware file",
        keys,
        inherits: false,
    }
}

/// Every table with known keys, with how its heading is written.
pub fn shapes() -> Vec<(&'static str, Shape)> {
    vec![
        ("top", spec()),
        ("[[change]]", change()),
        ("[bug]", bug()),
        ("[axes]", axes()),
        ("cd_table", cd_table()),
        ("[tables]", table()),
        ("[SECTION.PROGRAM]", program()),
        ("[expect.THREAT.DEVICES]", claim()),
        ("[scope.NAME.PART]", part()),
        ("hardware", hardware()),
    ]
}

/// The words in which keys are explained.
pub fn key_meanings() -> Vec<String> {
    shapes()
        .into_iter()
        .flat_map(|(_, shape)| shape.keys)
        .map(|key| key.meaning)
        .collect()
}
