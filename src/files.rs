//! Which spec files the command line means.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Error;
use crate::spec::has_claims;

/// Files stand for themselves, a directory for every *.toml directly in it that has claims, itself or from its base, by name. Bases
/// and hardware have none; mutants lie in directories of their own. A file that is named twice, however, is meant once.
pub fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_directory(path)?);
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
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
            files.push(path);
        }
    }
    files.retain(|path| has_claims(path));
    if files.is_empty() {
        let directory = directory.display();
        return Err(Error::Usage(format!(
            "{directory}: no spec with claims in this directory; a spec is a *.toml that has, or whose base has, an [expect] table"
        )));
    }
    // By name without the extension, so that `x` comes before `x-no-ats`.
    files.sort_by_key(|path| path.file_stem().map(std::ffi::OsStr::to_owned));
    Ok(files)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    Error::Usage(format!("{}: cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_taken_for_a_file() {
        let path = PathBuf::from("no/such/place.toml");
        assert_eq!(named(std::slice::from_ref(&path)).unwrap(), [path]);
    }

    #[test]
    fn a_file_is_meant_once_however_often_and_however_it_is_named() {
        let paths = [
            "src/files.rs",
            "src/../src/files.rs",
            "src/list.rs",
            "src/files.rs",
        ];
        let once = named(&paths.map(PathBuf::from)).unwrap();
        assert_eq!(once, ["src/files.rs", "src/list.rs"].map(PathBuf::from));
    }
}
