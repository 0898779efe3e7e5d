//! Specs that must be read without an error, and what becomes of them.

use std::fmt::Write;
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

#[test]
fn a_realistic_spec_becomes_code() {
    let spec = spec::read(Path::new("tests/good-specs/batched.toml"))
        .unwrap_or_else(|errors| panic!("{errors}"));
    expect_file!["../good-specs/batched.expected"].assert_eq(&listing(&spec));
}
