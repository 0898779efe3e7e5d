//! The specification's machine as a system to search.

use model::{CacheMode, Machine, Setup, State, Step};
use vocab::{Devices, Threat};

use super::{Outcome, Seen, System};
use crate::spec::{Part, Spec};

/// The machine of a part of a spec.
pub fn machine(
    spec: &Spec,
    part: &Part,
    threat: Threat,
    devices: Devices,
    caches: CacheMode,
) -> Machine {
    let setup = Setup {
        bounds: part.bounds.clone(),
        hardware: spec.hardware,
        axes: spec.axes,
        threat,
        devices,
        caches,
    };
    Machine::new(setup, spec.code.clone())
}

impl System for Machine {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        self.initial()
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.steps(state, steps);
    }

    fn apply(&self, state: &State, step: Step) -> Outcome<State> {
        match self.apply(state, step) {
            model::Outcome::Blocked => Outcome::Blocked,
            model::Outcome::NotModelled(bound) => Outcome::NotModelled(bound),
            model::Outcome::Next(next, seen) => {
                let model::Seen {
                    witnesses, steps, ..
                } = seen;
                Outcome::Next(next, Seen { witnesses, steps })
            }
        }
    }

    fn judge(&self, state: &State) -> u16 {
        self.judge(state)
    }

    fn is_idle(&self, state: &State) -> bool {
        self.is_idle(state)
    }
}
