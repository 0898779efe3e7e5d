//! Counts, shortest paths, stuck states and limits on small graphs; paths also against a definition that does not search.

use super::*;
use crate::search::toy::{Edge, Toy};
use crate::search::{Limits, Why};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

const ALL: u16 = u16::MAX;

fn within(toy: &Toy, limits: Limits, interrupt: bool) -> Found<Vec<u8>> {
    let interrupt = AtomicBool::new(interrupt);
    search(toy, ALL, &Control::new(limits, &interrupt, &|_| {}))
}

fn run(toy: &Toy) -> Found<Vec<u8>> {
    within(toy, Limits::default(), false)
}

#[test]
fn counts_states_transitions_and_depth() {
    let found = run(&Toy::new(&[&[1, 2], &[3], &[3], &[0, 3], &[0]]));
    assert_eq!((found.states, found.transitions), (4, 6));
    assert_eq!((found.depth, found.stopped), (Some(2), None));
    assert_eq!(found.violated, 0);
}

#[test]
fn the_path_is_shortest_and_the_first_of_those() {
    // 3 is reached by 0-1-3 and 0-2-3 and, later in the file, by a longer way; 2 lists the edge first.
    let toy = Toy::new(&[&[2, 1], &[3, 3], &[4, 3], &[0], &[3]]);
    let found = run(&toy.violating(3, PropertyId::S1.bit()));
    assert_eq!(found.paths, [(PropertyId::S1, vec![0, 1])]);
}

#[test]
fn each_property_has_its_own_path_and_the_search_goes_on() {
    let toy = Toy::new(&[&[1], &[2], &[0]])
        .violating(1, PropertyId::Cfg.bit())
        .violating(2, PropertyId::Cfg.bit() | PropertyId::Iso.bit());
    let found = run(&toy);
    let paths = [(PropertyId::Cfg, vec![0]), (PropertyId::Iso, vec![0, 0])];
    assert_eq!((found.states, found.paths), (3, paths.to_vec()));
}

#[test]
fn the_initial_state_is_judged() {
    let found = run(&Toy::new(&[&[]]).violating(0, PropertyId::Conf.bit()));
    assert_eq!(found.paths, [(PropertyId::Conf, vec![])]);
    assert_eq!(found.depth, Some(0));
}

#[test]
fn a_deadlock_violates_live() {
    let found = run(&Toy::new(&[&[1, 2], &[0], &[]]));
    assert_eq!(found.paths, [(PropertyId::Live, vec![1])]);
}

#[test]
fn a_livelock_violates_live() {
    let found = run(&Toy::new(&[&[1, 0], &[0, 2], &[3], &[2]]));
    assert_eq!(found.paths, [(PropertyId::Live, vec![0, 1])]);
}

#[test]
fn live_is_put_to_the_test_by_a_state_that_is_not_idle() {
    let bit = PropertyId::Live.bit();
    assert_eq!(run(&Toy::new(&[&[0]])).witnessed & bit, 0);
    assert_eq!(run(&Toy::new(&[&[1], &[0]])).witnessed & bit, bit);
}

#[test]
fn a_limit_is_the_reason_to_have_stopped() {
    let ring = Toy::new(&[&[1], &[2], &[0]]);
    let two = Limits {
        max_states: Some(2),
        ..Limits::default()
    };
    let found = within(&ring, two, false);
    assert_eq!((found.states, found.stopped), (2, Some(Why::MaxStates(2))));
    let three = Limits {
        max_states: Some(3),
        ..Limits::default()
    };
    assert_eq!(within(&ring, three, false).stopped, None);
    let zero = Limits {
        timeout: Some(Duration::ZERO),
        ..Limits::default()
    };
    let found = within(&ring, zero, false);
    assert_eq!(found.stopped, Some(Why::Timeout(Duration::ZERO)));
    let found = within(&ring, Limits::default(), true);
    assert_eq!(found.stopped, Some(Why::Interrupted));
}

#[test]
fn what_is_too_large_stops_it_and_an_early_deadlock_stays_one() {
    let mut toy = Toy::new(&[&[1, 2], &[], &[0]]);
    toy.edges[2].push(Edge::NotModelled);
    let found = run(&toy);
    assert_eq!(found.stopped, Some(Why::NotModelled("toys")));
    assert_eq!(found.violated, PropertyId::Live.bit());
}

fn run_until_violated(toy: &Toy, asks: u16) -> Found<Vec<u8>> {
    let never = AtomicBool::new(false);
    search_until_violated(toy, asks, &Control::new(Limits::default(), &never, &|_| {}))
}

#[test]
fn the_first_level_with_a_violation_is_searched_to_its_end() {
    let [cfg, iso, s1] = [PropertyId::Cfg, PropertyId::Iso, PropertyId::S1].map(PropertyId::bit);
    let toy = Toy::new(&[&[1, 2], &[3], &[0], &[0]])
        .violating(1, cfg)
        .violating(2, iso)
        .violating(3, s1);
    let found = run_until_violated(&toy, ALL);
    assert_eq!((found.violated, found.states), (cfg | iso, 3));
    assert_eq!(found.stopped, Some(Why::Violated));
    let initial = run_until_violated(&Toy::new(&[&[0]]).violating(0, s1), ALL);
    assert_eq!((initial.violated, initial.states), (s1, 1));
    let deadlock = run_until_violated(&Toy::new(&[&[1, 2], &[], &[3], &[0]]), ALL);
    assert_eq!(
        (deadlock.violated, deadlock.states),
        (PropertyId::Live.bit(), 4)
    );
}

/// Where a path of steps leads.
fn end(toy: &Toy, path: &[u8]) -> Option<usize> {
    path.iter().try_fold(0, |state, &step| {
        match toy.edges[state].get(usize::from(step))? {
            Edge::To(next) => Some(*next),
            Edge::Blocked | Edge::NotModelled => None,
        }
    })
}

/// The states that can be reached from a state.
fn reachable(toy: &Toy, from: usize) -> Vec<usize> {
    let mut states = vec![from];
    let mut next = 0;
    while next < states.len() {
        for edge in &toy.edges[states[next]] {
            if let Edge::To(to) = edge
                && !states.contains(to)
            {
                states.push(*to);
            }
        }
        next += 1;
    }
    states
}

/// By definition: of all paths to a wanted state the shortest, and of those the first in the dictionary's order.
fn first_path(toy: &Toy, wanted: &dyn Fn(usize) -> bool) -> Option<Vec<u8>> {
    let mut paths = vec![Vec::new()];
    for _ in 0..toy.edges.len() {
        if let Some(path) = paths.iter().find(|path| end(toy, path).is_some_and(wanted)) {
            return Some(path.clone());
        }
        let longer = |path: &Vec<u8>| {
            let path = path.clone();
            (0..4).map(move |step| [&path[..], &[step]].concat())
        };
        paths = paths.iter().flat_map(longer).collect();
        paths.retain(|path| end(toy, path).is_some());
    }
    None
}

proptest! {
    #[test]
    fn paths_are_those_of_the_definition(toy in Toy::any()) {
        let found = run(&toy);
        let path = |id| found.paths.iter().find(|(of, _)| *of == id).map(|(_, path)| path.clone());
        for id in &PropertyId::ALL[..7] {
            let wanted = |state: usize| toy.judged[state] & id.bit() != 0;
            prop_assert_eq!(path(*id), first_path(&toy, &wanted));
        }
        let stuck = |state| !reachable(&toy, state).into_iter().any(|state| toy.idle[state]);
        let dead = |state: usize| stuck(state) && reachable(&toy, state) == [state] && toy.edges[state].iter().all(|edge| *edge == Edge::Blocked);
        let (any, deadlock) = (first_path(&toy, &stuck), first_path(&toy, &dead));
        let preferred = deadlock.filter(|path| any.as_ref().is_some_and(|any| any.len() == path.len()));
        prop_assert_eq!(path(PropertyId::Live), preferred.or(any));
    }

    #[test]
    fn stopping_early_finds_the_shortest_paths_or_stops_not_at_all(toy in Toy::any()) {
        let safety = ALL & !PropertyId::Live.bit();
        let never = AtomicBool::new(false);
        let whole = search(&toy, safety, &Control::new(Limits::default(), &never, &|_| {}));
        let early = run_until_violated(&toy, safety);
        let shortest = whole.paths.iter().map(|(_, path)| path.len()).min();
        let of_that_length = whole.paths.iter().filter(|(_, path)| Some(path.len()) == shortest);
        prop_assert_eq!(early.paths, of_that_length.cloned().collect::<Vec<_>>());
        if whole.violated == 0 {
            prop_assert_eq!((early.states, early.stopped), (whole.states, None));
        }
    }
}
