//! What a guest was told that is not true: which of its two kinds a violation of P-REPORT is.

use std::fmt::{Display, Formatter, Result};

use super::retrace::Retraced;
use crate::machine::Machine;

/// What a guest was told.
pub(super) enum Untrue {
    /// That all is handled, and this is not completed.
    Unkept(String),
    /// That all is handled, and commands were left in its queue.
    Left,
    /// That something had failed, and nothing had.
    Refused,
}

impl Untrue {
    /// Of a step that violates P-REPORT.
    pub(super) fn of(machine: &Machine, told: &Retraced) -> Self {
        match (told.unkept.is_empty(), told.left) {
            (false, _) => Untrue::Unkept(machine.tag_names(told.unkept).join(", ")),
            (true, true) => Untrue::Left,
            (true, false) => Untrue::Refused,
        }
    }

    /// The whole sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            Untrue::Unkept(unkept) => format!(
                "a guest was told that what it asked for is handled, and this is not completed: {unkept}"
            ),
            Untrue::Left => {
                "a guest was told that its queue is handled, and commands were left in it"
                    .to_owned()
            }
            Untrue::Refused => {
                "a guest that follows its programs was refused a request, and nothing had failed"
                    .to_owned()
            }
        }
    }
}

/// Behind the step that told it.
impl Display for Untrue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Untrue::Unkept(unkept) => write!(f, "reported as handled and not completed: {unkept}"),
            Untrue::Left => f.write_str("reported as handled, and commands were left in the queue"),
            Untrue::Refused => f.write_str("refused, and nothing had failed"),
        }
    }
}
