//! What each step is for: the tables of docs/necessity are what the command prints, and a few rows are as a designer expects.

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use expect_test::expect_file;
use nestcheck::files;
use nestcheck::spec::removal::{self, Removal};
use serde_json::Value;

use crate::runs::SHIPPED;

/// The variants whose tables take seconds; the others only with SLOW_TESTS=1.
const QUICK: [&str; 2] = ["native-batched-no-ats", "native-per-command-no-ats"];

const SPEC: &str = "tests/good-specs/batched.toml";
const SMALL: &str = "quick,guest_threads=1";

/// The exit code and stdout of `nestcheck necessity`.
fn necessity(args: &[&str], threads: usize) -> (i32, String) {
    let mut command = Command::cargo_bin("nestcheck").expect("cargo builds it for tests");
    command.arg("necessity").args(args);
    command.env("RAYON_NUM_THREADS", threads.to_string());
    let output = command.output().expect("it can be started");
    let said = String::from_utf8(output.stderr).expect("everything printed is UTF-8");
    let code = output.status.code().expect("it was not killed");
    assert!(code != 70 && code != 2, "{said}");
    let table = String::from_utf8(output.stdout).expect("everything printed is UTF-8");
    (code, table)
}

fn rows(args: &[&str]) -> Vec<Value> {
    let json = [&["--format", "json"], args].concat();
    let table: Value = serde_json::from_str(&necessity(&json, 2).1).unwrap();
    assert_eq!(table["schema"], 1);
    table["steps"].as_array().unwrap().clone()
}

fn row<'a>(rows: &'a [Value], program: &str, step: &str) -> &'a Value {
    let found = rows
        .iter()
        .find(|row| row["program"] == program && row["step"] == step);
    found.unwrap_or_else(|| panic!("no `{step}` in {program}"))
}

#[test]
fn the_tables_are_what_the_command_prints() {
    let all = std::env::var_os("SLOW_TESTS").is_some();
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/necessity");
    for path in files::named(&[PathBuf::from(SHIPPED)]).unwrap() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !all && !QUICK.contains(&name) {
            println!("{name}: only with SLOW_TESTS=1");
            continue;
        }
        let path = path.to_str().unwrap();
        let (code, table) = necessity(&["--format", "markdown", path], 2);
        assert_eq!(code, 0, "{name}: a row is unknown");
        expect_file![tables.join(name).with_extension("md")].assert_eq(&table);
    }
}

#[test]
fn every_variant_has_a_table_and_every_table_a_variant() {
    let variants = files::named(&[PathBuf::from(SHIPPED)]).unwrap();
    let mut variants: Vec<_> = variants
        .iter()
        .map(|path| path.file_stem().unwrap().to_owned())
        .collect();
    let tables = std::fs::read_dir("docs/necessity").unwrap();
    let tables = tables.map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned());
    let mut tables: Vec<_> = tables.filter(|name| name != "README").collect();
    variants.sort();
    tables.sort();
    assert_eq!(variants, tables);
    // Made anew with SLOW_TESTS=1 only: what is seen here is that each was made to its end.
    for name in tables.iter().map(|name| name.to_str().unwrap()) {
        let table = std::fs::read_to_string(format!("docs/necessity/{name}.md")).unwrap();
        let heading = format!("# What breaks without each step of {name}, within quick\n\n");
        let counted = table.strip_prefix(heading.as_str()).unwrap_or_else(|| {
            panic!("docs/necessity/{name}.md is not what `nestcheck necessity` prints")
        });
        let (steps, _) = counted.split_once(" steps: ").unwrap();
        let rows = table.lines().filter(|line| line.contains(".toml:")).count();
        assert_eq!(
            steps.parse(),
            Ok(rows),
            "docs/necessity/{name}.md is cut short"
        );
    }
}

#[test]
fn steps_break_what_they_are_for() {
    let rows = rows(&[
        "--scope",
        SMALL,
        "--devices",
        "wild",
        "specs/native-batched.toml",
    ]);
    let breaks = |program, step| {
        let row = row(&rows, program, step);
        assert_eq!(row["finding"], "breaks", "{row}");
        let properties = row["properties"].as_array().unwrap();
        let ids = properties.iter().map(|property| property["id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(
        breaks("guest.unmap", "cmdq TLBI_NH_VA(asid, page)"),
        ["P-S1"]
    );
    assert_eq!(breaks("guest.bind", "cmdq CFGI_CD(slot)"), ["P-CFG"]);
    assert_eq!(breaks("guest.bind", "unlock group"), ["P-LIVE"]);
    assert_eq!(breaks("host.reclaim", "hwq SYNC"), ["P-S2"]);
    let read = row(&rows, "guest.unmap", "let asid = asid(space)");
    assert_eq!(read["finding"], "not-removable");
    // Giving an ASID back is what no property asks for.
    let free = row(&rows, "guest.unbind", "free asid(space)");
    assert_eq!(free["finding"], "redundant");
    let alone = "unbind leaves other software tables, ASIDs or VMIDs";
    assert_eq!(free["alone"], alone);
}

#[test]
fn the_number_of_threads_does_not_show() {
    for format in ["table", "json", "markdown"] {
        let args = ["--format", format, "--scope", SMALL, SPEC];
        assert_eq!(necessity(&args, 1), necessity(&args, 3));
    }
}

#[test]
fn a_limit_is_never_a_redundancy() {
    let args = [
        "--format",
        "json",
        "--scope",
        SMALL,
        "--max-states",
        "50",
        SPEC,
    ];
    let (code, table) = necessity(&args, 2);
    assert_eq!(code, 3);
    assert!(table.contains("--max-states 50 was reached"), "{table}");
    for never in ["redundant", "vacuous", "starves", "never-executed"] {
        assert!(
            !table.contains(&format!("\"finding\": \"{never}\"")),
            "{table}"
        );
    }
}

#[test]
fn what_no_run_executes_is_not_called_redundant() {
    let scope = "quick,guest_threads=1,operations=map+unmap";
    let rows = rows(&["--scope", scope, SPEC]);
    let bind = row(&rows, "guest.bind", "insert slots(space, slot)");
    assert_eq!(bind["finding"], "never-executed");
}

#[test]
fn a_second_scope_is_for_what_the_first_does_not_need() {
    let first = "quick,guest_threads=1,operations=map+unmap";
    let once = rows(&["--scope", first, SPEC]);
    let twice = rows(&["--scope", first, "--scope", SMALL, SPEC]);
    for (once, twice) in once.iter().zip(&twice) {
        if once["finding"] == "breaks" {
            assert_eq!(once, twice);
        }
    }
    let bind = row(&twice, "guest.bind", "unlock domain");
    assert_eq!(bind["finding"], "breaks", "{bind}");
}

fn removals() -> Vec<Removal> {
    let read = removal::read(Path::new(SPEC));
    read.unwrap_or_else(|errors| panic!("{errors}")).1
}

fn find<'a>(removals: &'a [Removal], program: &str, text: &str) -> &'a Removal {
    let mut found = removals
        .iter()
        .filter(|removal| removal.step.program == program && removal.step.text == text);
    found.next().expect("the spec has the step")
}

fn steps(removal: &Removal) -> usize {
    let without = removal.without.as_ref();
    without
        .unwrap_or_else(|why| panic!("{why}"))
        .code
        .steps
        .len()
}

#[test]
fn what_goes_with_a_step() {
    let (spec, _) = removal::read(Path::new(SPEC)).unwrap();
    let (removals, all) = (removals(), spec.code.steps.len());
    let also = |program, text| {
        let removal = find(&removals, program, text);
        let also = removal.also.iter().map(|step| step.text.clone());
        (all - steps(removal), also.collect::<Vec<_>>())
    };
    assert_eq!(
        also("bind", "lock domain"),
        (2, vec!["unlock domain".to_owned()])
    );
    assert_eq!(also("bind", "unlock domain"), (1, Vec::new()));
    // The block behind `cmdq SYNC`; `on refusal:` itself makes no code.
    let handler = ["on refusal:", "return"].map(str::to_owned);
    assert_eq!(also("unbind", "cmdq SYNC"), (2, handler.to_vec()));
    // The program that is only called here goes too.
    let forget = removals.iter().filter(|it| it.step.program == "forget");
    let (lines, nothing) = (forget.count(), Vec::new());
    assert_eq!(
        also("unbind", "call forget(slot, space)"),
        (1 + lines, nothing)
    );
}

#[test]
fn what_cannot_be_removed_says_why() {
    let removals = removals();
    let why = |program, text| {
        let without = &find(&removals, program, text).without;
        without.as_ref().map(|_| ()).unwrap_err().clone()
    };
    let said = why("forget", "let asid = asid(space)");
    assert_eq!(said, "`guest.forget` has no variable `asid` here (line 59)");
    let said = why("doorbell", "ioctl invalidate(command)");
    assert_eq!(said, "it is all of the block of line 67");
}
