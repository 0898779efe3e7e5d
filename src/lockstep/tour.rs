//! A transition tour: a walk through a graph that takes every edge at least once, and then wanders.
//!
//! From where it is the walk takes an edge that it has not taken; where there is none it goes on to the nearest state that has one, and
//! where none can be reached it begins anew. So runs are long, and caches carry what earlier operations left in them into later
//! ones. (Naito and Tsunoyama, "Fault detection for sequential machines by transition tours", FTCS 1981, for the idea.)
//!
//! What an engine has cached depends on the way by which it came to a state, and each edge taken once is not every way. So the tour
//! is followed by a random walk of as many steps, the same in every run.

use std::collections::VecDeque;

use super::graph::Graph;

/// Where a tour goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Back to the first state.
    Reset,
    /// Along an edge of the current state.
    Along {
        /// Which.
        edge: usize,
        /// Whether it is only on the way to another.
        again: bool,
    },
}

/// Small graphs have many ways too.
const SHORTEST_WALK: usize = 2_000;

/// A tour in progress.
pub struct Tour<'g> {
    graph: &'g Graph,
    /// For each state how many of its edges were taken; they are taken in order.
    taken: Vec<u32>,
    left: usize,
    at: u32,
    /// Steps of the tour, and what is left of the walk behind it.
    steps: usize,
    wanders: Option<usize>,
    rng: fastrand::Rng,
    /// The way to the next edge that was not taken.
    way: VecDeque<usize>,
    /// When a state was last visited by the search for a way, and from where: cheaper than a fresh list each time.
    seen: Vec<(u32, u32, u32)>,
    searches: u32,
}

impl<'g> Tour<'g> {
    /// A tour that begins in the first state.
    pub fn new(graph: &'g Graph) -> Self {
        let states = graph.states.len();
        Tour {
            graph,
            taken: vec![0; states],
            left: graph.size(),
            at: 0,
            steps: 0,
            wanders: None,
            rng: fastrand::Rng::with_seed(2),
            way: VecDeque::new(),
            seen: vec![(0, 0, 0); states],
            searches: 0,
        }
    }

    /// The current state.
    pub const fn at(&self) -> usize {
        self.at as usize
    }

    fn has_untaken(&self, state: u32) -> bool {
        (self.taken[state as usize] as usize) < self.graph.edges[state as usize].len()
    }

    /// The next move; none at the end.
    pub fn next(&mut self) -> Option<Move> {
        match self.left {
            0 => self.wander(),
            _ => {
                self.steps += 1;
                self.take()
            }
        }
    }

    /// The next move of the walk behind the tour.
    fn wander(&mut self) -> Option<Move> {
        let left = self.wanders.get_or_insert(self.steps.max(SHORTEST_WALK));
        *left = left.checked_sub(1)?;
        let edges = &self.graph.edges[self.at as usize];
        if edges.is_empty() {
            self.at = 0;
            return Some(Move::Reset);
        }
        let edge = self.rng.usize(0..edges.len());
        self.at = edges[edge].to;
        Some(Move::Along { edge, again: false })
    }

    /// The next move of the tour.
    fn take(&mut self) -> Option<Move> {
        if self.way.is_empty() && !self.has_untaken(self.at) && !self.find_way() {
            assert!(
                self.at != 0,
                "every state was found by going from the first, so some way leads to each edge"
            );
            self.at = 0;
            return Some(Move::Reset);
        }
        let (edge, again) = match self.way.pop_front() {
            Some(edge) => (edge, true),
            None => {
                let next = self.taken[self.at()] as usize;
                self.taken[self.at as usize] += 1;
                self.left -= 1;
                (next, false)
            }
        };
        self.at = self.graph.edges[self.at as usize][edge].to;
        Some(Move::Along { edge, again })
    }

    /// Looks for the nearest state with an edge that was not taken.
    fn find_way(&mut self) -> bool {
        self.searches += 1;
        let search = self.searches;
        let mut queue = VecDeque::from([self.at]);
        self.seen[self.at as usize] = (search, u32::MAX, 0);
        while let Some(state) = queue.pop_front() {
            if self.has_untaken(state) {
                let mut state = state;
                while state != self.at {
                    let (_, from, edge) = self.seen[state as usize];
                    self.way.push_front(edge as usize);
                    state = from;
                }
                return true;
            }
            for (edge, next) in self.graph.edges[state as usize].iter().enumerate() {
                if self.seen[next.to as usize].0 != search {
                    self.seen[next.to as usize] = (search, state, edge as u32);
                    queue.push_back(next.to);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use model::{State, Step};

    use super::super::graph::Edge;
    use super::*;

    fn graph(edges: &[&[u32]]) -> Graph {
        let step = Step::Go {
            thread: 0,
            choice: 0,
        };
        Graph {
            states: vec![State::default(); edges.len()],
            edges: edges
                .iter()
                .map(|to| to.iter().map(|&to| Edge { step, to }).collect())
                .collect(),
        }
    }

    /// Walks a tour, and counts how often each edge was taken.
    fn walk(graph: &Graph) -> (Vec<Vec<usize>>, usize) {
        let mut counts: Vec<_> = graph
            .edges
            .iter()
            .map(|edges| vec![0; edges.len()])
            .collect();
        let (mut at, mut resets) = (0, 0);
        let mut tour = Tour::new(graph);
        while let Some(next) = tour.next() {
            match next {
                Move::Reset => {
                    at = 0;
                    resets += 1;
                }
                Move::Along { edge, again } => {
                    assert!(!again || counts[at][edge] > 0);
                    counts[at][edge] += 1;
                    at = graph.edges[at][edge].to as usize;
                }
            }
            assert_eq!(tour.at(), at);
        }
        (counts, resets)
    }

    #[test]
    fn every_edge_of_a_connected_graph_in_one_walk() {
        let (counts, resets) = walk(&graph(&[&[1, 2], &[0], &[0, 2]]));
        assert!(counts.iter().flatten().all(|&taken| taken > 0));
        assert_eq!(resets, 0);
        assert!(counts.iter().flatten().sum::<usize>() > SHORTEST_WALK);
    }

    #[test]
    fn dead_ends_are_left_by_beginning_anew() {
        let (counts, resets) = walk(&graph(&[&[1, 2], &[], &[1]]));
        assert!(counts.iter().flatten().all(|&taken| taken > 0));
        assert!(resets > 0);
    }
}
