//! Runs as files: lines that begin with `#` say what it is about, then the world's shape and one operation a line, as JSON.

use std::fs;
use std::path::{Path, PathBuf};

use super::run::Case;

/// Where they are kept.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces")
}

/// All that are kept.
pub fn all() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).expect("tests/traces is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a directory can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "trace")
        })
        .collect();
    paths.sort();
    paths
}

/// The run that a text describes.
pub fn parse(text: &str) -> Result<Case, String> {
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    let wrong = |line: usize, error: serde_json::Error| format!("line {}: {error}", line + 1);
    let (at, shape) = lines.next().ok_or("there is no line with a shape")?;
    let shape = serde_json::from_str(shape).map_err(|error| wrong(at, error))?;
    let operations = lines
        .map(|(at, line)| serde_json::from_str(line).map_err(|error| wrong(at, error)))
        .collect::<Result<_, _>>()?;
    Ok(Case { shape, operations })
}

/// The text of a run, with what is said of it.
pub fn print(case: &Case, about: &str) -> String {
    let json = |line| line + "\n";
    let about: String = about.lines().map(|line| format!("# {line}\n")).collect();
    let shape = serde_json::to_string(&case.shape)
        .map(json)
        .expect("a shape is plain data");
    let operations = case.operations.iter();
    let operations: String = operations
        .map(|operation| {
            serde_json::to_string(operation)
                .map(json)
                .expect("an operation is plain data")
        })
        .collect();
    about + &shape + &operations
}

/// Keeps a run in which something was found, under a name made of it.
pub fn keep(case: &Case, about: &str) -> PathBuf {
    let text = print(case, about);
    // FNV-1a: the same run has the same name everywhere.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let path = directory().join(format!("found-{:08x}.trace", hash as u32));
    fs::write(&path, text).expect("tests/traces can be written to");
    path
}
