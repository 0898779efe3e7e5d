//! P-LIVE over the explored graph: nothing gets stuck.
//!
//! Claim    Every reachable state has a successor or is idle, and from every reachable state an idle state can be reached.
//! Method   Backward search from all idle states over the reversed edges. A state that it does not meet cannot return; if it
//!          has no successor at all it is a deadlock.
//! Left out Fairness: a system that can return to idle but may also avoid it for ever is live.

/// The explored graph: for each state, in the order of their numbers, its successors.
#[derive(Default)]
pub struct Graph {
    /// Where the successors of each state end.
    ends: Vec<u64>,
    /// All successors, one state's after another's.
    successors: Vec<u32>,
    /// The states in which nothing is going on.
    idle: Vec<u32>,
}

/// How a state violates P-LIVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// It has no successor and is not idle.
    Deadlock(u32),
    /// It can go on, but to no idle state.
    Livelock(u32),
}

impl Graph {
    /// Adds a transition of the state that is being expanded.
    pub fn edge(&mut self, to: u32) {
        self.successors.push(to);
    }

    /// Ends the expansion of a state.
    pub fn end_of_state(&mut self, is_idle: bool) {
        if is_idle {
            self.idle.push(self.ends.len() as u32);
        }
        self.ends.push(self.successors.len() as u64);
    }

    /// The first state, by number, that violates P-LIVE. Every state must have been expanded, and numbers must ascend with
    /// levels: then it has a shortest path. `level` tells a state's level; of two on the same one, a deadlock is preferred.
    pub fn stuck(&self, level: impl Fn(u32) -> u32) -> Option<Stuck> {
        let returns = self.returning();
        let first = returns.iter().position(|returns| !returns)?;
        let deadlock = (first..self.ends.len())
            .take_while(|&state| level(state as u32) == level(first as u32))
            .find(|&state| !returns[state] && self.of(state).is_empty());
        Some(match deadlock {
            Some(state) => Stuck::Deadlock(state as u32),
            None => Stuck::Livelock(first as u32),
        })
    }

    /// For each state whether it can reach an idle one.
    fn returning(&self) -> Vec<bool> {
        let (begins, predecessors) = self.reversed();
        let mut returns = vec![false; self.ends.len()];
        let mut pending = self.idle.clone();
        for &state in &pending {
            returns[state as usize] = true;
        }
        while let Some(state) = pending.pop() {
            let state = state as usize;
            for &from in &predecessors[begins[state] as usize..begins[state + 1] as usize] {
                if !std::mem::replace(&mut returns[from as usize], true) {
                    pending.push(from);
                }
            }
        }
        returns
    }

    /// The same graph with every edge turned round: where each state's predecessors begin, and the predecessors.
    fn reversed(&self) -> (Vec<u64>, Vec<u32>) {
        let mut begins = vec![0u64; self.ends.len() + 2];
        for &to in &self.successors {
            begins[to as usize + 2] += 1;
        }
        for state in 1..begins.len() {
            begins[state] += begins[state - 1];
        }
        // `begins[to + 1]` is where the next predecessor of `to` goes; when all are placed, it is where they end.
        let mut predecessors = vec![0; self.successors.len()];
        for from in 0..self.ends.len() {
            for &to in self.of(from) {
                let at = &mut begins[to as usize + 1];
                predecessors[*at as usize] = from as u32;
                *at += 1;
            }
        }
        (begins, predecessors)
    }

    /// The successors of a state.
    fn of(&self, state: usize) -> &[u32] {
        let start = state.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.successors[start as usize..self.ends[state] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(states: &[(&[u32], bool)]) -> Graph {
        let mut graph = Graph::default();
        for (successors, is_idle) in states {
            successors.iter().for_each(|&to| graph.edge(to));
            graph.end_of_state(*is_idle);
        }
        graph
    }

    #[test]
    fn a_ring_through_idle_is_live() {
        let ring = graph(&[(&[1], true), (&[2], false), (&[0], false)]);
        assert_eq!(ring.stuck(|state| state), None);
    }

    #[test]
    fn idle_may_be_the_end() {
        assert_eq!(graph(&[(&[], true)]).stuck(|state| state), None);
    }

    #[test]
    fn a_loop_without_idle_is_a_livelock() {
        let lost = graph(&[(&[1], true), (&[1], false)]);
        assert_eq!(lost.stuck(|state| state), Some(Stuck::Livelock(1)));
    }

    #[test]
    fn a_deadlock_is_preferred_on_the_same_level_only() {
        let both = graph(&[(&[1, 2], true), (&[1], false), (&[], false)]);
        assert_eq!(both.stuck(|state| state.min(1)), Some(Stuck::Deadlock(2)));
        assert_eq!(both.stuck(|state| state), Some(Stuck::Livelock(1)));
    }
}
