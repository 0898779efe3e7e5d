//! From what searches found to what is said of a property.

use vocab::{PropertyId, Verdict};

use crate::search::{Found, Why};

/// What a search says of a property. It says `holds` only if it saw everything and the property was put to the test.
pub fn of_part<P>(found: &Found<P>, id: PropertyId) -> Verdict {
    if found.violated & id.bit() != 0 {
        Verdict::Violated
    } else if found.stopped.is_some() {
        Verdict::Unknown
    } else if found.witnessed & id.bit() == 0 {
        Verdict::Vacuous
    } else {
        Verdict::Holds
    }
}

/// What the parts of a scope that ask for a property say together. No part says nothing about it.
pub fn of_parts(parts: &[Verdict]) -> Verdict {
    let says = |verdict| parts.contains(&verdict);
    if says(Verdict::Violated) {
        Verdict::Violated
    } else if says(Verdict::Unknown) || parts.is_empty() {
        Verdict::Unknown
    } else if says(Verdict::Holds) {
        Verdict::Holds
    } else {
        Verdict::Vacuous
    }
}

/// What becomes of two opinions that do not contradict each other. The first is the verdict of record: it alone has paths, and
/// two searches that a limit stopped may have seen different states. It is complete only if the second is.
pub fn joined<P>(mut levels: Found<P>, stateright: &Found<()>) -> Found<P> {
    let other: Option<Why> = stateright.stopped.clone();
    levels.stopped = levels.stopped.or(other);
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Holds, Unknown, Vacuous, Violated};

    fn found(violated: bool, stopped: bool, witnessed: bool) -> Found<()> {
        let bit = |is: bool| PropertyId::S1.bit() * u16::from(is);
        Found {
            states: 1,
            transitions: 0,
            depth: Some(0),
            stopped: stopped.then_some(Why::Interrupted),
            violated: bit(violated),
            witnessed: bit(witnessed),
            executed: Default::default(),
            paths: Vec::new(),
        }
    }

    #[test]
    fn a_limit_never_holds_and_never_hides_a_violation() {
        let verdict = |violated, stopped, witnessed| {
            of_part(&found(violated, stopped, witnessed), PropertyId::S1)
        };
        assert_eq!(verdict(false, true, true), Unknown);
        assert_eq!(verdict(false, true, false), Unknown);
        assert_eq!(verdict(true, true, true), Violated);
        assert_eq!(verdict(true, false, false), Violated);
        assert_eq!(verdict(false, false, false), Vacuous);
        assert_eq!(verdict(false, false, true), Holds);
    }

    #[test]
    fn parts_together() {
        assert_eq!(of_parts(&[Holds, Unknown, Violated]), Violated);
        assert_eq!(of_parts(&[Holds, Unknown]), Unknown);
        assert_eq!(of_parts(&[Vacuous, Holds]), Holds);
        assert_eq!(of_parts(&[Vacuous, Vacuous]), Vacuous);
        assert_eq!(of_parts(&[]), Unknown);
    }

    #[test]
    fn a_stopped_second_opinion_is_no_second_opinion() {
        let both = joined(found(false, false, true), &found(false, true, true));
        assert_eq!(of_part(&both, PropertyId::S1), Unknown);
    }
}
