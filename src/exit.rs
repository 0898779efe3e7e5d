//! What the process says to the one who started it.

use std::process::ExitCode;

/// The exit codes; scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every verdict is as its author claims.
    AsExpected = 0,
    /// Some verdict differs from `[expect]`.
    Differs = 1,
    /// The command line or a spec file is wrong, or the report cannot be written.
    Usage = 2,
    /// Some verdict is unknown that was not expected to be, or the user interrupted.
    Incomplete = 3,
    /// A fault of nestcheck.
    Internal = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why there is no report.
#[derive(Debug)]
pub enum Error {
    /// The user's mistake on the command line.
    Usage(String),
    /// The user's mistakes in spec files, drawn with their lines.
    Spec(String),
    /// Ours.
    Internal(String),
}

impl Error {
    /// The code to end with.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Usage(_) | Error::Spec(_) => Exit::Usage,
            Error::Internal(_) => Exit::Internal,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Usage(text) => write!(f, "nestcheck: {text}"),
            Error::Spec(text) => f.write_str(text),
            Error::Internal(text) => write!(
                f,
                "nestcheck: internal error: {text}\nthis is a fault of nestcheck and not of a spec; no verdict is given"
            ),
        }
    }
}
