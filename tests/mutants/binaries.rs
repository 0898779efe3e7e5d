//! The tests of the workspace as programs, built as this one is.

use std::path::PathBuf;
use std::process::Command;

/// A test program.
pub struct Binary {
    /// The package whose tests they are.
    pub package: String,
    /// The target: `it`, or the name of a library.
    pub target: String,
    /// The program.
    pub path: PathBuf,
}

/// All of them.
pub fn all() -> Vec<Binary> {
    let output = Command::new(env!("CARGO"))
        .args(["test", "--no-run", "--message-format=json", "--locked"])
        .args(["-p", "nestcheck", "-p", "model", "-p", "engine"])
        .args(["--features", "nestcheck/mutants"])
        .args(["--lib", "--test", "it"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run again");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the tests are not built:\n{said}");
    let messages = String::from_utf8(output.stdout).expect("cargo says UTF-8");
    messages.lines().filter_map(binary).collect()
}

/// The program that one of cargo's messages tells of.
fn binary(message: &str) -> Option<Binary> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let path = message["executable"].as_str()?.into();
    let package = message["package_id"].as_str()?;
    // path+file:///…/model#0.1.0, or path+file:///…/somewhere#nestcheck@0.1.0
    let (place, name) = package.rsplit_once('#')?;
    let package = match name.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next()?,
    };
    Some(Binary {
        package: package.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
        path,
    })
}
