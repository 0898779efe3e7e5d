//! Source files and places in them: everything that is read remembers where it stands, so that an error can point there.

use std::ops::Range;
use std::path::Path;

/// One of the files that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(u16);

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub file: FileId,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        Span {
            file,
            start: range.start,
            end: range.end,
        }
    }

    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A file's name, as errors print it, and its text.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub path: String,
    pub text: String,
}

/// Every file that was read so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files(Vec<File>);

impl Files {
    pub fn get(&self, id: FileId) -> &File {
        &self.0[id.0 as usize]
    }

    pub fn add(&mut self, path: &Path, text: String) -> FileId {
        // A chain of bases is the only thing that adds files, and a path cannot name itself twice on it.
        let id = FileId(self.0.len() as u16);
        self.0.push(File {
            path: path.display().to_string(),
            text,
        });
        id
    }

    /// The line of a place, counted from 1.
    pub fn line(&self, span: Span) -> u32 {
        let before = &self.get(span.file).text.as_bytes()[..span.start];
        1 + before.iter().filter(|byte| **byte == b'\n').count() as u32
    }
}
