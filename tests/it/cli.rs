//! The command: exit codes, streams, formats, limits.
//!
//! All runs are of one spec, which tests/good-specs shares with the reader's tests, in bounds that take a fraction of a second.

use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::CommandCargoExt;

const SPEC: &str = "tests/good-specs/batched.toml";
/// One thread: some ten thousand states.
const SMALL: &str = "quick,guest_threads=1";
/// One thread that only maps and unmaps: no CD is ever bound, so that little is put to the test.
const TINY: &str = "quick,guest_threads=1,operations=map+unmap";

fn nestcheck(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("nestcheck").expect("cargo builds it for tests");
    command.args(args);
    command
}

fn run(args: &[&str]) -> Output {
    nestcheck(args).output().expect("it can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("everything printed is UTF-8")
}

/// Runs it, and returns the exit code and stdout.
fn outcome(args: &[&str]) -> (i32, String) {
    let output = run(args);
    let code = output.status.code().expect("it was not killed");
    assert!(code != 70, "internal error: {}", text(&output.stderr));
    (code, text(&output.stdout).to_owned())
}

/// Runs it on a command line or spec that is wrong, and returns what it says.
fn refused(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    text(&output.stderr).to_owned()
}

#[test]
fn a_difference_from_the_claims_ends_with_1() {
    let (code, table) = outcome(&["check", "--scope", SMALL, SPEC]);
    assert_eq!(code, 1);
    assert!(
        table.contains("VIOLATED ") && table.contains(" ≠ holds"),
        "{table}"
    );
    assert!(table.contains("claimed holds, found violated"), "{table}");
    assert!(
        table.contains("violated in ") && table.contains(" steps, part sharing"),
        "{table}"
    );
    assert!(table.contains(", all visited"), "{table}");
}

#[test]
fn what_was_not_put_to_the_test_is_vacuous() {
    let (code, table) = outcome(&["check", "--scope", TINY, SPEC]);
    assert_eq!(code, 1);
    assert!(table.contains("vacuous ≠ holds"), "{table}");
    assert!(
        table.contains("cd(slot).word0 := valid(asid)"),
        "a step never executed: {table}"
    );
}

#[test]
fn a_pair_without_claims_is_run_without_expectations() {
    let wild = ["check", "--scope", TINY, "--devices", "wild", SPEC];
    let (code, table) = outcome(&wild);
    assert_eq!(code, 0);
    assert!(table.contains("honest guest, wild devices"), "{table}");
    // The quick scope's only part is not for hostile guests.
    let hostile = refused(&["check", "--scope", TINY, "--threat", "hostile", SPEC]);
    let said = "has no part in scope `quick` that is run under hostile";
    assert!(hostile.contains(said), "{hostile}");
}

#[test]
fn a_limit_ends_with_3_and_says_so() {
    let (code, table) = outcome(&["check", "--scope", SMALL, "--max-states", "1000", SPEC]);
    assert_eq!(code, 3);
    assert!(table.contains("unknown ≠ holds"), "{table}");
    assert!(
        table.contains("part sharing: --max-states 1000 was reached after 1000 states"),
        "{table}"
    );
    let (code, table) = outcome(&["check", "--scope", SMALL, "--timeout", "0s", SPEC]);
    assert_eq!(code, 3);
    assert!(table.contains("--timeout 0s was reached"), "{table}");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for format in ["table", "json", "markdown"] {
        let args = ["compare", "--scope", SMALL, "--format", format, SPEC];
        let first = outcome(&args);
        assert_eq!(first, outcome(&args));
        let levels = outcome(&[
            "compare", "--engine", "levels", "--scope", SMALL, "--format", format, SPEC,
        ]);
        assert_eq!(first, levels);
    }
}

#[test]
fn stateright_alone_gives_the_same_verdicts_without_traces() {
    let args = ["check", "--engine", "stateright", "--scope", SMALL, SPEC];
    let (code, table) = outcome(&args);
    assert_eq!(code, 1);
    assert!(table.contains("VIOLATED ≠ holds"), "{table}");
    assert!(!table.contains("Shortest traces"), "{table}");
}

#[test]
fn json_has_the_documented_fields() {
    let (_, json) = outcome(&["compare", "--scope", SMALL, "--format", "json", SPEC]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["schema"], 1);
    let run = &report["runs"][0];
    let fields: Vec<_> = run
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let documented = [
        "bug",
        "costs",
        "depth",
        "devices",
        "exhaustive",
        "hardware",
        "keeps",
        "properties",
        "scope",
        "spec",
        "states",
        "threat",
        "transitions",
        "uncovered",
        "without",
    ];
    assert_eq!(fields, documented);
    assert_eq!(run["exhaustive"], true);
    assert_eq!(run["scope"]["guest_threads"], 1);
    let property = &run["properties"][0];
    let steps = &property["trace_len"];
    assert!(steps.as_u64().is_some_and(|steps| steps > 0));
    let said = serde_json::json!({"id": "P-S1", "verdict": "violated", "expected": "holds", "trace_len": steps});
    assert_eq!(property, &said);
}

#[test]
fn a_directory_stands_for_the_specs_in_it() {
    // The second inherits its claims.
    let specs = [SPEC, "tests/good-specs/changed.toml"];
    let files = outcome(&["compare", "--scope", TINY, specs[0], specs[1]]);
    let directory = outcome(&["compare", "--scope", TINY, "tests/good-specs"]);
    assert_eq!(files, directory);
    let none = refused(&["compare", "specs/hardware"]);
    assert!(none.contains("no spec with claims"), "{none}");
}

#[test]
fn usage_errors_end_with_2() {
    let unknown = refused(&["check", "--scope", "page=2", SPEC]);
    assert!(unknown.contains("did you mean `pages`?"), "{unknown}");
    let scope = refused(&["check", "--scope", "depe", SPEC]);
    assert!(scope.contains("did you mean `deep`?"), "{scope}");
    let large = refused(&["check", "--scope", "quick,guest_threads=5", SPEC]);
    assert!(
        large.contains("guest_threads is 5, expected 0 to 4"),
        "{large}"
    );
    let together = refused(&["check", "--scope", "quick,devices=2,ssids=4", SPEC]);
    assert!(together.contains("too many slots"), "{together}");
    let operation = refused(&["check", "--scope", "quick,operations=destroy", SPEC]);
    assert!(
        operation.contains("the spec has no operation `destroy`"),
        "{operation}"
    );
    assert!(refused(&["check"]).contains("Usage"));
    assert!(refused(&["check", "--threat", "rude", SPEC]).contains("honest"));
}

#[test]
fn all_wrong_specs_are_shown() {
    let said = refused(&[
        "check",
        "no/such.toml",
        "tests/bad-specs/commands.toml",
        SPEC,
    ]);
    assert!(said.contains("no/such.toml"), "{said}");
    assert!(said.contains("tests/bad-specs/commands.toml:"), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = nestcheck(&["check", "--format", "json", "--scope", SMALL, SPEC])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        !text(&output.stderr).contains("internal"),
        "{}",
        text(&output.stderr)
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_reports_what_was_reached_and_ends_with_3() {
    // Too large to end by itself before the signal.
    let child = nestcheck(&["check", "--scope", "deep", SPEC])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    std::thread::sleep(std::time::Duration::from_millis(700));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("there is a kill command").success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("interrupted after"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_file_that_is_named_twice_is_one_row() {
    let twice = [
        "check",
        "--scope",
        TINY,
        SPEC,
        "tests/good-specs/../good-specs/batched.toml",
    ];
    let (once, twice) = (outcome(&["check", "--scope", TINY, SPEC]), outcome(&twice));
    assert_eq!(once, twice);
}

#[test]
fn too_few_is_not_too_many() {
    let said = refused(&["check", "--scope", "quick,pages=0", SPEC]);
    let reason = "pages is 0, expected 1 to 2; nothing can be checked with fewer";
    assert!(said.contains(reason), "{said}");
}

#[test]
fn a_difference_from_an_inherited_claim_says_where_that_stands() {
    let (_, table) = outcome(&["check", "--scope", TINY, "tests/good-specs/changed.toml"]);
    let place = "the claim is inherited from tests/good-specs/batched.toml:";
    assert!(table.contains(place), "{table}");
}

/// With stdout closed, or open for reading only, nobody sees what is printed; somebody must hear of that.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_goes_nowhere_is_noticed() {
    let shell = |redirect: &str| {
        let tool = assert_cmd::cargo::cargo_bin("nestcheck");
        let line = format!("{} list axes {redirect}", tool.display());
        Command::new("sh")
            .args(["-c", &line])
            .output()
            .expect("there is a shell")
    };
    let closed = shell(">&-");
    assert!(
        text(&closed.stderr).contains("stdout is closed"),
        "{closed:?}"
    );
    let read_only = shell("1</dev/zero");
    assert_eq!(read_only.status.code(), Some(2), "{read_only:?}");
    assert!(
        text(&read_only.stderr).contains("cannot write the report"),
        "{read_only:?}"
    );
    let full = shell(">/dev/full");
    assert_eq!(full.status.code(), Some(2), "{full:?}");
    let unwanted = shell(">/dev/null");
    assert!(
        unwanted.status.success() && unwanted.stderr.is_empty(),
        "{unwanted:?}"
    );
}

#[test]
fn list_and_help_have_what_they_promise() {
    for topic in ["properties", "steps", "axes", "scopes"] {
        let (code, listed) = outcome(&["list", topic]);
        assert!(code == 0 && listed.lines().count() > 5, "{topic}: {listed}");
    }
    let (code, help) = outcome(&["--help"]);
    assert!(
        code == 0 && help.contains("Examples:") && help.contains("Exit codes:"),
        "{help}"
    );
}

#[test]
fn explain_tells_a_story_or_says_that_there_is_none() {
    let spec = "specs/corpus/b01-atc-before-tlbi.toml";
    let (code, story) = outcome(&["explain", "--scope", "quick", spec, "P-S1"]);
    assert_eq!(code, 0);
    assert!(story.contains("\nBecause   the ATC entry"), "{story}");
    let (_, unfolded) = outcome(&["explain", "--unfold", "--scope", "quick", spec, "P-S1"]);
    assert!(
        unfolded.lines().count() > story.lines().count(),
        "{unfolded}"
    );
    let none = refused(&["explain", "--scope", "quick", spec, "P-CONF"]);
    assert!(
        none.contains("no violation of P-CONF to explain") && none.contains("all visited"),
        "{none}"
    );
    let unjudged = refused(&[
        "explain", "--scope", "quick", "--threat", "hostile", spec, "P-S1",
    ]);
    assert!(unjudged.contains("judges P-S1"), "{unjudged}");
    assert!(refused(&["explain", spec, "P-S9"]).contains("P-S1"));
}

/// A run of nothing must not look like a success.
#[test]
fn nothing_to_run_is_an_error() {
    let bug = "specs/corpus/b28-converted-reported.toml";
    let said = refused(&["check", bug, "--scope", "quick", "--threat", "hostile"]);
    assert!(said.contains("there is nothing to run"), "{said}");
    let said = refused(&["check", bug, "--scope", "tiny"]);
    assert!(said.contains("names the part `reports`"), "{said}");
    let violated = ["--threat", "scribbling", "--devices", "driven"];
    let scope = "tiny,operations=map";
    let spec = "specs/native-batched.toml";
    let said = refused(&[&["necessity", spec, "--scope", scope], &violated[..]].concat());
    assert!(said.contains("nothing holds in scope"), "{said}");
    let said = refused(&[
        "scopes",
        "specs/native-batched.toml",
        "--threat",
        "hostile",
        "--scope",
        "tiny",
    ]);
    assert!(said.contains("has no part in scope"), "{said}");
}
