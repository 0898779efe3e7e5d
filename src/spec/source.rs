//! Source files and places in them: everything that is read remembers where it stands, so that an error can point there.

use std::fs::File as Opened;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::Path;

/// The size above which a file is no spec, whatever is in it: the largest shipped one has some twenty KiB.
const LARGEST: u64 = 1 << 20;

/// The text of a file, or why it cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let cannot = |reason: String| format!("cannot read `{shown}`: {reason}");
    // One byte more tells a file that is too large from one that just fits; a device such as /dev/zero has no size to ask for.
    let mut bytes = Vec::new();
    let read = Opened::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(cannot(reason(path, &error))),
        Ok(_) if bytes.len() as u64 > LARGEST => {
            let most = LARGEST >> 20;
            Err(cannot(format!(
                "it is larger than {most} MiB, which no spec is"
            )))
        }
        Ok(_) => String::from_utf8(bytes).map_err(|_| format!("`{shown}` is not text in UTF-8")),
    }
}

/// Why a file cannot be read, in words that do not depend on the system.
fn reason(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        _ if path.is_dir() => "it is a directory".to_owned(),
        ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    }
}

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
