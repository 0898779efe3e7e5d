//! docs/spec-format.md says what the reader reads: its tables are generated, its examples are read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nestcheck::reference::{self, EXAMPLES};
use nestcheck::spec;

const DOCUMENT: &str = "docs/spec-format.md";

fn document() -> String {
    fs::read_to_string(DOCUMENT).expect("the document is there")
}

/// Replaces a block of the document, or says that it has none.
fn replaced(document: &str, name: &str, block: &str) -> String {
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| {
        panic!(
            "{DOCUMENT} has no `{}` for these words:\n{block}",
            begin.trim()
        )
    });
    let (_, after) = rest.split_once(end).expect("a block has an end");
    format!("{before}{begin}{block}{end}{after}")
}

#[test]
fn the_tables_are_what_the_reader_knows() {
    let mut new = document();
    for (name, block) in reference::blocks() {
        new = replaced(&new, &name, &block);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(DOCUMENT, &new).expect("the document can be written");
    }
    assert!(
        new == document(),
        "the tables of {DOCUMENT} are out of date; UPDATE_EXPECT=1 writes them anew"
    );
}

/// A directory in which a spec finds the frame as `common/guest.toml`, and hardware.
fn room(name: &str) -> PathBuf {
    let room = std::env::temp_dir().join(format!("nestcheck-{name}-{}", std::process::id()));
    for (from, to) in [
        ("tests/spec-format/frame.toml", "common/guest.toml"),
        ("specs/hardware/smmuv3.toml", "hardware/smmuv3.toml"),
    ] {
        let to = room.join(to);
        fs::create_dir_all(to.parent().expect("it is in the room")).expect("rooms can be made");
        fs::copy(from, to).expect("it can be copied");
    }
    room
}

/// Reads a text as a spec based on the frame, unless it names a base itself.
fn read(room: &Path, text: &str) -> Result<(), String> {
    let path = room.join("example.toml");
    let based = text.lines().any(|line| line.starts_with("base "));
    let base = if based {
        ""
    } else {
        "base = \"common/guest.toml\"\n"
    };
    fs::write(&path, format!("{base}{text}")).expect("rooms can be written to");
    spec::read(&path)
        .map(drop)
        .map_err(|errors| errors.to_string())
}

/// The words of a form that stand for themselves.
fn fixed(form: &str) -> BTreeSet<&str> {
    const STANDS_FOR_ANOTHER: [&str; 10] = [
        "TABLE",
        "key",
        "value",
        "x",
        "name",
        "PROGRAM",
        "arguments",
        "COMMAND",
        "or",
        "slot",
    ];
    form.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty() && !STANDS_FOR_ANOTHER.contains(word))
        .collect()
}

#[test]
fn every_step_command_and_operation_has_an_example_that_is_read() {
    let room = room("examples");
    let mut forms = BTreeSet::new();
    for chapter in spec::vocabulary() {
        if !["steps", "commands", "operations"].contains(&chapter.title) {
            continue;
        }
        for entry in &chapter.entries {
            let example = EXAMPLES.iter().find(|example| example.form == entry.form);
            let Some(example) = example else {
                panic!(
                    "`{}` has no example in src/reference/examples.rs",
                    entry.form
                );
            };
            forms.insert(example.form);
            let (section, name) = example.program.split_once('.').expect("section and name");
            if chapter.title == "steps" {
                for word in fixed(&entry.form) {
                    let written = fixed(example.steps).contains(word);
                    assert!(
                        written,
                        "the example of `{}` does not show `{word}`",
                        entry.form
                    );
                }
            } else if chapter.title == "operations" {
                assert!(entry.form.starts_with(&format!("{name}(")), "{example:?}");
            } else {
                let opcode = entry.form.split('(').next().expect("split gives one");
                assert!(example.steps.contains(opcode), "{example:?}");
            }
            // Only the steps are the example's: parameters are the frame's.
            let text = format!(
                "[{section}.{name}]\nsteps = \"\"\"\n{}\n\"\"\"\n",
                example.steps
            );
            read(&room, &text).unwrap_or_else(|errors| panic!("{example:?}\n{errors}"));
        }
    }
    for example in EXAMPLES {
        assert!(
            forms.contains(example.form),
            "there is no form `{}`",
            example.form
        );
    }
}

/// The document's blocks of TOML.
fn fenced(document: &str) -> Vec<&str> {
    let blocks = document.split("```toml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or(block))
        .collect()
}

#[test]
fn every_example_of_the_document_is_read() {
    let room = room("document");
    let document = document();
    let blocks = fenced(&document);
    assert!(blocks.len() >= 8, "{} examples", blocks.len());
    for block in blocks {
        if block.contains("queue_order") {
            fs::write(room.join("hardware/example.toml"), block).expect("it can be written");
            read(&room, "hardware = \"example\"")
                .unwrap_or_else(|errors| panic!("{block}\n{errors}"));
        } else {
            read(&room, block).unwrap_or_else(|errors| panic!("{block}\n{errors}"));
        }
    }
}

#[test]
fn every_key_is_in_an_example() {
    let document = document();
    let text = fenced(&document).join("\n");
    for (heading, shape) in spec::shapes() {
        for key in shape.keys {
            let name = key.name;
            let assigned = text.match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let starts = before.is_none_or(|c| matches!(c, '\n' | ' ' | '{'));
                starts
                    && text[at + name.len()..]
                        .trim_start_matches(' ')
                        .starts_with('=')
            });
            let headed = text.contains(&format!("[{name}]")) || text.contains(&format!("[{name}."));
            assert!(
                assigned || headed,
                "no example of {DOCUMENT} has the key `{name}` of {heading}"
            );
        }
    }
}

#[test]
fn every_value_of_an_axis_is_read_as_it_is_listed() {
    let room = room("axes");
    let chapters = spec::vocabulary();
    let axes = chapters.iter().find(|chapter| chapter.title == "axes");
    let values = axes.into_iter().flat_map(|chapter| &chapter.entries);
    for (key, value) in values.filter_map(|entry| entry.form.split_once(" = ")) {
        let value = value.rsplit(' ').next().expect("a split gives one");
        let value = match value.parse::<u8>().is_ok() || value == "true" || value == "false" {
            true => value.to_owned(),
            false => format!("\"{value}\""),
        };
        let line = match key {
            "cd_table.memory" => format!("cd_table = {{ memory = {value}, writer = \"guest\" }}"),
            "cd_table.writer" => format!("cd_table = {{ memory = \"guest\", writer = {value} }}"),
            "accepts" | "errors" => format!("{key} = [{value}]"),
            _ => format!("{key} = {value}"),
        };
        read(&room, &format!("[axes]\n{line}\n"))
            .unwrap_or_else(|errors| panic!("{line}\n{errors}"));
    }
}

/// Threats, devices, hardware and scopes are words within tables: the document's examples have each in its place.
#[test]
fn every_other_word_is_in_the_document() {
    let document = document();
    for chapter in spec::vocabulary() {
        for entry in &chapter.entries {
            let shown = document.contains(&format!("`{}`", entry.form.replace('|', "\\|")));
            assert!(
                shown,
                "{DOCUMENT} does not have `{}` of {}",
                entry.form, chapter.title
            );
        }
    }
}
