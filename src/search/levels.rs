//! Our own search: level by level, exact, deterministic. The verdict of record.
//!
//! States are numbered in the order in which they are met: by level, then by the order of their parents, then by the order of
//! the step. The first state that violates a property therefore ends a shortest path, and of several shortest paths always the
//! same one. The search goes on after a violation: its counts are those of the whole reachable space.
//!
//! What it keeps for a state: its packed bytes (see [`super::packed`]), its parent, and its successors if P-LIVE is asked.
//! Steps are not kept; a path is found again by taking steps from parent to child.

use std::time::{Duration, Instant};

use vocab::PropertyId;

use super::live::{Graph, Stuck};
use super::store::{Place, Store};
use super::{Control, Found, Outcome, Progress, StepSet, System, Taken, Why};

/// How often the clock is read, in states.
const CLOCK: u32 = 256;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);

/// Searches everything that can be reached. `asks` is the set of properties that are judged.
pub fn search<S: System>(system: &S, asks: u16, control: &Control) -> Found<Vec<S::Step>> {
    let mut levels = Levels::new(system, asks, control);
    let stopped = levels.explore().err();
    levels.found(stopped)
}

/// Searches until something violates, and then to the end of that level: every property that breaks in as few steps has its path.
pub fn search_until_violated<S: System>(
    system: &S,
    asks: u16,
    control: &Control,
) -> Found<Vec<S::Step>> {
    let mut levels = Levels::new(system, asks, control);
    levels.stops_at_violation = true;
    let stopped = levels.explore().err();
    levels.found(stopped)
}

struct Levels<'a, S: System> {
    system: &'a S,
    asks: u16,
    control: &'a Control<'a>,
    /// All states met so far.
    store: Store,
    /// The state from which each was first met; the initial one is its own.
    parents: Vec<u32>,
    /// The first state of each level.
    levels: Vec<u32>,
    /// The transitions, if P-LIVE is asked.
    graph: Option<Graph>,
    transitions: u64,
    witnessed: u16,
    executed: StepSet,
    /// For each property the first state that violates it.
    first: [Option<u32>; PropertyId::ALL.len()],
    told: Instant,
    /// Whether the first level that meets a violation is the last.
    stops_at_violation: bool,
}

impl<'a, S: System> Levels<'a, S> {
    fn new(system: &'a S, asks: u16, control: &'a Control<'a>) -> Self {
        Levels {
            system,
            asks,
            control,
            store: Store::default(),
            parents: Vec::new(),
            levels: Vec::new(),
            graph: (asks & PropertyId::Live.bit() != 0).then(Graph::default),
            transitions: 0,
            witnessed: 0,
            executed: StepSet::default(),
            first: [None; PropertyId::ALL.len()],
            told: control.began,
            stops_at_violation: false,
        }
    }

    /// Visits everything, or says why not.
    fn explore(&mut self) -> Result<(), Why> {
        let mut next = self.system.initial();
        self.meet(&next, 0)?;
        if self.stops_at_violation && self.first.iter().any(Option::is_some) {
            return Err(Why::Violated);
        }
        let mut level = 0..1;
        let mut steps = Vec::new();
        while !level.is_empty() {
            self.levels.push(level.start);
            for state in level.clone() {
                if state % CLOCK == 0 {
                    self.look_up(state)?;
                }
                self.expand(state, &mut steps, &mut next)?;
            }
            if self.stops_at_violation && self.first.iter().any(Option::is_some) {
                return Err(Why::Violated);
            }
            level = level.end..self.store.len() as u32;
        }
        if let Some(graph) = &self.graph {
            let (Stuck::Deadlock(state) | Stuck::Livelock(state)) =
                match graph.stuck(|state| self.level_of(state)) {
                    None => return Ok(()),
                    Some(stuck) => stuck,
                };
            self.first[PropertyId::Live as usize] = Some(state);
        }
        Ok(())
    }

    /// Takes every step of a state. `steps` and `next` are room to work in.
    fn expand(
        &mut self,
        number: u32,
        steps: &mut Vec<S::Step>,
        next: &mut S::State,
    ) -> Result<(), Why> {
        let state = self.store.get::<S::State>(number);
        let is_idle = self.system.is_idle(&state);
        let before = self.transitions;
        steps.clear();
        self.system.steps(&state, steps);
        for &step in steps.iter() {
            match self.system.apply_into(&state, step, next) {
                Taken::Blocked => {}
                Taken::NotModelled(bound) => return Err(Why::NotModelled(bound)),
                Taken::Next(seen) => {
                    let to = self.meet(next, number)?;
                    self.transitions += 1;
                    self.witnessed |= seen.witnesses;
                    self.executed.merge(&seen.steps);
                    if let Some(graph) = &mut self.graph {
                        graph.edge(to);
                    }
                }
            }
        }
        if let Some(graph) = &mut self.graph {
            graph.end_of_state(is_idle);
        }
        if !is_idle {
            self.witnessed |= PropertyId::Live.bit();
            // A deadlock needs no complete search to be one.
            if self.transitions == before && self.graph.is_some() {
                self.first[PropertyId::Live as usize].get_or_insert(number);
            }
        }
        Ok(())
    }

    /// The number of a state. Judges it if it is new.
    fn meet(&mut self, state: &S::State, parent: u32) -> Result<u32, Why> {
        let capacity = self.control.limits.max_states.unwrap_or(u64::MAX);
        let number = match self.store.place(state, capacity) {
            Place::Known(number) => return Ok(number),
            Place::Full => return Err(Why::MaxStates(capacity.min(Store::CAPACITY))),
            Place::New(number) => number,
        };
        self.parents.push(parent);
        let violated = self.system.judge(state, self.asks);
        for property in PropertyId::ALL {
            if violated & property.bit() != 0 {
                self.first[property as usize].get_or_insert(number);
            }
        }
        Ok(number)
    }

    /// Looks at the world outside: the clock, the user.
    fn look_up(&mut self, state: u32) -> Result<(), Why> {
        if let Some(why) = self.control.stop() {
            return Err(why);
        }
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            (self.control.progress)(Progress {
                states: self.store.len() as u64,
                transitions: self.transitions,
                level: self.levels.len() as u32 - 1,
                frontier: (self.store.len() as u32 - state).into(),
            });
        }
        Ok(())
    }

    fn level_of(&self, state: u32) -> u32 {
        self.levels.partition_point(|&first| first <= state) as u32 - 1
    }

    fn found(&self, stopped: Option<Why>) -> Found<Vec<S::Step>> {
        let paths: Vec<_> = PropertyId::ALL
            .into_iter()
            .filter_map(|id| Some((id, self.path(self.first[id as usize]?))))
            .collect();
        Found {
            states: self.store.len() as u64,
            transitions: self.transitions,
            depth: Some(self.depth()),
            stopped,
            violated: paths.iter().fold(0, |set, (id, _)| set | id.bit()),
            witnessed: self.witnessed & self.asks,
            executed: self.executed,
            paths,
        }
    }

    /// The level of the farthest state, which the search may have met without having come to its level.
    fn depth(&self) -> u32 {
        let Some(&parent) = self.parents.last() else {
            return 0;
        };
        match self.store.len() {
            1 => 0,
            _ => self.level_of(parent) + 1,
        }
    }

    /// The steps from the initial state to a state.
    fn path(&self, mut number: u32) -> Vec<S::Step> {
        let mut path = Vec::new();
        while number != 0 {
            let parent = self.parents[number as usize];
            path.push(self.step_between(parent, number));
            number = parent;
        }
        path.reverse();
        path
    }

    /// The first step that leads from a state to its child.
    fn step_between(&self, parent: u32, child: u32) -> S::Step {
        let (from, to) = (self.store.get(parent), self.store.get::<S::State>(child));
        let mut steps = Vec::new();
        self.system.steps(&from, &mut steps);
        steps
            .into_iter()
            .find(|&step| matches!(self.system.apply(&from, step), Outcome::Next(next, _) if next == to))
            .expect("a state cannot be reached from its parent: `steps` or `apply` is not a function of its arguments")
    }
}

#[cfg(test)]
mod tests;
