//! The tutorial is what a reader gets: its files are written and its commands run in the order of the document, and what they print is
//! compared with what it shows.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const DOCUMENT: &str = "docs/tutorial.md";
/// Stands for lines that the document leaves out.
const LEFT_OUT: &str = "…";

/// What a reader does, in order.
enum Deed {
    /// `<!-- file: NAME -->` or `<!-- more of: NAME -->` before a block: an editor, with a new file or at the end of one.
    Write {
        name: String,
        anew: bool,
        text: String,
    },
    /// A line of a console block that begins with `$`, and the lines below it.
    Run { command: String, shown: Vec<String> },
}

/// Reads the document. A block that is neither a file nor a console is one that nobody tests.
fn deeds(document: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut lines = document.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            match language {
                "toml" => deeds.push(file(before, &block)),
                "console" => deeds.extend(runs(&block)),
                _ => panic!("{DOCUMENT}: nobody tests a block of `{language}`"),
            }
        }
        before = line;
    }
    deeds
}

fn file(marker: &str, block: &[&str]) -> Deed {
    let inner = marker
        .strip_prefix("<!-- ")
        .and_then(|rest| rest.strip_suffix(" -->"));
    let (verb, name) = inner
        .and_then(|inner| inner.split_once(": "))
        .unwrap_or_else(|| panic!("{DOCUMENT}: a file has its name above it, not `{marker}`"));
    let anew = match verb {
        "file" => true,
        "more of" => false,
        _ => panic!("{DOCUMENT}: `{verb}` {name}"),
    };
    let text = block.iter().map(|line| format!("{line}\n")).collect();
    Deed::Write {
        name: name.to_owned(),
        anew,
        text,
    }
}

fn runs(block: &[&str]) -> Vec<Deed> {
    let mut runs = Vec::new();
    for line in block {
        if let Some(command) = line.strip_prefix("$ ") {
            runs.push(Deed::Run {
                command: command.to_owned(),
                shown: Vec::new(),
            });
        } else if let Some(Deed::Run { shown, .. }) = runs.last_mut() {
            shown.push((*line).to_owned());
        } else {
            panic!("{DOCUMENT}: a console begins with a command, not `{line}`");
        }
    }
    runs
}

/// A clone of the repository as far as a reader needs it, with a directory of the reader's own; returns the latter.
fn room() -> PathBuf {
    let root = std::env::temp_dir().join(format!("nestcheck-tutorial-{}", std::process::id()));
    if root.exists() {
        fs::remove_dir_all(&root).expect("a room of an earlier process can be removed");
    }
    let (hardware, mine) = (root.join("specs/hardware"), root.join("mine"));
    for directory in [&hardware, &mine] {
        fs::create_dir_all(directory).expect("rooms can be made");
    }
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/hardware/smmuv3.toml");
    fs::copy(from, hardware.join("smmuv3.toml")).expect("it can be copied");
    mine
}

/// What a command prints: the report, or why there is none; with `; echo $?` the exit code below it. Times go to stderr and are not shown.
fn printed(command: &str, mine: &Path) -> Vec<String> {
    let (command, echo) = match command.strip_suffix("; echo $?") {
        Some(command) => (command, true),
        None => (command, false),
    };
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("nestcheck"), "`{command}` is not ours");
    let output = Command::new(env!("CARGO_BIN_EXE_nestcheck"))
        .args(words)
        .current_dir(mine)
        .output()
        .expect("the tool runs");
    let code = output.status.code().expect("it was not killed");
    assert!(
        echo || code == 0,
        "`{command}` ends with {code}, and {DOCUMENT} does not show it"
    );
    let text = match code {
        2 => output.stderr,
        _ => output.stdout,
    };
    let text = String::from_utf8(text).expect("everything printed is UTF-8");
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    if echo {
        lines.push(code.to_string());
    }
    lines
}

/// Whether `printed` is `shown`, where `…` stands for one line or more.
fn agree(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == LEFT_OUT => {
            (1..=printed.len()).any(|out| agree(rest, &printed[out..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, more)| line == first && agree(rest, more)),
    }
}

#[test]
fn every_command_prints_what_the_tutorial_shows() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT));
    let mine = room();
    let (mut files, mut commands, mut wrong) = (0, 0, Vec::new());
    for deed in deeds(&document.expect("the document is there")) {
        match deed {
            Deed::Write { name, anew, text } => {
                files += 1;
                let mut options = fs::OpenOptions::new();
                // What is continued must have been begun.
                options
                    .write(true)
                    .create(anew)
                    .truncate(anew)
                    .append(!anew);
                let mut file = options
                    .open(mine.join(&name))
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                file.write_all(text.as_bytes()).expect("it can be written");
            }
            Deed::Run { command, shown } => {
                commands += 1;
                let printed = printed(&command, &mine);
                if !agree(&shown, &printed) {
                    wrong.push(format!("$ {command}\n{}", printed.join("\n")));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{DOCUMENT} shows something else than\n{}",
        wrong.join("\n\n")
    );
    assert!(
        files >= 6 && commands >= 6,
        "{files} files and {commands} commands: the document is not read as it is written"
    );
    fs::remove_dir_all(mine.parent().expect("the room")).expect("rooms can be removed");
}

/// The comparison itself can fail.
#[test]
fn what_is_left_out_is_all_that_may_differ() {
    let lines = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let printed = lines("a b c d");
    for shown in ["a b c d", "a … d", "… d", "a … c d", "…"] {
        assert!(agree(&lines(shown), &printed), "{shown}");
    }
    for shown in [
        "a b c",
        "a … c",
        "… b",
        "b … d",
        "a b … c d",
        "a b c d …",
        "a … x … d",
    ] {
        assert!(!agree(&lines(shown), &printed), "{shown}");
    }
}
