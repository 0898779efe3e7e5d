//! Specs that cannot be used, and what their authors are told.
//!
//! A case is a file in tests/bad-specs/ and a golden file beside it; UPDATE_EXPECT=1 writes the golden files anew.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{expect, expect_file};
use nestcheck::spec;

fn errors(path: &Path) -> String {
    match spec::read(path) {
        Ok(_) => panic!("{} has an error that nobody found", path.display()),
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn every_bad_spec_is_answered_with_its_errors() {
    let mut cases: Vec<PathBuf> = fs::read_dir("tests/bad-specs")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    cases.sort();
    for case in cases {
        let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(case.with_extension("expected"));
        let told = errors(&case);
        println!("{}", case.display());
        assert!(
            told.is_ascii(),
            "{} is answered with more than ASCII",
            case.display()
        );
        expect_file![expected].assert_eq(&told);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    expect![[r#"
        error: cannot read `tests/bad-specs/nowhere.toml`: there is no such file
    "#]]
    .assert_eq(&errors(Path::new("tests/bad-specs/nowhere.toml")));
    expect![[r#"
        error: cannot read `tests/bad-specs`: it is a directory
    "#]]
    .assert_eq(&errors(Path::new("tests/bad-specs")));
}

#[test]
fn a_file_that_is_not_text_is_named() {
    let path = std::env::temp_dir().join("nestcheck-not-utf-8.toml");
    fs::write(&path, b"title = \"\xff\"").unwrap();
    let told = errors(&path).replace(&std::env::temp_dir().display().to_string(), "TMP");
    expect![[r#"
        error: `TMP/nestcheck-not-utf-8.toml` is not text in UTF-8
    "#]]
    .assert_eq(&told);
}

/// A line that is missing is one mistake, and little else is told of what seems wrong without it. Four: a heading above four programs.
#[test]
fn one_cause_gives_few_errors() {
    let whole = fs::read_to_string("tests/good-specs/batched.toml").unwrap();
    let room = std::env::temp_dir().join(format!("nestcheck-less-{}", std::process::id()));
    fs::create_dir_all(room.join("hardware")).unwrap();
    fs::copy(
        "specs/hardware/smmuv3.toml",
        room.join("hardware/smmuv3.toml"),
    )
    .unwrap();
    let path = room.join("less.toml");
    let lines: Vec<_> = whole.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let less = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        fs::write(&path, less).unwrap();
        if let Err(errors) = spec::read(&path) {
            assert!(errors.count() <= 4, "without `{line}`:\n{errors}");
        }
    }
}

/// Whatever is left out of a good spec, or cut off, it is answered, not crashed upon.
#[test]
fn no_mutilation_of_a_good_spec_makes_the_reader_panic() {
    let whole = fs::read_to_string("tests/good-specs/batched.toml").unwrap();
    assert!(whole.is_ascii(), "bytes are cut out of it");
    let path = std::env::temp_dir().join("nestcheck-mutilated.toml");
    let answer = |text: &str| {
        fs::write(&path, text).unwrap();
        let _ = spec::read(&path).map_err(|errors| errors.to_string());
    };
    for (at, line) in whole
        .lines()
        .map(|line| (line.as_ptr() as usize - whole.as_ptr() as usize, line))
    {
        answer(&whole[..at]);
        answer(&format!("{}{}", &whole[..at], &whole[at + line.len()..]));
    }
    for at in (0..whole.len()).step_by(7) {
        let instead = ["", ")", "\u{e4}"][at % 3];
        answer(&format!("{}{instead}{}", &whole[..at], &whole[at + 1..]));
    }
}
