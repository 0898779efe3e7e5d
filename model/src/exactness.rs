//! Saturated caches against their definition: straight-line programs on one device, one page, two queues. A leaf may be global, and
//! the device's traffic may be without SubstreamID.
//!
//! The definition keeps every cache content that scheduled hardware can have: it fills one entry at a time, drops any entry at any
//! time, and lets a command take effect at any moment between its issue and its SYNC. The saturated rule keeps one set and the
//! doomed sets of `flight.rs`. After every step both must say the same of what may be cached, and of whether an access through
//! a CD and a TLB entry together is possible.

use std::collections::HashSet;

use proptest::prelude::*;
use vocab::{Asid, Command, Device, Devices, Ipa, Page, Slot, Threat, Vmid};

use crate::caches::{Caches, GLOBAL, bit, cd0, cd1, tag};
use crate::machine::{
    Axes, Bounds, CacheMode, Errors, Hardware, Machine, S1dss, Setup, TableMemory, VmidPer, limit,
};
use crate::program::Code;
use crate::state::{InFlight, State, pte};
use crate::step::{Outcome, Step};

/// What a straight-line program consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Cd(bool),
    Pte(Leaf),
    S2(bool),
    Issue(u8, Command),
    Sync(u8),
}

/// What the stage-1 leaf says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    None,
    Own,
    Global,
}

const CFGI_CD: Command = Command::CfgiCd(Slot(0));
const TLBI_NH_VA: Command = Command::TlbiNhVa(Vmid(0), Asid(0), Page(0));
const TLBI_NH_ASID: Command = Command::TlbiNhAsid(Vmid(0), Asid(0));
const TLBI_S2_IPA: Command = Command::TlbiS2Ipa(Vmid(0), Ipa(0));
const TLBI_S12_VMALL: Command = Command::TlbiS12Vmall(Vmid(0));
const ATC_INV: Command = Command::AtcInv(Slot(0), Page(0));
const ATC_INV_SSV_0: Command = Command::AtcInvPage(Device(0), Page(0));

/// What programs consist of: the machine's traffic, how leaves may map, and commands.
struct Alphabet {
    s1dss: S1dss,
    leaves: &'static [Leaf],
    commands: &'static [Command],
}

/// Leaves with nG=1, traffic with SubstreamID.
const PLAIN: Alphabet = Alphabet {
    s1dss: S1dss::Terminate,
    leaves: &[Leaf::None, Leaf::Own],
    commands: &[CFGI_CD, TLBI_NH_VA, TLBI_S2_IPA, TLBI_S12_VMALL, ATC_INV],
};

/// Leaves of both kinds, and the two commands that treat them differently; what CFGI_CD and S12_VMALL do has no part in it.
const GLOBALS: Alphabet = Alphabet {
    s1dss: S1dss::Terminate,
    leaves: &[Leaf::None, Leaf::Own, Leaf::Global],
    commands: &[TLBI_NH_VA, TLBI_NH_ASID, TLBI_S2_IPA, ATC_INV],
};

/// Traffic without SubstreamID, and both kinds of ATC_INV.
const WITHOUT_SSID: Alphabet = Alphabet {
    s1dss: S1dss::Ssid0,
    leaves: &[Leaf::None, Leaf::Own],
    commands: &[CFGI_CD, TLBI_NH_VA, TLBI_S2_IPA, ATC_INV, ATC_INV_SSV_0],
};

/// Everything, for programs at random.
const ALL: Alphabet = Alphabet {
    s1dss: S1dss::Ssid0,
    leaves: &[Leaf::None, Leaf::Own, Leaf::Global],
    commands: &[
        CFGI_CD,
        TLBI_NH_VA,
        TLBI_NH_ASID,
        TLBI_S2_IPA,
        TLBI_S12_VMALL,
        ATC_INV,
        ATC_INV_SSV_0,
    ],
};

impl Alphabet {
    fn actions(&self, queues: u8) -> Vec<Action> {
        let mut all = vec![
            Action::Cd(false),
            Action::Cd(true),
            Action::S2(false),
            Action::S2(true),
        ];
        all.extend(self.leaves.iter().map(|&leaf| Action::Pte(leaf)));
        for queue in 0..queues {
            let commands = self.commands.iter();
            all.extend(commands.map(|&command| Action::Issue(queue, command)));
            all.push(Action::Sync(queue));
        }
        all
    }

    /// How many actions are possible at each step: a write changes something if it writes what is not there.
    fn possible(&self) -> usize {
        let (cd, s2, sync) = (1, 1, 1);
        cd + s2 + (self.leaves.len() - 1) + self.commands.len() + sync
    }
}

/// A program that writes the global leaf: what is possible of it is decided when a machine is made.
fn code() -> Code {
    let any = crate::program::Operand::Reg(crate::program::Reg(0));
    let global = crate::program::Instr::Pte {
        space: any,
        page: any,
        ipa: Some(any),
        global: true,
    };
    Code {
        instrs: vec![global, crate::program::Instr::Return],
        ..Code::default()
    }
}

fn machine(s1dss: S1dss, in_order: bool, caches: CacheMode) -> Machine {
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
        s1dss,
    };
    let setup = Setup {
        bounds,
        hardware,
        axes,
        threat: Threat::Honest,
        devices: Devices::Wild,
        caches,
    };
    Machine::new(setup, code())
}

/// Everything mapped, valid and not yet cached.
fn begin(machine: &Machine) -> State {
    let mut state = machine.initial();
    state.caches = Caches::default();
    state.memory.cd0[0] = cd0::valid(Asid(0));
    state.memory.cd1[0] = cd1::ttb(vocab::Space(0));
    state.memory.pte[0] = pte::new(Ipa(0), false);
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
        Action::Pte(to) => {
            state.memory.pte[0] = match to {
                Leaf::None => pte::NONE,
                Leaf::Own => pte::new(Ipa(0), false),
                Leaf::Global => pte::new(Ipa(0), true),
            };
        }
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
    let hits = [Asid(0), GLOBAL].map(|asid| caches.tlb[tag(Vmid(0), asid, Page(0))]);
    caches.cd0[0] & bit(cd0::valid(Asid(0))) != 0 && hits != [0, 0]
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
    alphabet: &'static Alphabet,
    definition: Machine,
    rule: Machine,
    programs: usize,
}

impl Walk {
    fn new(alphabet: &'static Alphabet, in_order: bool) -> Self {
        Walk {
            alphabet,
            definition: machine(alphabet.s1dss, in_order, CacheMode::Scheduled),
            rule: machine(alphabet.s1dss, in_order, CacheMode::Saturated),
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
        for action in self.alphabet.actions(1) {
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

/// How long programs are in the plain suite; NESTCHECK_EXACTNESS_LENGTH repeats the measures of docs/semantics.md.
fn length(plain: usize) -> usize {
    std::env::var("NESTCHECK_EXACTNESS_LENGTH").map_or(plain, |length| {
        length
            .parse()
            .expect("NESTCHECK_EXACTNESS_LENGTH is a number of steps")
    })
}

fn exhaustive(alphabet: &'static Alphabet, in_order: bool, length: usize) {
    let mut walk = Walk::new(alphabet, in_order);
    let (definition, rule) = walk.start();
    walk.all(&mut Vec::new(), &definition, &rule, length);
    println!(
        "{} programs up to length {length}, no difference",
        walk.programs,
    );
    let possible = alphabet.possible();
    assert_eq!(
        walk.programs,
        (0..=length as u32)
            .map(|steps| possible.pow(steps))
            .sum::<usize>()
    );
}

#[test]
fn saturated_is_exact_out_of_order() {
    exhaustive(&PLAIN, false, length(4));
}

#[test]
fn saturated_is_exact_in_order() {
    exhaustive(&PLAIN, true, length(4));
}

#[test]
fn saturated_is_exact_with_global_leaves() {
    // Entries of both kinds at once: there are so many contents of caches that length 4 takes minutes.
    exhaustive(&GLOBALS, false, length(3));
    exhaustive(&GLOBALS, true, length(3));
}

#[test]
fn saturated_is_exact_without_ssid() {
    exhaustive(&WITHOUT_SSID, false, length(3));
    exhaustive(&WITHOUT_SSID, true, length(3));
}

/// What is cached after a program, by the rule; the definition must agree.
fn after(walk: &Walk, program: &[Action]) -> Caches {
    let (mut definition, mut rule) = walk.start();
    for &action in program {
        definition = definition.after(&walk.definition, action);
        rule = saturated(&walk.rule, &rule, action);
    }
    assert_eq!(difference(program, &definition, &rule), None);
    rule.caches
}

#[test]
fn an_asid_has_no_part_in_global_entries() {
    let walk = Walk::new(&GLOBALS, false);
    let global = tag(Vmid(0), GLOBAL, Page(0));
    for (command, stays) in [(TLBI_NH_ASID, true), (TLBI_NH_VA, false)] {
        let program = [
            Action::Pte(Leaf::Global),
            Action::Pte(Leaf::None),
            Action::Issue(0, command),
            Action::Sync(0),
        ];
        let cached = after(&walk, &program);
        assert_eq!(cached.tlb[tag(Vmid(0), Asid(0), Page(0))], 0);
        assert_eq!(cached.tlb[global] != 0, stays, "{command:?}");
        assert_eq!(accesses(&cached), stays);
    }
}

#[test]
fn traffic_without_ssid_has_no_ssid_that_could_be_named() {
    let walk = Walk::new(&WITHOUT_SSID, false);
    for (command, stays) in [(ATC_INV, true), (ATC_INV_SSV_0, false)] {
        let program = [
            Action::Pte(Leaf::None),
            Action::Issue(0, TLBI_NH_VA),
            Action::Sync(0),
            Action::Issue(0, command),
            Action::Sync(0),
        ];
        assert_eq!(after(&walk, &program).atc[0] != 0, stays, "{command:?}");
    }
}

#[test]
fn a_weaker_rule_would_be_noticed() {
    // Without the doomed set of ATC_INV before the TLBI's SYNC the answer from the stale TLB entry would be lost.
    let walk = Walk::new(&PLAIN, false);
    let (definition, rule) = walk.start();
    let program = [
        Action::Pte(Leaf::None),
        Action::Issue(0, TLBI_NH_VA),
        Action::Issue(0, ATC_INV),
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
        let walk = Walk::new(&ALL, in_order);
        let (mut definition, mut rule) = walk.start();
        let mut program = Vec::new();
        let mut in_flight = [0, 0];
        for pick in picks {
            let action = *pick.get(&walk.alphabet.actions(2));
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
    let machine = machine(S1dss::Terminate, false, CacheMode::Saturated);
    let mut state = begin(&machine);
    machine.settle(&mut state);
    write(&mut state, Action::Pte(Leaf::None));
    machine.settle(&mut state);
    // Thread 0 has reached its SYNC; then somebody issues a TLBI behind it.
    machine.cover(&mut state, 0, 0);
    machine
        .issue(&mut state, 0, TLBI_NH_VA)
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
