//! A counterexample as a story: one line a step, who, what, and only what changed.

use model::Machine;
pub use model::trace::Line;
use model::trace::{describe, violation};
use vocab::PropertyId;

use crate::certify::{Replayed, is_deadlock};

/// A shortest way to a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// One for each step.
    pub lines: Vec<Line>,
    /// What is wrong with the state at its end.
    pub end: Option<String>,
}

/// Tells a replayed path.
pub fn tell(machine: &Machine, id: PropertyId, path: &[Replayed<Machine>]) -> Trace {
    let lines = path
        .iter()
        .map(|taken| describe(machine, &taken.before, taken.step, &taken.after))
        .collect();
    let step = path.last().map(|taken| (&taken.before, taken.step));
    let last = path
        .last()
        .map_or_else(|| machine.initial(), |taken| taken.after);
    let wrong = violation(machine, step, &last, id);
    let end = match id {
        PropertyId::Live if is_deadlock(machine, &last) => format!("no step is possible: {wrong}"),
        PropertyId::Live => {
            format!("no state without operations in progress can be reached any more: {wrong}")
        }
        _ => wrong,
    };
    Trace {
        lines,
        end: Some(end),
    }
}

impl Trace {
    /// The lines, aligned: number, who, what; changes that do not fit go below.
    pub fn text(&self) -> Vec<String> {
        let width = |column: fn(&Line) -> &str, most: usize| {
            let widths = self.lines.iter().map(|line| column(line).chars().count());
            widths.filter(|width| *width <= most).max().unwrap_or(0)
        };
        let who = width(|line| &line.who, 40);
        let what = width(|line| &line.what, 72);
        let number = self.lines.len().to_string().len();
        let mut text = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            let place = place + 1;
            let (subject, verb) = (&line.who, &line.what);
            let mut changes = line.changes.iter();
            let first = changes.next().map_or("", String::as_str);
            let row = format!("{place:number$} {subject:who$}  {verb:what$}  {first}");
            text.push(row.trim_end().to_owned());
            let indent = number + 1 + who + 2 + what + 2;
            text.extend(changes.map(|change| format!("{:indent$}{change}", "")));
        }
        if let Some(end) = &self.end {
            text.push(format!("{:number$} {end}", ""));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let line = |who: &str, what: &str, changes: &[&str]| Line {
            who: who.to_owned(),
            what: what.to_owned(),
            changes: changes.iter().map(|change| change.to_string()).collect(),
        };
        let trace = Trace {
            lines: vec![
                line("guest", "cmdq SYNC", &["- TLB a", "- TLB b"]),
                line("the host", "unlock", &[]),
            ],
            end: Some("no step is possible".to_owned()),
        };
        let expected = [
            "1 guest     cmdq SYNC  - TLB a",
            "                       - TLB b",
            "2 the host  unlock",
            "  no step is possible",
        ];
        assert_eq!(trace.text(), expected);
    }
}
