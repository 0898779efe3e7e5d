//! Saturated caches against their definition: straight-line programs on one device, one page, two queues.
//!
//! The definition keeps every cache content that scheduled hardware can have: it fills one entry at a time, drops any entry at any
//! time, and lets a command take effect at any moment between its issue and its SYNC. The saturated rule keeps one set and the
//! doomed sets of `flight.rs`. After every step both must say the same of what may be cached, and of whether an access through
//! a CD and a TLB entry together is possible.

use std::collections::HashSet;

use proptest::prelude::*;
use vocab::{Asid, Command, Devices, Ipa, Page, Slot, Threat, Vmid};

use crate::caches::{Caches, bit, cd0, cd1};
use crate::machine::{
    Axes, Bounds, CacheMode, Errors, Hardware, Machine, Setup, TableMemory, VmidPer, limit,
};
use crate::program::Code;
use crate::state::{InFlight, State};
use crate::step::{Outcome, Step};

/// What a straight-line program consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Cd(bool),
    Pte(bool),
    S2(bool),
    Issue(u8, Command),
    Sync(u8),
}

const COMMANDS: [Command; 5] = [
    Command::CfgiCd(Slot(0)),
    Command::TlbiNhVa(Vmid(0), Asid(0), Page(0)),
    Command::TlbiS2Ipa(Vmid(0), Ipa(0)),
    Command::TlbiS12Vmall(Vmid(0)),
    Command::AtcInv(Slot(0), Page(0)),
];

fn machine(in_order: bool, caches: CacheMode) -> Machine {
    let bounds = Bounds {
        devices: 1,
        ssids: 1,
        asids: 1,
        vmids: 1,
        spaces: 1,
        pages: 1,
        ipas: 1,
        vms: 1,
        viommus: 1,
        guest_threads: 1,
        host_threads: 0,
        operations: Vec::new(),
    };
    let hardware = Hardware {
        in_order,
        caches_invalid: true,
        s2_drops_combined: false,
    };
    let axes = Axes {
        ats: true,
        cd_table: TableMemory::Guest,
        vmid: VmidPer::Viommu,
        errors: Errors::default(),
        early_bind: false,
    };
    let setup = Setup {
        bounds,
        hardware,
        axes,
        threat: Threat::Honest,
        devices: Devices::Wild,
        caches,
    };
    Machine::new(setup, Code::default())
}

/// Everything mapped, valid and not yet cached.
fn begin(machine: &Machine) -> State {
    let mut state = machine.initial();
    state.caches = Caches::default();
    state.memory.cd0[0] = cd0::valid(Asid(0));
    state.memory.cd1[0] = cd1::ttb(vocab::Space(0));
    state.memory.pte[0] = 1;
    state
}

/// A change of memory; false if it changes nothing.
fn write(state: &mut State, action: Action) -> bool {
    let before = state.memory;
    match action {
        Action::Cd(valid) => {
            state.memory.cd0[0] = if valid {
                cd0::valid(Asid(0))
            } else {
                cd0::INVALID
            };
        }
        Action::Pte(mapped) => state.memory.pte[0] = mapped as u8,
        Action::S2(mapped) => state.memory.s2[0] = mapped as u8,
        Action::Issue(..) | Action::Sync(_) => return true,
    }
    state.memory != before
}

/// The saturated rule.
fn saturated(machine: &Machine, state: &State, action: Action) -> State {
    let mut next = *state;
    write(&mut next, action);
    match action {
        Action::Issue(queue, command) => {
            machine
                .issue(&mut next, queue, command)
                .expect("short programs fit");
        }
        Action::Sync(queue) => {
            machine.cover(&mut next, queue, 0);
            machine.complete(&mut next, queue, 0);
        }
        _ => {}
    }
    machine.settle(&mut next);
    next
}

/// The definition: all that scheduled hardware can hold, given what software wrote last.
#[derive(Clone)]
struct Definition {
    /// Memory; its caches and its commands in flight are not used.
    written: State,
    contents: HashSet<Content>,
}

/// What hardware holds: entries, and commands that have not taken effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Content {
    caches: Caches,
    flight: [InFlight; limit::IN_FLIGHT],
}

impl Definition {
    fn state(&self, content: &Content) -> State {
        State {
            caches: content.caches,
            flight: content.flight,
            ..self.written
        }
    }

    fn after(&self, machine: &Machine, action: Action) -> Self {
        let mut written = self.written;
        write(&mut written, action);
        let moved = Definition {
            written,
            contents: HashSet::new(),
        };
        let contents = self.contents.iter().filter_map(|content| {
            let mut next = moved.state(content);
            match action {
                Action::Issue(queue, command) => {
                    machine
                        .issue(&mut next, queue, command)
                        .expect("short programs fit");
                }
                Action::Sync(queue) => {
                    machine.cover(&mut next, queue, 0);
                    if !machine.complete(&mut next, queue, 0) {
                        return None;
                    }
                }
                _ => {}
            }
            machine.settle(&mut next);
            Some(Content {
                caches: next.caches,
                flight: next.flight,
            })
        });
        Definition {
            written,
            contents: contents.collect(),
        }
        .closed(machine)
    }

    /// All that hardware can do by itself. That the STE and the CD's second word are cached is left as it is: neither
    /// is ever written here, so that dropping them could only make less possible.
    fn closed(mut self, machine: &Machine) -> Self {
        let mut todo: Vec<Content> = self.contents.iter().copied().collect();
        let mut steps = Vec::new();
        while let Some(content) = todo.pop() {
            let state = self.state(&content);
            steps.clear();
            machine.steps(&state, &mut steps);
            for &step in &steps {
                if matches!(step, Step::Evict(byte, bit) if Caches::one(byte, bit).is_subset(&constant()))
                {
                    continue;
                }
                let Outcome::Next(next, _) = machine.apply(&state, step) else {
                    continue;
                };
                let next = Content {
                    caches: next.caches,
                    flight: next.flight,
                };
                if self.contents.insert(next) {
                    todo.push(next);
                }
            }
        }
        self
    }
}

/// The entries that come from words which no program here writes.
fn constant() -> Caches {
    let mut constant = Caches::default();
    constant.ste0[0] = 0xff;
    constant.ste1[0] = 0xff;
    constant.ste2[0] = 0xff;
    constant.cd1[0] = 0xff;
    constant
}

fn accesses(caches: &Caches) -> bool {
    caches.cd0[0] & bit(cd0::valid(Asid(0))) != 0 && caches.tlb[0] != 0
}

/// Says how the two readings differ after a program, if they do.
fn difference(program: &[Action], definition: &Definition, rule: &State) -> Option<String> {
    let union = definition
        .contents
        .iter()
        .fold(Caches::default(), |all, content| all.union(&content.caches));
    if union != rule.caches {
        let kind = if union.is_subset(&rule.caches) {
            "over-approximates"
        } else {
            "UNSOUND"
        };
        return Some(format!("{kind}: {program:?}\n{union:?}\n{:?}", rule.caches));
    }
    let possible = definition
        .contents
        .iter()
        .any(|content| accesses(&content.caches));
    (possible != accesses(&rule.caches)).then(|| format!("joint access differs: {program:?}"))
}

struct Walk {
    definition: Machine,
    rule: Machine,
    programs: usize,
}

impl Walk {
    fn new(in_order: bool) -> Self {
        Walk {
            definition: machine(in_order, CacheMode::Scheduled),
            rule: machine(in_order, CacheMode::Saturated),
            programs: 0,
        }
    }

    fn start(&self) -> (Definition, State) {
        let mut rule = begin(&self.rule);
        self.rule.settle(&mut rule);
        let written = begin(&self.definition);
        let cached = self
            .definition
            .fill(&written, written.caches)
            .intersection(&constant());
        let content = Content {
            caches: cached,
            flight: written.flight,
        };
        let definition = Definition {
            written,
            contents: HashSet::from([content]),
        };
        (definition.closed(&self.definition), rule)
    }

    /// All programs up to a length that begin with `program`.
    fn all(
        &mut self,
        program: &mut Vec<Action>,
        definition: &Definition,
        rule: &State,
        length: usize,
    ) {
        self.programs += 1;
        assert_eq!(difference(program, definition, rule), None);
        if program.len() == length {
            return;
        }
        for action in alphabet(1) {
            if !write(&mut rule.clone(), action) {
                continue;
            }
            program.push(action);
            let next = definition.after(&self.definition, action);
            self.all(program, &next, &saturated(&self.rule, rule, action), length);
            program.pop();
        }
    }
}

fn alphabet(queues: u8) -> Vec<Action> {
    let mut all = Vec::new();
    for to in [false, true] {
        all.extend([Action::Cd(to), Action::Pte(to), Action::S2(to)]);
    }
    for queue in 0..queues {
        all.extend(COMMANDS.map(|command| Action::Issue(queue, command)));
        all.push(Action::Sync(queue));
    }
    all
}

/// 4 in the plain suite; NESTCHECK_EXACTNESS_LENGTH=5 repeats the measure of docs/semantics.md.
fn length() -> usize {
    std::env::var("NESTCHECK_EXACTNESS_LENGTH").map_or(4, |length| {
        length
            .parse()
            .expect("NESTCHECK_EXACTNESS_LENGTH is a number of steps")
    })
}

fn exhaustive(in_order: bool) {
    let mut walk = Walk::new(in_order);
    let (definition, rule) = walk.start();
    walk.all(&mut Vec::new(), &definition, &rule, length());
    println!(
        "{} programs up to length {}, no difference",
        walk.programs,
        length()
    );
    // Nine actions are possible at each step: three of the six writes change something, five commands, one SYNC.
    assert_eq!(
        walk.programs,
        (0..=length() as u32).map(|steps| 9usize.pow(steps)).sum()
    );
}

#[test]
fn saturated_is_exact_out_of_order() {
    exhaustive(false);
}

#[test]
fn saturated_is_exact_in_order() {
    exhaustive(true);
}

#[test]
fn a_weaker_rule_would_be_noticed() {
    // Without the doomed set of ATC_INV before the TLBI's SYNC the answer from the stale TLB entry would be lost.
    let walk = Walk::new(false);
    let (definition, rule) = walk.start();
    let program = [
        Action::Pte(false),
        Action::Issue(0, COMMANDS[1]),
        Action::Issue(0, COMMANDS[4]),
        Action::Sync(0),
    ];
    let mut definition = definition;
    let mut state = rule;
    for action in program {
        definition = definition.after(&walk.definition, action);
        state = saturated(&walk.rule, &state, action);
    }
    assert_eq!(difference(&program, &definition, &state), None);
    assert_ne!(
        state.caches.atc[0], 0,
        "the ATC may have been refilled from the TLB"
    );
    state.caches.atc[0] = 0;
    assert!(
        difference(&program, &definition, &state)
            .unwrap()
            .starts_with("UNSOUND")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Longer programs over two queues, at random: what is true up to a length need not be true behind it.
    #[test]
    fn saturated_is_exact_on_longer_programs(
        in_order: bool,
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let walk = Walk::new(in_order);
        let (mut definition, mut rule) = walk.start();
        let mut program = Vec::new();
        let mut in_flight = [0, 0];
        for pick in picks {
            let action = *pick.get(&alphabet(2));
            match action {
                // The definition keeps every command; eight of them at a time is all that a state has room for.
                Action::Issue(..) if in_flight[0] + in_flight[1] == 4 => continue,
                Action::Issue(queue, _) => in_flight[queue as usize] += 1,
                Action::Sync(queue) => in_flight[queue as usize] = 0,
                _ => {}
            }
            program.push(action);
            definition = definition.after(&walk.definition, action);
            rule = saturated(&walk.rule, &rule, action);
            prop_assert_eq!(difference(&program, &definition, &rule), None);
        }
    }
}

#[test]
fn a_sync_completes_only_what_was_in_the_queue_at_its_issue() {
    let machine = machine(false, CacheMode::Saturated);
    let mut state = begin(&machine);
    machine.settle(&mut state);
    write(&mut state, Action::Pte(false));
    machine.settle(&mut state);
    // Thread 0 has reached its SYNC; then somebody issues a TLBI behind it.
    machine.cover(&mut state, 0, 0);
    machine
        .issue(&mut state, 0, COMMANDS[1])
        .expect("one command fits");
    machine.settle(&mut state);
    assert!(machine.complete(&mut state, 0, 0));
    assert_ne!(
        state.caches.tlb[0], 0,
        "that TLBI may not have taken effect yet"
    );
    machine.cover(&mut state, 0, 1);
    assert!(machine.complete(&mut state, 0, 1));
    assert_eq!(state.caches.tlb[0], 0, "its own SYNC completes it");
}
