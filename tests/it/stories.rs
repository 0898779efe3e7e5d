//! Every step of the shipped specs can be told, and every violation explained, in words.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use model::trace::{describe, violation};
use model::{CacheMode, Machine, Outcome, State, Step};
use nestcheck::search::machine::machine;
use nestcheck::spec;
use vocab::{Devices, PropertyId, Threat};

/// How many states of each machine are visited.
const STATES: usize = 1_500;

/// What Rust's own formatting leaves behind, and what a reader of a story does not want to see.
const FOREIGN: [&str; 7] = ["Some(", "None", "{", "::", "\"", "  ", "nothing is wrong"];

fn specs() -> Vec<PathBuf> {
    let mut specs: Vec<_> = fs::read_dir("specs")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    specs.sort();
    specs
}

fn check(text: &str) {
    for foreign in FOREIGN {
        assert!(!text.contains(foreign), "{foreign:?} in {text:?}");
    }
    assert!(!text.is_empty() && text.trim() == text, "{text:?}");
}

fn tell(machine: &Machine, before: &State, step: Step, after: &State) {
    let line = describe(machine, before, step, after);
    check(&line.who);
    check(&line.what);
    line.changes.iter().for_each(|change| check(change));
    let caches_differ = before.caches != after.caches;
    assert!(
        !caches_differ || !line.changes.is_empty(),
        "{line:?} hides a change of caches"
    );
    let violated = machine.judge(after, u16::MAX);
    for id in PropertyId::ALL {
        if violated & id.bit() != 0 || id == PropertyId::Live && !machine.is_idle(after) {
            let last = Some((before, step));
            check(&violation(machine, last, after, id));
        }
    }
}

/// Breadth first from the initial state.
fn tell_all(machine: &Machine) {
    let mut queue = vec![machine.initial()];
    let mut known: HashSet<State> = queue.iter().copied().collect();
    let mut steps = Vec::new();
    let mut place = 0;
    while place < queue.len() && place < STATES {
        let before = queue[place];
        place += 1;
        steps.clear();
        machine.steps(&before, &mut steps);
        for &step in &steps {
            if let Outcome::Next(after, _) = machine.apply(&before, step) {
                tell(machine, &before, step, &after);
                if known.insert(after) {
                    queue.push(after);
                }
            }
        }
    }
}

#[test]
fn every_step_is_told() {
    let mut told = 0;
    for path in specs() {
        // Whether a spec can be read is not asked here.
        let Ok(spec) = spec::read(&path) else {
            continue;
        };
        told += 1;
        for part in &spec.scopes["quick"] {
            for threat in Threat::ALL {
                for caches in [CacheMode::Saturated, CacheMode::Scheduled] {
                    tell_all(&machine(&spec, part, threat, Devices::Wild, caches));
                }
            }
        }
    }
    assert!(told > 0, "no spec under specs/ can be read");
}
