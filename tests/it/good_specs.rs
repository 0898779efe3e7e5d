//! Specs that must be read without an error, and what becomes of them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use expect_test::expect_file;
use nestcheck::spec;

/// The code of a spec as text: one line an instruction.
fn listing(spec: &spec::Spec) -> String {
    let mut text = String::new();
    for (pc, instr) in spec.code.instrs.iter().enumerate() {
        for entry in spec
            .code
            .entries
            .iter()
            .filter(|entry| entry.pc as usize == pc)
        {
            writeln!(text, "{} {:?}", entry.name, entry.start).unwrap();
        }
        let step = spec
            .code
            .step_of(pc as u16)
            .map_or("", |step| &spec.code.steps[step].text);
        writeln!(
            text,
            "{pc:5}  {:60}  {step}",
            format!("{instr:?}").replace("Reg(Reg(", "((")
        )
        .unwrap();
    }
    text
}

fn read(path: &str) -> spec::Spec {
    spec::read(Path::new(path)).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_realistic_spec_becomes_code() {
    let spec = read("tests/good-specs/batched.toml");
    expect_file!["../good-specs/batched.expected"].assert_eq(&listing(&spec));
}

#[test]
fn changes_edit_the_programs_of_the_base() {
    let spec = read("tests/good-specs/changed.toml");
    let mut text = String::new();
    for step in &spec.code.steps {
        let (section, file) = (
            step.section.name(),
            step.file.trim_start_matches("tests/good-specs/"),
        );
        writeln!(
            text,
            "{section}.{}  {}  {file}:{}",
            step.program, step.text, step.line
        )
        .unwrap();
    }
    expect_file!["../good-specs/changed.expected"].assert_eq(&text);
    let claims = &spec.expect[&(vocab::Threat::Honest, vocab::Devices::Driven)];
    let claim = &claims[&vocab::PropertyId::Cfg];
    assert_eq!(
        claim.because, None,
        "a claim is replaced as a whole: the base's reason is not this claim's"
    );
}

/// Editors on other systems end lines with two characters and begin files with a mark.
#[test]
fn line_ends_and_a_byte_order_mark_do_not_move_places() {
    let text = fs::read_to_string("tests/good-specs/batched.toml").unwrap();
    let path = std::env::temp_dir().join("nestcheck-line-ends.toml");
    let text = text
        .replace("\"smmuv3\"", "\"HARDWARE\"")
        .replace('\n', "\r\n");
    fs::write(
        &path,
        format!("\u{feff}{text}").replace("cmdq SYNC", "cmdq SNYC"),
    )
    .unwrap();
    let told = spec::read(&path).unwrap_err().to_string();
    assert!(told.contains("line-ends.toml:27:6\n"), "{told}");
}

#[test]
fn every_word_has_a_meaning() {
    for chapter in spec::vocabulary() {
        for entry in &chapter.entries {
            assert!(
                !entry.form.is_empty() && !entry.meaning.is_empty(),
                "{}: {entry:?}",
                chapter.title
            );
        }
    }
}
