//! The machine with scheduled caches whose hardware fetches nothing: what P-LIVE is judged on.
//!
//! Threads wait for each other and for commands to take effect, never for what is cached; and hardware that fetches nothing is permitted
//! hardware. So whoever is stuck here is stuck with any hardware, and the reverse.

use std::sync::Arc;

use model::{Machine, State, Step};

use crate::search::{Outcome, System};

/// A machine without fills and evictions.
pub struct Quiet(pub Arc<Machine>);

impl System for Quiet {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        self.0.initial()
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.0.steps(state, steps);
        steps.retain(|step| !matches!(step, Step::Fill(..) | Step::Evict(..)));
    }

    fn apply(&self, state: &State, step: Step) -> Outcome<State> {
        System::apply(&*self.0, state, step)
    }

    fn judge(&self, state: &State, asked: u16) -> u16 {
        self.0.judge(state, asked)
    }

    fn is_idle(&self, state: &State) -> bool {
        self.0.is_idle(state)
    }
}
