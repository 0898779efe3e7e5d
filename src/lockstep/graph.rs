//! Every state that a machine can reach, and every step between them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use model::{Machine, Outcome, State, Step};

/// A step and where it leads.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// The step.
    pub step: Step,
    /// The place of the state that it leads to.
    pub to: u32,
}

/// A reachable graph, in the order of discovery: state 0 is the first.
pub struct Graph {
    /// The states.
    pub states: Vec<State>,
    /// The steps from each.
    pub edges: Vec<Vec<Edge>>,
}

/// Why a graph was not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGraph {
    /// It has more states than were allowed.
    TooLarge(u64),
    /// A step leads outside of what a state can say.
    NotModelled(&'static str),
}

impl std::fmt::Display for NoGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoGraph::TooLarge(most) => write!(f, "more than {most} states"),
            NoGraph::NotModelled(bound) => f.write_str(bound),
        }
    }
}

impl Graph {
    /// The whole graph of a machine, if it has at most so many states.
    pub fn of(machine: &Machine, most: u64) -> Result<Self, NoGraph> {
        let initial = machine.initial();
        let mut known = HashMap::from([(initial, 0)]);
        let mut graph = Graph {
            states: vec![initial],
            edges: Vec::new(),
        };
        let mut steps = Vec::new();
        while let Some(&state) = graph.states.get(graph.edges.len()) {
            steps.clear();
            machine.steps(&state, &mut steps);
            let mut edges = Vec::new();
            for &step in &steps {
                let next = match machine.apply(&state, step) {
                    Outcome::Next(next, _) => next,
                    Outcome::Blocked => continue,
                    Outcome::NotModelled(bound) => return Err(NoGraph::NotModelled(bound)),
                };
                let to = match known.entry(next) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        if graph.states.len() as u64 >= most {
                            return Err(NoGraph::TooLarge(most));
                        }
                        let place = graph.states.len() as u32;
                        graph.states.push(next);
                        *entry.insert(place)
                    }
                };
                edges.push(Edge { step, to });
            }
            graph.edges.push(edges);
        }
        Ok(graph)
    }

    /// How many edges there are.
    pub fn size(&self) -> usize {
        self.edges.iter().map(Vec::len).sum()
    }
}
