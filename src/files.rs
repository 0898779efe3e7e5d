//! Which spec files the command line means.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Error;

/// Files stand for themselves, a directory for every *.toml directly in it that has claims, by name. Bases and hardware have
/// none; mutants lie in directories of their own.
pub fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_directory(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| cannot_read(directory, &error))? {
        let path = entry
            .map_err(|error| cannot_read(directory, &error))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && path.is_file()
        {
            let text = fs::read(&path).map_err(|error| cannot_read(&path, &error))?;
            if has_claims(&String::from_utf8_lossy(&text)) {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        let directory = directory.display();
        return Err(Error::Usage(format!(
            "{directory}: no spec with claims in this directory; a spec is a *.toml with an [expect] table"
        )));
    }
    files.sort();
    Ok(files)
}

/// Whether a file has an `[expect…]` table of its own. A look at its lines, so that a base that is no spec by itself need not be
/// one that can be read by itself.
fn has_claims(text: &str) -> bool {
    let inside = |line: &str| {
        line.trim()
            .strip_prefix('[')
            .map(str::trim_start)
            .map(str::to_owned)
    };
    text.lines()
        .filter_map(inside)
        .any(|table| table.starts_with("expect"))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    Error::Usage(format!("{}: cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_recognised() {
        assert!(has_claims("title = \"x\"\n[expect.honest.driven]\n"));
        assert!(has_claims("  [ expect ]"));
        assert!(!has_claims(
            "# expect\n[guest]\nmap = \"\"\"\n  expect\n\"\"\"\n"
        ));
    }

    #[test]
    fn a_directory_that_is_not_there_is_taken_for_a_file() {
        let path = PathBuf::from("no/such/place.toml");
        assert_eq!(named(std::slice::from_ref(&path)).unwrap(), [path]);
    }
}
