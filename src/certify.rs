//! A violation is replayed before it is printed.
//!
//! Every step of the path must be possible and its end must violate the property; otherwise the search is wrong, and that is
//! said instead. For P-LIVE everything that can be reached from the end is searched once more: no idle state may be in it.

use std::fmt::{Display, Formatter, Result as Fmt};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use vocab::PropertyId;

use crate::search::{Control, Limits, Outcome, System, levels};

/// A step that was taken once more.
#[derive(Clone, Copy, Debug)]
pub struct Replayed<S: System> {
    /// The state in which it was taken.
    pub before: S::State,
    /// The step.
    pub step: S::Step,
    /// The state to which it led.
    pub after: S::State,
}

/// A path that does not do what the search said of it.
#[derive(Clone, Debug)]
pub struct Uncertified {
    id: PropertyId,
    length: usize,
    /// What is wrong, and the states that show it.
    what: String,
}

impl Display for Uncertified {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let (id, length, what) = (self.id.name(), self.length, &self.what);
        write!(
            f,
            "the path of {length} steps to a violation of {id} does not replay: {what}"
        )
    }
}

impl std::error::Error for Uncertified {}

/// Takes the steps of a path and looks for the violation at its end.
pub fn certify<S: System>(
    system: &Arc<S>,
    id: PropertyId,
    path: &[S::Step],
) -> Result<Vec<Replayed<S>>, Uncertified> {
    let wrong = |what| Uncertified {
        id,
        length: path.len(),
        what,
    };
    let mut state = system.initial();
    let mut replayed = Vec::new();
    let mut offered = Vec::new();
    for (place, &step) in path.iter().enumerate() {
        offered.clear();
        system.steps(&state, &mut offered);
        let outcome = match offered.contains(&step) {
            true => system.apply(&state, step),
            false => Outcome::Blocked,
        };
        let Outcome::Next(after, _) = outcome else {
            let place = place + 1;
            return Err(wrong(format!(
                "step {place}, {step:?}, is not possible in {state:?}"
            )));
        };
        replayed.push(Replayed {
            before: state,
            step,
            after,
        });
        state = after;
    }
    let violates = match id {
        PropertyId::Live => !returns(system, state),
        _ => system.judge(&state, id.bit()) != 0,
    };
    match violates {
        true => Ok(replayed),
        false => Err(wrong(format!("its end does not violate it: {state:?}"))),
    }
}

/// Whether no step is possible in a state.
pub fn is_deadlock<S: System>(system: &S, state: &S::State) -> bool {
    let mut steps = Vec::new();
    system.steps(state, &mut steps);
    steps
        .into_iter()
        .all(|step| matches!(system.apply(state, step), Outcome::Blocked))
}

/// Whether an idle state can be reached from a state. A search that stopped early cannot tell; a violation is not certified by it.
fn returns<S: System>(system: &Arc<S>, state: S::State) -> bool {
    let onwards = Onwards {
        system: Arc::clone(system),
        state,
    };
    let never = AtomicBool::new(false);
    let control = Control::new(Limits::default(), &never, &|_| {});
    let found = levels::search(&onwards, IDLE, &control);
    found.violated != 0 || found.stopped.is_some()
}

/// Stands for "is idle" where a search expects a property; any but P-LIVE, which is the search's own.
const IDLE: u16 = PropertyId::S1.bit();

/// A system that begins elsewhere and judges whether it is idle.
struct Onwards<S: System> {
    system: Arc<S>,
    state: S::State,
}

impl<S: System> System for Onwards<S> {
    type State = S::State;
    type Step = S::Step;

    fn initial(&self) -> S::State {
        self.state
    }

    fn steps(&self, state: &S::State, steps: &mut Vec<S::Step>) {
        self.system.steps(state, steps);
    }

    fn apply(&self, state: &S::State, step: S::Step) -> Outcome<S::State> {
        self.system.apply(state, step)
    }

    fn judge(&self, state: &S::State, asked: u16) -> u16 {
        match self.system.is_idle(state) {
            true => IDLE & asked,
            false => 0,
        }
    }

    fn is_idle(&self, _: &S::State) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::toy::Toy;

    #[test]
    fn a_true_path_is_replayed() {
        let toy = Arc::new(Toy::new(&[&[1], &[2], &[0]]).violating(2, PropertyId::S1.bit()));
        let replayed = certify(&toy, PropertyId::S1, &[0, 0]).unwrap();
        assert_eq!((replayed[1].before, replayed[1].after), ([1, 7], [2, 7]));
    }

    #[test]
    fn a_path_that_does_not_violate_is_refused() {
        let toy = Arc::new(Toy::new(&[&[1], &[0]]).violating(0, PropertyId::S1.bit()));
        let error = certify(&toy, PropertyId::S1, &[0]).unwrap_err().to_string();
        let said = "the path of 1 steps to a violation of P-S1 does not replay: its end does not violate it: [1, 7]";
        assert_eq!(error, said);
    }

    #[test]
    fn stuck_means_that_nothing_idle_can_be_reached() {
        let toy = Arc::new(Toy::new(&[&[1, 2], &[0], &[2], &[]]));
        assert!(certify(&toy, PropertyId::Live, &[0]).is_err());
        assert!(certify(&toy, PropertyId::Live, &[1]).is_ok());
        assert!(!is_deadlock(&*toy, &[2, 7]));
        assert!(is_deadlock(&*toy, &[3, 7]));
    }
}
