//! The specification's machine as a system to search.

use model::{CacheMode, Machine, Setup, State, Step};
use vocab::{Devices, Threat};

use super::{Outcome, Seen, System, Taken};
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
        let mut next = State::default();
        match System::apply_into(self, state, step, &mut next) {
            Taken::Next(seen) => Outcome::Next(next, seen),
            Taken::Blocked => Outcome::Blocked,
            Taken::NotModelled(bound) => Outcome::NotModelled(bound),
        }
    }

    fn apply_into(&self, state: &State, step: Step, next: &mut State) -> Taken {
        match self.apply_into(state, step, next) {
            model::Taken::Blocked => Taken::Blocked,
            model::Taken::NotModelled(bound) => Taken::NotModelled(bound),
            model::Taken::Next(seen) => {
                let model::Seen {
                    witnesses, steps, ..
                } = seen;
                Taken::Next(Seen { witnesses, steps })
            }
        }
    }

    fn judge(&self, state: &State, asked: u16) -> u16 {
        self.judge(state, asked)
    }

    fn is_idle(&self, state: &State) -> bool {
        self.is_idle(state)
    }
}
