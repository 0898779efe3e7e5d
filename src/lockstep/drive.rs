//! Drives a whole graph through the engine.

use std::fmt::{Display, Formatter, Result as Fmt};

use model::trace::{self, Deed};
use model::{Machine, Step};

use super::board::{Board, Pace, smmu};
use super::graph::Graph;
use super::probe::{Expected, Probe};
use super::tour::{Move, Tour};
use super::unit;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// States of the graph.
    pub states: u64,
    /// Edges of the graph, each of which was taken.
    pub edges: u64,
    /// Steps that were taken, edges taken again included.
    pub steps: u64,
    /// How often the tour began anew.
    pub resets: u64,
    /// Accesses that were compared.
    pub accesses: u64,
    /// Of these, ones for which the model allows one answer only.
    pub certain: u64,
    /// Of these, ones that an SMMU without caches answers differently: something stale was really met.
    pub stale: u64,
    /// Answers that the model allows, summed over states and accesses.
    pub allowed: u64,
    /// Of these, the answers that the engine gave in that state at least once.
    pub given: u64,
}

impl Compared {
    /// Adds what was compared of the same graph with commands consumed at another time.
    pub fn add(&mut self, other: &Compared) {
        (self.states, self.edges) = (other.states, other.edges);
        self.steps += other.steps;
        self.resets += other.resets;
        self.accesses += other.accesses;
        self.certain += other.certain;
        self.stale += other.stale;
        self.allowed += other.allowed;
        self.given += other.given;
    }
}

/// An answer that the model does not allow, or a step that did not go as it says.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The steps from the first state on.
    pub path: Vec<Step>,
    /// When commands were consumed.
    pub pace: Pace,
    /// What differs.
    pub what: String,
    /// The steps in words.
    pub told: Vec<String>,
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        for (place, line) in self.told.iter().enumerate() {
            writeln!(f, "{:4}  {line}", place + 1)?;
        }
        write!(f, "with commands consumed {}: {}", self.pace, self.what)
    }
}

/// Takes every edge of a graph on the engine, and compares every access after each.
pub fn drive(machine: &Machine, graph: &Graph, pace: Pace) -> Result<Compared, Box<Difference>> {
    drive_altered(machine, graph, pace, Some)
}

/// The same, with what software does to the queues altered on the way to the engine: to see that the comparison notices.
pub(super) fn drive_altered(
    machine: &Machine,
    graph: &Graph,
    pace: Pace,
    alter: impl Fn(Deed) -> Option<Deed>,
) -> Result<Compared, Box<Difference>> {
    let smmu = smmu();
    let mut driver = Driver {
        machine,
        graph,
        board: Board::new(machine, &smmu, pace, unit::all(&smmu)),
        probes: Probe::all(machine),
        book: vec![None; graph.states.len()],
        compared: Compared {
            states: graph.states.len() as u64,
            edges: graph.size() as u64,
            ..Compared::default()
        },
    };
    let mut path = Vec::new();
    match driver.go(&alter, &mut path) {
        Ok(()) => Ok(driver.compared()),
        Err(what) => Err(Box::new(Difference {
            told: tell(machine, &path),
            path,
            pace,
            what,
        })),
    }
}

struct Driver<'s> {
    machine: &'s Machine,
    graph: &'s Graph,
    board: Board<'s>,
    probes: Vec<Probe>,
    /// For each state that was met what the model allows of each probe.
    book: Vec<Option<Vec<Expected>>>,
    compared: Compared,
}

impl Driver<'_> {
    /// Takes the tour; `path` is what was done since it last began anew.
    fn go(
        &mut self,
        alter: &impl Fn(Deed) -> Option<Deed>,
        path: &mut Vec<Step>,
    ) -> Result<(), String> {
        let mut tour = Tour::new(self.graph);
        let every = 0..self.probes.len();
        self.observe(tour.at(), every.clone())?;
        loop {
            let from = tour.at();
            let Some(next) = tour.next() else {
                return Ok(());
            };
            let probes = match next {
                Move::Reset => {
                    self.board.reset();
                    path.clear();
                    self.compared.resets += 1;
                    every.clone()
                }
                Move::Along { edge, again } => {
                    let edge = self.graph.edges[from][edge];
                    path.push(edge.step);
                    let (before, after) = (
                        &self.graph.states[from],
                        &self.graph.states[edge.to as usize],
                    );
                    let deed = trace::deed(self.machine, before, edge.step);
                    let done = self.board.step(deed.and_then(alter), after);
                    done.map_err(|wrong| wrong.0)?;
                    self.compared.steps += 1;
                    match again {
                        // All were compared when the edge was taken first; one more keeps the caches warm.
                        true => {
                            let one = self.compared.steps as usize % self.probes.len();
                            one..one + 1
                        }
                        false => every.clone(),
                    }
                }
            };
            self.observe(tour.at(), probes)?;
        }
    }

    /// Accesses in the state where the board is, through each unit.
    fn observe(&mut self, at: usize, probes: std::ops::Range<usize>) -> Result<(), String> {
        let (machine, state) = (self.machine, &self.graph.states[at]);
        let expected = self.book[at].get_or_insert_with(|| {
            let of = |probe: &Probe| probe.expected(machine, state);
            self.probes.iter().map(of).collect()
        });
        for place in probes {
            let (probe, expected) = (&self.probes[place], &mut expected[place]);
            if !probe.is_made(machine, state) {
                continue;
            }
            let how = Probe::how(self.compared.steps as usize + place);
            let mut fresh = None;
            for unit in 0..self.board.units.len() {
                let answer = probe.make(&mut self.board, unit, how);
                if !expected.gives(&answer) {
                    let caches = self.board.units[unit].name();
                    return Err(probe.unexpected(caches, &answer, expected));
                }
                self.compared.accesses += 1;
                self.compared.certain += u64::from(expected.is_certain());
                // The first unit has no caches.
                let fresh = fresh.get_or_insert_with(|| answer.clone());
                self.compared.stale += u64::from(*fresh != answer);
            }
        }
        Ok(())
    }

    fn compared(&self) -> Compared {
        let mut compared = self.compared;
        for expected in self.book.iter().flatten().flatten() {
            compared.allowed += expected.allowed();
            compared.given += expected.given();
        }
        compared
    }
}

/// A path in words.
fn tell(machine: &Machine, path: &[Step]) -> Vec<String> {
    let mut told = Vec::new();
    let mut state = machine.initial();
    for &step in path {
        let model::Outcome::Next(next, _) = machine.apply(&state, step) else {
            panic!("a path of the graph can be taken again: {step:?}");
        };
        let line = trace::describe(machine, &state, step, &next);
        told.push(format!("{}: {}", line.who, line.what));
        state = next;
    }
    told
}
