//! The way from a saturated trace to a concrete one, on a shipped mutant.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use model::{CacheMode, Machine, State, Step};
use vocab::{Devices, PropertyId, Threat};

use super::events::{Event, thread_of};
use super::order::order;
use super::schedule::{Goal, is_same_software, schedule};
use super::{About, minimise, tell};
use crate::certify::certify;
use crate::search::{Control, Limits, levels, machine::machine};
use crate::spec;

const ID: PropertyId = PropertyId::S1;

/// A machine and a shortest way to a violation of P-S1.
fn found(path: &str) -> (Arc<Machine>, Vec<Step>) {
    found_of(ID, path)
}

fn found_of(id: PropertyId, path: &str) -> (Arc<Machine>, Vec<Step>) {
    let spec = spec::read(Path::new(path)).unwrap_or_else(|errors| panic!("{errors}"));
    let part = &spec.scopes["quick"][0];
    let machine = machine(
        &spec,
        part,
        Threat::Honest,
        Devices::Driven,
        CacheMode::Saturated,
    );
    let never = AtomicBool::new(false);
    let control = Control::new(Limits::default(), &never, &|_| {});
    let found = levels::search(&machine, id.bit(), &control);
    let (_, path) = found
        .paths
        .into_iter()
        .next()
        .expect("the mutant violates it");
    (Arc::new(machine), path)
}

fn scheduled(machine: &Machine) -> Arc<Machine> {
    let mut scheduled = machine.clone();
    scheduled.caches = CacheMode::Scheduled;
    Arc::new(scheduled)
}

fn states(machine: &Arc<Machine>, path: &[Step]) -> Vec<State> {
    let replayed = certify(machine, ID, path).unwrap();
    replayed.into_iter().map(|taken| taken.after).collect()
}

#[test]
fn nothing_can_be_left_out_of_what_is_left() {
    for path in [
        "specs/corpus/b01-atc-before-tlbi.toml",
        "specs/mutants/one-sync-for-both.toml",
        "specs/mutants/torn-bind.toml",
    ] {
        let (saturated, software) = found(path);
        let machine = scheduled(&saturated);
        let goal = Goal {
            machine: &machine,
            software: &software,
            expected: &states(&saturated, &software),
            violates: &|state| machine.judge(state, ID.bit()) != 0,
        };
        let run = minimise::minimise(&goal, schedule(&goal).unwrap());
        let steps = run.steps();
        certify(&machine, ID, &steps).unwrap();
        let fills = (0..steps.len()).filter(|&at| matches!(steps[at], Step::Fill(..)));
        for at in fills {
            let mut fewer = steps.clone();
            fewer.remove(at);
            assert!(
                certify(&machine, ID, &fewer).is_err(),
                "{path}: fill {at} can be left out"
            );
        }
        let told = run.events().into_iter().filter_map(|event| match event {
            Event::Software(step) => Some(step),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), software);
    }
}

#[test]
fn an_end_that_scheduled_hardware_cannot_reach_is_not_told() {
    let (saturated, path) = found("specs/corpus/b01-atc-before-tlbi.toml");
    let machine = scheduled(&saturated);
    let goal = Goal {
        machine: &machine,
        software: &path,
        expected: &states(&saturated, &path),
        violates: &|_| false,
    };
    assert!(schedule(&goal).is_none());
}

#[test]
fn a_trace_without_a_violation_is_refused() {
    let (saturated, path) = found("specs/corpus/b01-atc-before-tlbi.toml");
    let about = About {
        spec: "a".to_owned(),
        title: "b".to_owned(),
        property: ID,
        threat: Threat::Honest,
        devices: Devices::Driven,
        scope: "quick".to_owned(),
        part: "c".to_owned(),
    };
    let error = tell(&saturated, about, &path[..path.len() - 1], true).unwrap_err();
    assert!(error.to_string().contains("does not replay"), "{error}");
}

#[test]
fn threads_take_turns_less_often() {
    let id = PropertyId::Live;
    let (saturated, path) = found_of(id, "specs/mutants/lock-order.toml");
    let last = certify(&saturated, id, &path).unwrap().pop().unwrap().after;
    let ordered = order(&saturated, &path, |state| is_same_software(state, &last));
    certify(&saturated, id, &ordered).unwrap();
    let turns = |path: &[Step]| path.chunk_by(|a, b| thread_of(*a) == thread_of(*b)).count();
    assert!(
        turns(&ordered) < turns(&path),
        "{} of {}",
        turns(&ordered),
        turns(&path)
    );
    for thread in 0..saturated.threads() as u8 {
        let own = |path: &[Step]| -> Vec<Step> {
            let steps = path.iter().copied();
            steps
                .filter(|step| thread_of(*step) == Some(thread))
                .collect()
        };
        assert_eq!(own(&ordered), own(&path));
    }
}
