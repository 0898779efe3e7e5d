//! When each command takes effect: from a trace with saturated caches to one that scheduled hardware can take.
//!
//! Software does the same in both: it never reads a cache, and waits for hardware only at a SYNC. So the thread's steps stay, and what has to be
//! found is what hardware does between them. More in the caches never prevents a violation, so everything that can be cached is cached at
//! once; what is left to choose is when each command takes effect, between its issue and its SYNC. All choices are tried, as
//! late as possible first. `minimise` then takes away what does not matter.

use std::collections::HashSet;

use model::{Machine, State, Step};

use super::events::{Event, Run};

/// What a concrete trace must do.
pub struct Goal<'a> {
    /// The machine with scheduled caches.
    pub machine: &'a Machine,
    /// The threads' steps.
    pub software: &'a [Step],
    /// What each leads to with saturated caches, its caches and commands in flight apart.
    pub expected: &'a [State],
    /// Whether a state is what the trace must end in.
    pub violates: &'a dyn Fn(&State) -> bool,
}

/// More alternatives than any story needs. A search that comes here has found no way, and says so.
const MOST: usize = 200_000;

/// A trace in which hardware caches nothing at all, or else one in which it caches all that it can; none if neither leads to a violation.
pub fn schedule(goal: &Goal) -> Option<Run> {
    [false, true].into_iter().find_map(|fills| {
        let known = HashSet::new();
        let mut search = Search { goal, fills, known };
        let mut run = Run::new(goal.machine);
        search.fill(&mut run);
        search.go(run, 0)
    })
}

struct Search<'a> {
    goal: &'a Goal<'a>,
    fills: bool,
    known: HashSet<(usize, State)>,
}

impl Search<'_> {
    /// Goes on behind the first `done` steps of software.
    fn go(&mut self, run: Run, done: usize) -> Option<Run> {
        let Some(&step) = self.goal.software.get(done) else {
            return (self.goal.violates)(&run.end).then_some(run);
        };
        if self.known.len() >= MOST || !self.known.insert((done, run.end)) {
            return None;
        }
        let mut next = run.clone();
        if next.take(self.goal.machine, Event::Software(step))
            && is_same_software(&next.end, &self.goal.expected[done])
        {
            // What is wrong with a step shows only right behind it.
            if done + 1 == self.goal.software.len() && (self.goal.violates)(&next.end) {
                return Some(next);
            }
            self.fill(&mut next);
            let found = self.go(next, done + 1);
            if found.is_some() {
                return found;
            }
        }
        let waiting: Vec<_> = run.in_flight().collect();
        waiting.into_iter().find_map(|nth| {
            let mut next = run.clone();
            if !next.take(self.goal.machine, Event::Effect(nth)) {
                return None;
            }
            self.fill(&mut next);
            self.go(next, done)
        })
    }

    /// Caches everything that can be cached.
    fn fill(&self, run: &mut Run) {
        if !self.fills {
            return;
        }
        let machine = self.goal.machine;
        loop {
            let offered = machine.fetchable(&run.end);
            if offered.is_empty() {
                return;
            }
            for (byte, bit) in offered.bits() {
                run.take(machine, Event::Fill(byte, bit));
            }
        }
    }
}

/// Whether two states differ in caches and commands in flight only.
pub fn is_same_software(a: &State, b: &State) -> bool {
    (a.threads, a.memory, a.ghost) == (b.threads, b.memory, b.ghost)
}
