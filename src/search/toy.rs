//! Small systems for tests: a graph written down, with a mark on each state.

use proptest::prelude::*;

use super::{Outcome, Seen, StepSet, System};

/// A graph. State 0 is the initial one; step `i` of a state goes along its `i`-th edge.
#[derive(Clone, Debug, Default)]
pub struct Toy {
    pub edges: Vec<Vec<Edge>>,
    /// The properties that each state violates.
    pub judged: Vec<u16>,
    pub idle: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    To(usize),
    Blocked,
    NotModelled,
}

impl Toy {
    /// A graph in which only state 0 is idle and nothing is violated.
    pub fn new(edges: &[&[usize]]) -> Self {
        let to = |list: &&[usize]| list.iter().map(|&to| Edge::To(to)).collect();
        Toy {
            edges: edges.iter().map(to).collect(),
            judged: vec![0; edges.len()],
            idle: (0..edges.len()).map(|state| state == 0).collect(),
        }
    }

    pub fn violating(mut self, state: usize, properties: u16) -> Self {
        self.judged[state] |= properties;
        self
    }

    /// Random graphs of up to 9 states.
    pub fn any() -> impl Strategy<Value = Toy> {
        (1usize..10).prop_flat_map(|states| {
            let edge = prop_oneof![8 => (0..states).prop_map(Edge::To), 1 => Just(Edge::Blocked)];
            let edges = proptest::collection::vec(proptest::collection::vec(edge, 0..4), states);
            let mark = prop_oneof![6 => Just(0u16), 1 => 0u16..128];
            let judged = proptest::collection::vec(mark, states);
            let idle = proptest::collection::vec(proptest::bool::weighted(0.3), states);
            (edges, judged, idle).prop_map(|(edges, judged, idle)| Toy {
                edges,
                judged,
                idle,
            })
        })
    }
}

impl System for Toy {
    type State = [u64; 2];
    type Step = u8;

    fn initial(&self) -> [u64; 2] {
        [0, 7]
    }

    fn steps(&self, state: &[u64; 2], steps: &mut Vec<u8>) {
        steps.extend(0..self.edges[state[0] as usize].len() as u8);
    }

    fn apply(&self, state: &[u64; 2], step: u8) -> Outcome<[u64; 2]> {
        match self.edges[state[0] as usize][step as usize] {
            Edge::Blocked => Outcome::Blocked,
            Edge::NotModelled => Outcome::NotModelled("toys"),
            Edge::To(to) => {
                let mut steps = StepSet::default();
                steps.insert(state[0] as usize);
                let witnesses = 1 << (to % 7);
                Outcome::Next([to as u64, 7], Seen { witnesses, steps })
            }
        }
    }

    fn judge(&self, state: &[u64; 2], asked: u16) -> u16 {
        self.judged[state[0] as usize] & asked
    }

    fn is_idle(&self, state: &[u64; 2]) -> bool {
        self.idle[state[0] as usize]
    }
}
