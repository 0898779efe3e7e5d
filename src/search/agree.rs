//! Whether two searches of the same system found the same.
//!
//! Two searches that saw everything must agree in everything. A search that stopped may have found less than one that did not,
//! never more. The depth is compared if both can tell it.

use std::fmt::{Display, Formatter, Result as Fmt};

use vocab::PropertyId;

use super::{Found, StepSet};

/// Both results of a disagreement; at least one of the searches, or the system itself, is wrong.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// In what they differ.
    pub about: Vec<&'static str>,
    /// What our own search found.
    pub levels: Box<Found<()>>,
    /// What stateright found.
    pub stateright: Box<Found<()>>,
}

impl<P> Found<P> {
    /// The same without paths.
    pub fn summary(&self) -> Found<()> {
        self.with_paths(Vec::new())
    }

    /// The same with other paths.
    pub fn with_paths<Q>(&self, paths: Vec<(PropertyId, Q)>) -> Found<Q> {
        Found {
            states: self.states,
            transitions: self.transitions,
            depth: self.depth,
            stopped: self.stopped.clone(),
            violated: self.violated,
            witnessed: self.witnessed,
            executed: self.executed,
            paths,
        }
    }
}

/// Compares what two searches found.
pub fn compare<P, Q>(levels: &Found<P>, stateright: &Found<Q>) -> Result<(), Disagreement> {
    let about = match (&levels.stopped, &stateright.stopped) {
        (None, None) => differences(levels, stateright),
        (Some(_), None) => excess(levels, stateright),
        (None, Some(_)) => excess(stateright, levels),
        (Some(_), Some(_)) => Vec::new(),
    };
    if about.is_empty() {
        return Ok(());
    }
    Err(Disagreement {
        about,
        levels: Box::new(levels.summary()),
        stateright: Box::new(stateright.summary()),
    })
}

/// In what two complete searches differ.
fn differences<P, Q>(one: &Found<P>, other: &Found<Q>) -> Vec<&'static str> {
    let depths = one.depth.zip(other.depth);
    chosen([
        ("states", one.states != other.states),
        ("transitions", one.transitions != other.transitions),
        ("depth", depths.is_some_and(|(one, other)| one != other)),
        ("violated properties", one.violated != other.violated),
        ("witnesses", one.witnessed != other.witnessed),
        ("executed steps", one.executed != other.executed),
    ])
}

/// What a search that stopped found although a complete one did not.
fn excess<P, Q>(stopped: &Found<P>, complete: &Found<Q>) -> Vec<&'static str> {
    let mut executed = complete.executed;
    executed.merge(&stopped.executed);
    chosen([
        ("states", stopped.states > complete.states),
        ("transitions", stopped.transitions > complete.transitions),
        (
            "violated properties",
            stopped.violated & !complete.violated != 0,
        ),
        ("witnesses", stopped.witnessed & !complete.witnessed != 0),
        ("executed steps", executed != complete.executed),
    ])
}

fn chosen<const N: usize>(rows: [(&'static str, bool); N]) -> Vec<&'static str> {
    rows.into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

impl Display for Disagreement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        writeln!(
            f,
            "the two searches disagree about {}",
            self.about.join(", ")
        )?;
        for (name, found) in [("levels", &self.levels), ("stateright", &self.stateright)] {
            write!(f, "  {name}: ")?;
            line(found, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Disagreement {}

fn line(found: &Found<()>, f: &mut Formatter<'_>) -> Fmt {
    write!(
        f,
        "{} states, {} transitions, ",
        found.states, found.transitions
    )?;
    match found.depth {
        Some(depth) => write!(f, "depth {depth}, ")?,
        None => write!(f, "depth not known, ")?,
    }
    write!(f, "violated [{}], ", names(found.violated))?;
    write!(f, "put to the test [{}], ", names(found.witnessed))?;
    let steps = (0..StepSet::CAPACITY).filter(|&step| found.executed.contains(step));
    write!(f, "{} steps executed, ", steps.count())?;
    match &found.stopped {
        Some(why) => writeln!(f, "stopped: {why}"),
        None => writeln!(f, "complete"),
    }
}

/// The names of a set of properties.
fn names(set: u16) -> String {
    let names: Vec<_> = PropertyId::ALL
        .into_iter()
        .filter(|id| set & id.bit() != 0)
        .map(PropertyId::name)
        .collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::toy::{Edge, Toy};
    use super::super::{Control, Limits, Why, levels, stateright};
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn both(toy: &Toy, limits: &Limits, threads: usize) -> (Found<Vec<u8>>, Found<()>) {
        let interrupt = AtomicBool::new(false);
        let control = Control::new(limits.clone(), &interrupt, &|_| {});
        let toy = Arc::new(toy.clone());
        (
            levels::search(&*toy, u16::MAX, &control),
            stateright::search(&toy, u16::MAX, &control, threads),
        )
    }

    #[test]
    fn too_large_and_limits_stop_both() {
        let mut toy = Toy::new(&[&[1], &[2], &[0]]);
        let two = Limits {
            max_states: Some(2),
            ..Limits::default()
        };
        let (levels, stateright) = both(&toy, &two, 2);
        assert_eq!(levels.stopped, Some(Why::MaxStates(2)));
        assert_eq!(stateright.stopped, Some(Why::MaxStates(2)));
        toy.edges[1].push(Edge::NotModelled);
        let (levels, stateright) = both(&toy, &Limits::default(), 1);
        assert_eq!(levels.stopped, Some(Why::NotModelled("toys")));
        assert_eq!(stateright.stopped, Some(Why::NotModelled("toys")));
    }

    #[test]
    fn all_violations_do_not_end_the_second_opinion() {
        let toy = Toy::new(&[&[1], &[2], &[3], &[0]]).violating(1, 0x7f);
        let (levels, stateright) = both(&toy, &Limits::default(), 2);
        assert_eq!(stateright.states, 4);
        compare(&levels, &stateright).unwrap();
    }

    #[test]
    fn a_disagreement_shows_both() {
        let toy = Toy::new(&[&[1], &[0]]);
        let (levels, mut stateright) = both(&toy, &Limits::default(), 1);
        stateright.states += 1;
        stateright.violated = PropertyId::S2.bit();
        let text = compare(&levels, &stateright).unwrap_err().to_string();
        assert_eq!(
            text,
            "the two searches disagree about states, violated properties\n  \
             levels: 2 states, 2 transitions, depth 1, violated [], put to the test [P-S1 P-CFG P-LIVE], 2 steps executed, complete\n  \
             stateright: 3 states, 2 transitions, depth 1, violated [P-S2], put to the test [P-S1 P-CFG P-LIVE], 2 steps executed, complete\n"
        );
    }

    #[test]
    fn less_is_allowed_to_a_search_that_stopped_and_more_is_not() {
        let toy = Toy::new(&[&[1], &[0]]);
        let (levels, mut stateright) = both(&toy, &Limits::default(), 1);
        stateright.stopped = Some(Why::Interrupted);
        stateright.states = 1;
        compare(&levels, &stateright).unwrap();
        stateright.violated = PropertyId::S1.bit();
        let error = compare(&levels, &stateright).unwrap_err();
        assert_eq!(error.about, ["violated properties"]);
    }

    proptest! {
        #[test]
        fn both_searches_agree_on_random_graphs(toy in Toy::any(), threads in 1usize..3) {
            let (levels, stateright) = both(&toy, &Limits::default(), threads);
            prop_assert_eq!(&levels.stopped, &None);
            prop_assert!(compare(&levels, &stateright).is_ok(), "{}", compare(&levels, &stateright).unwrap_err());
        }

        #[test]
        fn a_limit_is_always_noticed(toy in Toy::any(), max in 0u64..12) {
            let limits = Limits { max_states: Some(max), ..Limits::default() };
            let (all, _) = both(&toy, &Limits::default(), 1);
            let (levels, stateright) = both(&toy, &limits, 1);
            prop_assert_eq!(levels.stopped.is_some(), all.states > max);
            prop_assert_eq!(stateright.stopped.is_some(), all.states > max);
            prop_assert!(compare(&all, &stateright).is_ok() && compare(&levels, &stateright).is_ok());
        }

        #[test]
        fn paths_lead_to_violations(toy in Toy::any()) {
            use super::super::{Outcome, System};
            let (levels, _) = both(&toy, &Limits::default(), 1);
            for (id, path) in &levels.paths {
                let mut state = toy.initial();
                for &step in path {
                    let Outcome::Next(next, _) = toy.apply(&state, step) else { panic!("{step} is blocked") };
                    state = next;
                }
                prop_assert!(*id == PropertyId::Live || toy.judge(&state, id.bit()) != 0);
            }
        }
    }
}
