//! Saturated caches never say less than hardware can do: random programs of several threads on everything that a state has room for.
//!
//! `exactness.rs` compares both modes in all that they say, on machines small enough to know every content of caches. Here
//! scheduled hardware takes one random way through a long program on a large machine: two devices, two VMs, every command, two
//! queues, SYNCs of several threads under way at once and issued late. Whatever it has cached the saturated mode must have too.

use proptest::prelude::*;
use vocab::{Asid, Devices, Ipa, Page, Slot, Space, Threat, Viommu, Vm, Vmid};

use crate::caches::{Caches, cd0, cd1, ste0, ste2};
use crate::machine::{CacheMode, Hardware, Machine, S1dss, TableMemory, limit};
use crate::sample;
use crate::state::{InFlight, State, pte};

/// A source of small numbers that a failing case can be shrunk by.
struct Dice(std::vec::IntoIter<u32>);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0.next().unwrap_or(0) as usize % below
    }
}

const THREADS: usize = 3;

fn machine(kind: u8, caches: CacheMode) -> Machine {
    machine_with(kind, 2, caches)
}

fn machine_with(kind: u8, asids: u8, caches: CacheMode) -> Machine {
    let bit = |place: u8| kind >> place & 1 == 1;
    sample::machine_with(|setup| {
        setup.bounds.asids = asids;
        setup.hardware = Hardware {
            in_order: bit(0),
            caches_invalid: bit(1),
            s2_drops_combined: bit(2),
        };
        if bit(3) {
            setup.threat = Threat::Scribbling;
        }
        if bit(4) {
            setup.devices = Devices::Wild;
        }
        setup.axes.s1dss = match (bit(5), bit(6)) {
            (false, false) => S1dss::Terminate,
            (true, false) => S1dss::Ssid0,
            (_, true) => S1dss::Bypass,
        };
        setup.caches = caches;
    })
}

/// Everything mapped and valid.
fn begin(machine: &Machine) -> State {
    let mut state = machine.initial();
    state.caches = Caches::default();
    state.flight = Default::default();
    for slot in 0..limit::SLOTS {
        for viommu in 0..limit::VIOMMUS {
            state.memory.cd0[viommu * limit::SLOTS + slot] =
                cd0::valid(Asid(slot as u8 % machine.bounds.asids));
            state.memory.cd1[viommu * limit::SLOTS + slot] =
                cd1::ttb(Space(viommu as u8 + 2 * (slot as u8 % 2)));
        }
    }
    state.memory.pte = std::array::from_fn(|place| pte::new(Ipa(place as u8 % 2), place % 3 == 0));
    state.memory.active = 0xf;
    state
}

fn write(dice: &mut Dice, machine: &Machine, state: &mut State) {
    let memory = &mut state.memory;
    match dice.roll(8) {
        0 => {
            let ipa = Ipa(dice.roll(2) as u8);
            let entry = [pte::NONE, pte::new(ipa, false), pte::new(ipa, true)][dice.roll(3)];
            memory.pte[dice.roll(memory.pte.len())] = entry;
        }
        1 => {
            let asid = Asid(dice.roll(machine.bounds.asids as usize) as u8);
            let word = [cd0::INVALID, cd0::valid(asid), cd0::epd(asid)][dice.roll(3)];
            memory.cd0[dice.roll(memory.cd0.len())] = word;
        }
        2 => {
            let word = [cd1::NONE, cd1::ttb(Space(dice.roll(4) as u8))][dice.roll(2)];
            memory.cd1[dice.roll(memory.cd1.len())] = word;
        }
        3 => {
            let nested = ste0::nested(Viommu(dice.roll(2) as u8));
            memory.ste0[dice.roll(2)] = [ste0::ABORT, nested, ste0::S2_TRANS][dice.roll(3)]
        }
        4 => memory.ste1[dice.roll(2)] = dice.roll(4) as u8,
        5 => {
            memory.ste2[dice.roll(2)] = ste2::new(Vmid(dice.roll(2) as u8), Vm(dice.roll(2) as u8));
        }
        6 => memory.s2[dice.roll(2)] ^= 1 << dice.roll(2),
        _ => memory.active ^= 1 << dice.roll(limit::SLOTS),
    }
}

/// Hardware does a few things by itself.
fn drift(dice: &mut Dice, machine: &Machine, state: &mut State) {
    for _ in 0..dice.roll(12) {
        match dice.roll(12) {
            0 => {
                let cached: Vec<_> = state.caches.bits().collect();
                if !cached.is_empty() {
                    let (byte, bit) = cached[dice.roll(cached.len())];
                    state.caches = state.caches.minus(&Caches::one(byte, bit));
                }
            }
            1 => effect(dice, machine, state, |_| true),
            // All fetches that are possible, one after another.
            2 => state.caches = machine.fill(state, state.caches),
            _ => {
                let found: Vec<_> = machine.fetchable(state).bits().collect();
                if !found.is_empty() {
                    let (byte, bit) = found[dice.roll(found.len())];
                    state.caches = state.caches.union(&Caches::one(byte, bit));
                }
            }
        }
        machine.settle(state);
    }
}

/// One of some commands in flight takes effect, if one can.
fn effect(dice: &mut Dice, machine: &Machine, state: &mut State, some: impl Fn(&InFlight) -> bool) {
    let able: Vec<_> = (0..limit::IN_FLIGHT)
        .filter(|&place| machine.may_take_effect(state, place) && some(&state.flight[place]))
        .collect();
    if !able.is_empty() {
        machine.take_effect(state, able[dice.roll(able.len())]);
        machine.settle(state);
    }
}

/// Settles without dropping any command: what dropping must not change.
fn hoard(machine: &Machine, state: &mut State) {
    machine.saturate(state);
    let mut kept = [InFlight::default(); limit::IN_FLIGHT];
    let live = state.flight.iter().filter(|entry| entry.queue != 0);
    for (place, entry) in kept.iter_mut().zip(live) {
        *place = *entry;
    }
    state.flight = kept;
}

fn run(kind: u8, rolls: Vec<u32>, steps: usize) -> Result<(), String> {
    let rule = machine(kind, CacheMode::Saturated);
    let definition = machine(kind, CacheMode::Scheduled);
    let mut dice = Dice(rolls.into_iter());
    let mut hardware = begin(&definition);
    let mut saturated = begin(&rule);
    rule.settle(&mut saturated);
    let mut hoarder = saturated;
    let commands = rule.any_command();
    // For each thread the queue whose SYNC it waits at, and whether hardware has seen that SYNC.
    let mut waits: [Option<(u8, bool)>; THREADS] = [None; THREADS];
    let mut told = Vec::new();
    for _ in 0..steps {
        drift(&mut dice, &definition, &mut hardware);
        let thread = dice.roll(THREADS);
        match (waits[thread], dice.roll(4)) {
            (None, 0 | 1) => {
                let before = dice.0.clone();
                write(&mut dice, &definition, &mut hardware);
                dice.0 = before.clone();
                write(&mut dice, &rule, &mut hoarder);
                dice.0 = before;
                write(&mut dice, &rule, &mut saturated);
                told.push(format!("write -> {:?}", hardware.memory));
            }
            (None, 2) => {
                let room = [&hardware, &hoarder]
                    .iter()
                    .all(|state| state.flight.iter().any(|entry| entry.queue == 0));
                let (queue, command) = (dice.roll(2) as u8, commands[dice.roll(commands.len())]);
                if room && rule.issue(&mut saturated, queue, command).is_ok() {
                    definition
                        .issue(&mut hardware, queue, command)
                        .expect("there is room");
                    rule.issue(&mut hoarder, queue, command)
                        .expect("there is room");
                    told.push(format!("{thread}: {queue} {command:?}"));
                }
            }
            (None, _) => {
                let queue = dice.roll(2) as u8;
                rule.cover(&mut saturated, queue, thread);
                rule.cover(&mut hoarder, queue, thread);
                waits[thread] = Some((queue, false));
                told.push(format!("{thread}: reaches SYNC {queue}"));
            }
            (Some((queue, false)), 0 | 1) => {
                definition.cover(&mut hardware, queue, thread);
                waits[thread] = Some((queue, true));
            }
            (Some((_, false)), _) => {}
            (Some((queue, true)), _) => {
                let covered =
                    |entry: &InFlight| entry.queue == queue + 1 && entry.covered >> thread & 1 == 1;
                while !definition.complete(&mut hardware, queue, thread) {
                    effect(&mut dice, &definition, &mut hardware, |entry| {
                        covered(entry) || definition.hardware.in_order && entry.queue == queue + 1
                    });
                    drift(&mut dice, &definition, &mut hardware);
                }
                rule.complete(&mut saturated, queue, thread);
                rule.complete(&mut hoarder, queue, thread);
                waits[thread] = None;
                told.push(format!("{thread}: SYNC {queue} completes"));
            }
        }
        definition.settle(&mut hardware);
        rule.settle(&mut saturated);
        hoard(&rule, &mut hoarder);
        if hoarder.caches != saturated.caches {
            return Err(format!(
                "dropping a command made a difference\n{}",
                told.join("\n")
            ));
        }
        let missing = hardware.caches.minus(&saturated.caches);
        if !missing.is_empty() {
            return Err(format!("missing {missing:?}\n{}", told.join("\n")));
        }
    }
    Ok(())
}

/// Leaving out what global entries tell changes nothing that can be reached. The CDs are the hypervisor's, since what is anything is
/// never revoked.
fn lean_and_full(kind: u8, rolls: Vec<u32>, steps: usize) -> Result<(), String> {
    const SCRIBBLING: u8 = 1 << 3;
    let mut lean = machine_with(kind | SCRIBBLING, 1, CacheMode::Saturated);
    lean.axes.cd_table = TableMemory::Hypervisor;
    // One of everything, so that random programs come to what matters: a flush while no walk is possible, then an EPD0=1 descriptor.
    for count in [
        &mut lean.bounds.devices,
        &mut lean.bounds.ssids,
        &mut lean.bounds.vmids,
        &mut lean.bounds.spaces,
        &mut lean.bounds.pages,
        &mut lean.bounds.vms,
        &mut lean.bounds.viommus,
    ] {
        *count = 1;
    }
    assert!(lean.globals_tell_all);
    let mut full = lean.clone();
    full.globals_tell_all = false;
    let mut dice = Dice(rolls.into_iter());
    let commands = lean.any_command();
    let start = |machine: &Machine| {
        let mut state = begin(machine);
        machine.settle(&mut state);
        state
    };
    let (mut few, mut all) = (start(&lean), start(&full));
    for _ in 0..steps {
        let queue = dice.roll(2) as u8;
        match dice.roll(4) {
            0 | 1 => {
                let before = dice.0.clone();
                write(&mut dice, &lean, &mut few);
                dice.0 = before;
                write(&mut dice, &full, &mut all);
            }
            2 => {
                let command = commands[dice.roll(commands.len())];
                // What dooms nothing that is left is dropped, so that the two do not run out of room at the same time.
                let room = |state: &State| state.flight.iter().any(|entry| entry.queue == 0);
                if room(&few) && room(&all) {
                    lean.issue(&mut few, queue, command).expect("there is room");
                    full.issue(&mut all, queue, command).expect("there is room");
                }
            }
            _ => {
                for (machine, state) in [(&lean, &mut few), (&full, &mut all)] {
                    machine.cover(state, queue, 0);
                    machine.complete(state, queue, 0);
                }
            }
        }
        lean.settle(&mut few);
        full.settle(&mut all);
        for slot in (0..lean.slots()).map(Slot) {
            for page in (0..lean.bounds.pages).map(Page) {
                let (few, all) = (lean.reach(&few, slot, page), full.reach(&all, slot, page));
                if few != all {
                    return Err(format!("{slot} {page}: {few:#b} instead of {all:#b}"));
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("NESTCHECK_SOUNDNESS_CASES").map_or(300, |cases| cases.parse().expect("a number")),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn saturated_caches_never_say_less(kind in 0u8..64, rolls in proptest::collection::vec(any::<u32>(), 2000)) {
        let result = run(kind, rolls, 60);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }

    #[test]
    fn what_global_entries_tell_need_not_be_kept(kind in 0u8..64, rolls in proptest::collection::vec(any::<u32>(), 1500)) {
        let result = lean_and_full(kind, rolls, 200);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}
