//! The comparison notices what it is there for: with a command lost or changed on its way to the engine, answers differ.

use model::trace::Deed;
use model::{CacheMode, Machine};
use vocab::{Asid, Command, Devices, Opcode, Threat, Vmid};

use super::drive::{drive, drive_altered};
use super::probe::Probe;
use super::{Graph, Pace, may};
use crate::search::machine::machine;
use crate::{files, spec};

/// The machines of every tiny part of every variant, with a guest and devices that keep to the rules.
fn machines() -> impl Iterator<Item = Machine> {
    let paths = files::named(&["specs".into()]).unwrap_or_else(|error| panic!("{error}"));
    paths.into_iter().flat_map(|path| {
        let spec = spec::read(&path).expect("a shipped spec can be read");
        let parts = spec.scopes["tiny"].clone();
        let honest = parts
            .into_iter()
            .filter(|part| part.threats.contains(&Threat::Honest));
        let (threat, devices) = (Threat::Honest, Devices::Driven);
        honest
            .map(|part| machine(&spec, &part, threat, devices, CacheMode::Saturated))
            .collect::<Vec<_>>()
    })
}

/// Whether some answer differs with what software does to queues altered.
fn is_noticed(alter: impl Fn(Deed) -> Option<Deed>) -> bool {
    machines().any(|machine| {
        let graph = Graph::of(&machine, 10_000).expect("tiny");
        [Pace::AtOnce, Pace::AtSync]
            .into_iter()
            .any(|pace| drive_altered(&machine, &graph, pace, &alter).is_err())
    })
}

fn without(opcode: Opcode) -> impl Fn(Deed) -> Option<Deed> {
    move |deed| match deed {
        Deed::Issue { command, .. } if command.opcode() == opcode => None,
        deed => Some(deed),
    }
}

fn with(change: impl Fn(Command) -> Command) -> impl Fn(Deed) -> Option<Deed> {
    move |deed| {
        Some(match deed {
            Deed::Issue {
                queue,
                command,
                legal,
            } => Deed::Issue {
                queue,
                command: change(command),
                legal,
            },
            deed => deed,
        })
    }
}

#[test]
fn what_software_does_is_not_noticed() {
    assert!(!is_noticed(Some));
}

#[test]
fn lost_commands_are_noticed() {
    for opcode in [
        Opcode::CfgiCd,
        Opcode::TlbiNhVa,
        Opcode::TlbiNhAsid,
        Opcode::TlbiS2Ipa,
        Opcode::TlbiNhAll,
        Opcode::AtcInv,
    ] {
        let noticed = is_noticed(without(opcode));
        assert!(noticed, "{} lost and nobody noticed", opcode.name());
    }
}

#[test]
fn commands_with_another_tag_are_noticed() {
    let vmid = with(|command| match command {
        Command::TlbiNhVa(_, asid, page) => Command::TlbiNhVa(Vmid(1), asid, page),
        other => other,
    });
    assert!(is_noticed(vmid));
    let asid = with(|command| match command {
        Command::TlbiNhVa(vmid, _, page) => Command::TlbiNhVa(vmid, Asid(1), page),
        other => other,
    });
    assert!(is_noticed(asid));
}

#[test]
fn a_lost_sync_is_noticed() {
    let lost = |deed| (!matches!(deed, Deed::Sync { .. })).then_some(deed);
    assert!(is_noticed(lost));
}

/// The frames of `may` are those of the model's own `reach`, wherever memory is not ahead of the caches.
#[test]
fn the_two_ways_to_say_what_is_reached_agree() {
    for machine in machines() {
        let graph = Graph::of(&machine, 10_000).expect("tiny");
        for state in &graph.states {
            for probe in Probe::all(&machine) {
                let mut frames = may::untranslated(&machine, state, probe.slot, probe.page);
                if machine.axes.ats {
                    frames.extend(may::through_atc(&machine, state, probe.slot, probe.page));
                }
                let reached = frames.iter().fold(0, |set, answer| match answer {
                    super::answer::Answer::Frame(frame) => set | 1 << frame.0,
                    _ => set,
                });
                let own = machine.reach(state, probe.slot, probe.page);
                assert_eq!(reached, own, "{state:?}");
            }
        }
    }
}

/// Both paces, so that neither hides what the other would find.
#[test]
fn both_paces_are_driven() {
    let machine = machines().next().expect("there are variants");
    let graph = Graph::of(&machine, 10_000).expect("tiny");
    let at_once = drive(&machine, &graph, Pace::AtOnce).expect("agrees");
    let at_sync = drive(&machine, &graph, Pace::AtSync).expect("agrees");
    assert_eq!(at_once.edges, at_sync.edges);
    assert!(at_sync.stale > at_once.stale);
}
