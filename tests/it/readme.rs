//! The README's output is what the tool prints.

use std::path::Path;
use std::process::Command;

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README's block of output: what stands between ```text and ```.
fn shown() -> String {
    let readme = read("README.md");
    let (_, rest) = readme
        .split_once("```text\n")
        .expect("the README shows output");
    rest.split_once("```").expect("the block ends").0.to_owned()
}

/// Cells without the blanks between them: columns are as wide as what stands in all blocks of a report.
fn cells(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn the_shown_block_is_the_beginning_of_the_kept_report() {
    let (shown, kept) = (shown(), read("docs/verdicts.txt"));
    let shown = shown.trim_end_matches("…\n");
    assert!(
        kept.starts_with(shown),
        "README.md and docs/verdicts.txt differ:\n{shown}"
    );
}

/// The first block of `compare specs`, made anew. The rest of docs/verdicts.txt is made anew by .ci/run, which runs the whole command.
#[test]
fn the_shown_block_is_what_the_tool_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_nestcheck"))
        .args([
            "compare",
            "specs",
            "--threat",
            "honest",
            "--devices",
            "driven",
            "--engine",
            "levels",
        ])
        .current_dir(root(""))
        .output()
        .expect("the tool runs");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout).expect("reports are UTF-8");
    let printed: Vec<_> = printed
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    let shown = shown();
    assert_eq!(
        cells(shown.trim_end_matches("…\n")),
        cells(&printed.join("\n"))
    );
}

#[test]
fn the_readme_is_short() {
    assert!(
        read("README.md").lines().count() <= 42,
        "a README that nobody reads to the end"
    );
}
