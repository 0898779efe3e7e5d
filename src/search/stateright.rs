//! The second opinion: stateright's breadth-first checker. The only file that names stateright.
//!
//! What it decides itself: which states there are, how many transitions, and which `always` properties fail. What it cannot
//! be asked (0.31 has no graph and no sound `eventually`) the adapter writes down while stateright explores: edges for P-LIVE,
//! witnesses, executed steps.
//!
//! Known traps, and what is done about them:
//! * A run that was cut short says `is_done()` like one that was not. So nothing is left to its own limits: this adapter sets
//!   the limits, knows whether it stopped the run, and compares the states expanded with the states generated.
//! * It stops when every property has a discovery. One more, which never has, keeps it going.
//! * It stores 64-bit fingerprints: with n states, about n²/2⁶⁵ is the chance that one was missed. They are made from hashes of
//!   ours that are as long, and that name states in P-LIVE's edges too: twice that chance. The exact search is [`super::levels`].
//! * With several threads levels overlap: its depth may be too large and is not reported, and counts of a run that was
//!   stopped differ from run to run.
//! * Its counterexamples are not shortest and differ from run to run. They are dropped.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use stateright::{Checker, Model, Property};
use vocab::PropertyId;

use super::hash::hash;
use super::notes::Notes;
use super::{Control, Found, Progress, System, Taken, Why};

/// Searches everything that can be reached, on several threads. `asks` is the set of properties that are judged.
pub fn search<S: System>(
    system: &Arc<S>,
    asks: u16,
    control: &Control,
    threads: usize,
) -> Found<()> {
    let notes = Arc::new(Notes::new(asks));
    let adapter = Adapter {
        system: Arc::clone(system),
        notes: Arc::clone(&notes),
    };
    let mut checker = adapter.checker().threads(threads).spawn_bfs();
    let mut why = None;
    let handles = checker.handles();
    let mut pause = Duration::from_micros(50);
    while !handles.iter().all(|handle| handle.is_finished()) {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
        let states = checker.unique_state_count() as u64;
        why = why
            .or_else(|| control.stop())
            .or_else(|| too_many(states, control));
        if why.is_some() {
            notes.halt();
        }
        (control.progress)(Progress {
            states,
            transitions: checker.state_count() as u64 - 1,
            level: checker.max_depth().saturating_sub(1) as u32,
            frontier: states.saturating_sub(notes.total().expanded),
        });
    }
    for handle in handles {
        if let Err(panic) = handle.join() {
            std::panic::resume_unwind(panic);
        }
    }

    let states = checker.unique_state_count() as u64;
    let total = notes.total();
    let stopped = notes
        .too_large()
        .map(Why::NotModelled)
        .or(why)
        .or_else(|| too_many(states, control));
    assert!(
        stopped.is_some() || total.expanded == states,
        "stateright ended by itself with {} of {states} states expanded",
        total.expanded
    );
    let mut violated = 0;
    if stopped.is_none() && notes.asks(PropertyId::Live.name()) && !notes.all_return() {
        violated |= PropertyId::Live.bit();
    }
    // stateright finds the paths of its discoveries by taking their steps once more, of which there must be no notes.
    notes.close();
    let discoveries = checker.discoveries();
    for id in PropertyId::ALL {
        if discoveries.contains_key(id.name()) {
            violated |= id.bit();
        }
    }
    Found {
        states,
        transitions: checker.state_count() as u64 - 1,
        depth: (threads == 1).then(|| checker.max_depth().saturating_sub(1) as u32),
        stopped,
        violated,
        witnessed: total.witnessed & asks,
        executed: total.executed,
        paths: Vec::new(),
    }
}

fn too_many(states: u64, control: &Control) -> Option<Why> {
    let limit = control.limits.max_states?;
    (states > limit).then_some(Why::MaxStates(limit))
}

/// A system as stateright sees it.
struct Adapter<S> {
    system: Arc<S>,
    notes: Arc<Notes>,
}

/// A state, its name in notes, and its judgement once it was asked for: stateright asks property by property.
#[derive(Clone, Debug)]
struct Node<T> {
    state: T,
    name: u64,
    judged: OnceLock<u16>,
}

impl<T: Pod> From<T> for Node<T> {
    fn from(state: T) -> Self {
        Node {
            name: hash(bytemuck::bytes_of(&state)),
            judged: OnceLock::new(),
            state,
        }
    }
}

impl<T: PartialEq> PartialEq for Node<T> {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl<T> Hash for Node<T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // Of the name, not of the state: a state is hashed once, for notes and for stateright.
        hasher.write_u64(self.name);
    }
}

impl<S: System> Model for Adapter<S> {
    type State = Node<S::State>;
    type Action = S::Step;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.system.initial().into()]
    }

    fn actions(&self, node: &Self::State, steps: &mut Vec<S::Step>) {
        if !self.notes.halted() {
            self.notes
                .expanded(node.name, self.system.is_idle(&node.state));
            self.system.steps(&node.state, steps);
        }
    }

    fn next_state(&self, node: &Self::State, step: S::Step) -> Option<Self::State> {
        if self.notes.halted() {
            return None;
        }
        let mut next = S::State::zeroed();
        match self.system.apply_into(&node.state, step, &mut next) {
            Taken::Blocked => None,
            Taken::NotModelled(bound) => {
                self.notes.is_too_large(bound);
                None
            }
            Taken::Next(seen) => {
                let next = Node::from(next);
                self.notes
                    .transition(node.name, next.name, seen.witnesses, &seen.steps);
                Some(next)
            }
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        [
            Property::always(PropertyId::S1.name(), fine::<S, { PropertyId::S1.bit() }>),
            Property::always(PropertyId::Cfg.name(), fine::<S, { PropertyId::Cfg.bit() }>),
            Property::always(PropertyId::Iso.name(), fine::<S, { PropertyId::Iso.bit() }>),
            Property::always(PropertyId::S2.name(), fine::<S, { PropertyId::S2.bit() }>),
            Property::always(
                PropertyId::Alias.name(),
                fine::<S, { PropertyId::Alias.bit() }>,
            ),
            Property::always(
                PropertyId::Conf.name(),
                fine::<S, { PropertyId::Conf.bit() }>,
            ),
            Property::always(
                PropertyId::Scope.name(),
                fine::<S, { PropertyId::Scope.bit() }>,
            ),
            Property::always(
                PropertyId::Report.name(),
                fine::<S, { PropertyId::Report.bit() }>,
            ),
            Property::always(PropertyId::Use.name(), fine::<S, { PropertyId::Use.bit() }>),
            Property::always(
                PropertyId::Tear.name(),
                fine::<S, { PropertyId::Tear.bit() }>,
            ),
            Property::always(
                PropertyId::Hitless.name(),
                fine::<S, { PropertyId::Hitless.bit() }>,
            ),
        ]
        .into_iter()
        .filter(|property| self.notes.asks(property.name))
        .chain([Property::sometimes("never", |_, _| false)])
        .collect()
    }
}

/// Whether a state does not violate the property of a bit.
fn fine<S: System, const BIT: u16>(adapter: &Adapter<S>, node: &Node<S::State>) -> bool {
    // After a halt pending states are only thrown away.
    let judge = || adapter.system.judge(&node.state, adapter.notes.asked());
    adapter.notes.halted() || node.judged.get_or_init(judge) & BIT == 0
}
