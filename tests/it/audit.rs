//! Specs that once got a verdict that they do not deserve.

use std::process::Command;

/// What `check` says of a spec, line by line.
fn said(spec: &str, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nestcheck"))
        .args([
            "check",
            "--scope",
            "quick",
            "--threat",
            "honest",
            "--devices",
            "driven",
        ])
        .args(more)
        .arg(spec)
        .output()
        .expect("nestcheck runs");
    String::from_utf8(output.stdout).expect("a report is text")
}

/// Whoever waits for a lock at the first step of an operation has not begun it: nobody is seen to be stuck.
#[test]
fn a_lock_that_is_never_given_back_is_not_live() {
    for spec in ["lock-not-given-back", "lock-lost-on-failure"] {
        let said = said(&format!("tests/audit/{spec}.toml"), &[]);
        assert!(
            said.contains(&format!(
                "  {spec} honest driven P-LIVE\n    claimed holds, found violated"
            )),
            "{said}"
        );
    }
}

/// What memory says must be what is in use, not only V.
#[test]
fn a_word_from_before_is_not_current() {
    for spec in ["replace-leaves-old-word", "exit-leaves-old-word"] {
        let said = said(&format!("tests/audit/{spec}.toml"), &[]);
        assert!(
            said.contains(&format!(
                "  {spec} honest driven P-CFG\n    claimed holds, found violated"
            )),
            "{said}"
        );
    }
}
