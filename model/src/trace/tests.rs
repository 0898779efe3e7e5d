use vocab::{Devices, Opcode, Threat};

use super::*;
use crate::machine::{
    Axes, Bounds, CacheMode, Errors, Hardware, S1dss, Setup, TableMemory, VmidPer,
};
use crate::program::{
    Binding, Code, CommandExpr, Entry, Instr, Kind, OpKind, Operand, ReadExpr, Reg, Row,
    SourceStep, Table, TableStart, VmidField, Word0,
};
use crate::step::Outcome;

const SPACE: Operand = Operand::Reg(Reg(0));
const PAGE: Operand = Operand::Reg(Reg(1));
const ASID: Operand = Operand::Reg(Reg(4));

/// Instructions with their steps' texts.
#[derive(Default)]
struct Programs(Code);

impl Programs {
    fn operation(&mut self, kind: OpKind) {
        self.0.entries.push(Entry {
            name: kind.name().to_owned(),
            start: Start::Operation(kind),
            pc: self.0.instrs.len() as u16,
        });
    }

    fn step(
        &mut self,
        section: Section,
        text: &str,
        names: &[(&str, Operand, Kind)],
        instr: Instr,
    ) {
        let bindings = names.iter().map(|(name, operand, kind)| Binding {
            name: name.to_string(),
            operand: *operand,
            kind: *kind,
        });
        self.0.bindings.push(bindings.collect());
        self.0.source.push(self.0.steps.len() as u16);
        self.0.steps.push(SourceStep {
            section,
            program: "program".to_owned(),
            line: 1,
            file: "spec.toml".to_owned(),
            text: text.to_owned(),
        });
        self.0.instrs.push(instr);
    }

    fn silent(&mut self, instr: Instr) {
        self.0.bindings.push(Vec::new());
        self.0.source.push(u16::MAX);
        self.0.instrs.push(instr);
    }
}

/// `map`, `bind` with a CD that is valid at once, and an `unmap` that forwards its commands and forgets the ATC.
fn code() -> Code {
    let mut code = Programs::default();
    code.0.accepts = vec![Opcode::TlbiNhVa];
    code.0.tables = vec![Table {
        name: "slots".to_owned(),
        key: Kind::Space,
        value: Kind::Slot,
        start: TableStart::Empty,
    }];
    let row = |key| Row {
        table: 0,
        key,
        viommu: None,
    };
    let (slot, space) = (SPACE, PAGE);
    let viommu = Operand::Reg(crate::program::VIOMMU);

    code.operation(OpKind::Map);
    let names = [
        ("space", SPACE, Kind::Space),
        ("page", PAGE, Kind::Page),
        ("ipa", Operand::Reg(Reg(2)), Kind::Ipa),
    ];
    let ipa = Some(Operand::Reg(Reg(2)));
    let pte = |ipa| Instr::Pte {
        space: SPACE,
        page: PAGE,
        ipa,
        global: false,
    };
    code.step(Section::Guest, "pte(space, page) := ipa", &names, pte(ipa));
    code.silent(Instr::Return);

    code.operation(OpKind::Bind);
    let names = [
        ("slot", slot, Kind::Slot),
        ("space", space, Kind::Space),
        ("asid", ASID, Kind::Asid),
    ];
    let mut guest = |text, instr| code.step(Section::Guest, text, &names, instr);
    guest("alloc asid(space)", Instr::AllocAsid(space));
    guest(
        "let asid = asid(space)",
        Instr::Read(Reg(4), ReadExpr::Asid(space)),
    );
    guest("insert slots(space, slot)", Instr::Insert(row(space), slot));
    let ttb = Some(space);
    guest(
        "cd(slot).word1 := ttb(space)",
        Instr::CdWord1 { viommu, slot, ttb },
    );
    let value = Word0::Valid(ASID);
    guest(
        "cd(slot).word0 := valid(asid)",
        Instr::CdWord0 {
            viommu,
            slot,
            value,
        },
    );
    code.silent(Instr::Return);

    code.operation(OpKind::Unmap);
    let names = [
        ("space", SPACE, Kind::Space),
        ("page", PAGE, Kind::Page),
        ("asid", ASID, Kind::Asid),
    ];
    let mut guest = |text, instr| code.step(Section::Guest, text, &names, instr);
    guest("pte(space, page) := none", pte(None));
    guest(
        "let asid = asid(space)",
        Instr::Read(Reg(4), ReadExpr::Asid(SPACE)),
    );
    let command = CommandExpr::TlbiNhVa(VmidField::Guest, ASID, PAGE);
    guest("cmdq TLBI_NH_VA(asid, page)", Instr::Cmdq(command));
    let end = code.0.instrs.len() as u16 + 3;
    code.silent(Instr::TakeCommand { to: end });
    let forward = Instr::HwqGuest {
        queue: 0,
        fixup: true,
        to: end + 4,
    };
    code.step(Section::Kernel, "hwq fixup(command)", &[], forward);
    code.step(Section::Kernel, "hwq SYNC", &[], Instr::Sync(0));
    code.step(
        Section::Guest,
        "for slot in slots(space):",
        &names,
        Instr::ReadSet(Reg(5), row(SPACE)),
    );
    code.silent(Instr::Clear(Reg(5)));
    code.silent(Instr::Answer);
    code.silent(Instr::Return);
    code.silent(Instr::Fail);
    code.0
}

fn machine(threads: u8) -> Machine {
    let setup = Setup {
        bounds: Bounds {
            devices: 1,
            ssids: 2,
            asids: 2,
            vmids: 1,
            spaces: 1,
            pages: 1,
            ipas: 1,
            vms: 1,
            viommus: 1,
            guest_threads: threads,
            host_threads: 0,
            operations: vec![OpKind::Map, OpKind::Bind, OpKind::Unmap],
        },
        hardware: Hardware {
            in_order: false,
            caches_invalid: true,
            s2_drops_combined: false,
        },
        axes: Axes {
            ats: true,
            cd_table: TableMemory::Guest,
            vmid: VmidPer::Viommu,
            errors: Errors::default(),
            early_bind: false,
            s1dss: S1dss::Terminate,
        },
        threat: Threat::Honest,
        devices: Devices::Driven,
        caches: CacheMode::Saturated,
    };
    Machine::new(setup, code())
}

fn begin(entry: u8, args: [u8; 3], choice: u8) -> Step {
    Step::Begin {
        thread: 0,
        entry,
        args,
        viommu: 1,
        command: 0,
        choice,
    }
}

const GO: Step = Step::Go {
    thread: 0,
    choice: 0,
};

/// Takes steps; returns what is told of them, and where they led.
fn tell(machine: &Machine, steps: &[Step]) -> (Vec<String>, State) {
    let mut state = machine.initial();
    let mut told = Vec::new();
    for &step in steps {
        let Outcome::Next(after, _) = machine.apply(&state, step) else {
            panic!("{step:?} is not possible after {told:#?}");
        };
        let Line { who, what, changes } = describe(machine, &state, step, &after);
        told.push(format!("{who}: {what}"));
        told.extend(changes.iter().map(|change| format!("    {change}")));
        state = after;
    }
    (told, state)
}

#[test]
fn a_story_from_map_to_an_unmap_that_forgets_the_atc() {
    let steps = [
        begin(0, [1, 1, 1], 0),
        // On ssid 1, with the second ASID.
        begin(1, [2, 1, 0], 1),
        GO,
        GO,
        GO,
        GO,
        begin(2, [1, 1, 0], 0),
        GO,
        GO,
        GO,
        GO,
    ];
    let machine = machine(1);
    let (told, state) = tell(&machine, &steps);
    let expected = [
        "guest 0: map(space 0, page 0, ipa 0): pte(space 0, page 0) := ipa 0; returns",
        "    frame 0 is granted to space 0 page 0",
        "guest 0: bind(device 0 ssid 1, space 0): alloc asid(space 0): asid 1",
        "    device 0 ssid 1 may use space 0",
        "guest 0: let asid = asid(space 0): asid 1",
        "guest 0: insert slots(space 0, device 0 ssid 1)",
        "guest 0: cd(device 0 ssid 1).word1 := ttb(space 0)",
        "    CD cache + device 0 ssid 1: TTB0 of space 0",
        "guest 0: cd(device 0 ssid 1).word0 := valid(asid 1); returns",
        "    CD cache + device 0 ssid 1: V=1 asid 1",
        "    TTB0 in the TLB + vmid 0 asid 1 page 0 -> tables of space 0",
        "    stage-1 TLB + vmid 0 asid 1 page 0 -> ipa 0 by space 0",
        "    TLB + vmid 0 asid 1 page 0 -> frame 0",
        "    ATC + device 0 ssid 1 page 0 -> frame 0",
        "    device 0 ssid 1 starts making requests",
        "guest 0: unmap(space 0, page 0): pte(space 0, page 0) := none",
        "guest 0: let asid = asid(space 0): asid 1",
        "    queued TLBI_NH_VA(asid 1, page 0)",
        "kernel for guest 0: program: hwq fixup(command): TLBI_NH_VA(vmid 0, asid 1, page 0)",
        "    doomed: stage-1 TLB vmid 0 asid 1 page 0 -> ipa 0 by space 0",
        "    doomed: TLB vmid 0 asid 1 page 0 -> frame 0",
        "kernel for guest 0: program: hwq SYNC",
        "    stage-1 TLB - vmid 0 asid 1 page 0 -> ipa 0 by space 0",
        "    TLB - vmid 0 asid 1 page 0 -> frame 0",
        "guest 0: for slot in slots(space 0): reads device 0 ssid 1; returns",
        "    frame 0 is no longer granted to space 0 page 0",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        violation(&machine, None, &state, PropertyId::S1),
        "device 0 ssid 1 can reach frame 0 through its ATC at page 0, which no space bound there grants"
    );
}

#[test]
fn threads_of_one_guest_are_told_apart_and_a_refusal_is_told() {
    let mut machine = machine(2);
    machine.code.accepts.clear();
    let steps = [
        begin(0, [1, 1, 1], 0),
        begin(2, [1, 1, 0], 0),
        GO,
        // No ASID was given to the space, so nothing is queued.
        GO,
    ];
    let (told, _) = tell(&machine, &steps);
    assert_eq!(
        told[2..],
        [
            "guest 0.0: unmap(space 0, page 0): pte(space 0, page 0) := none",
            "guest 0.0: let asid = asid(space 0): none",
            "guest 0.0: for slot in slots(space 0): reads nothing; returns",
            "    frame 0 is no longer granted to space 0 page 0",
        ]
    );
    let (_, state) = tell(&machine, &[begin(1, [1, 1, 0], 0)]);
    assert_eq!(
        violation(&machine, None, &state, PropertyId::Live),
        "guest 0.0 in bind(device 0 ssid 0, space 0) waits at `let asid = asid(space 0)`"
    );
    let bound = [
        begin(1, [1, 1, 0], 0),
        GO,
        GO,
        GO,
        GO,
        begin(0, [1, 1, 1], 0),
    ];
    let (_, state) = tell(&machine, &bound);
    assert_eq!(
        violation(&machine, None, &state, PropertyId::Alias),
        "nothing is wrong with P-ALIAS"
    );
    let unmap = [&bound[..], &[begin(2, [1, 1, 0], 0), GO, GO]].concat();
    let (told, _) = tell(&machine, &unmap);
    assert_eq!(
        told.last().unwrap(),
        "kernel for guest 0.0: program: hwq fixup(command): TLBI_NH_VA(asid 0, page 0) is refused; fails"
    );
}

#[test]
fn an_offence_names_what_was_not_issued() {
    let mut machine = machine(1);
    let steps = [
        begin(0, [1, 1, 1], 0),
        begin(1, [1, 1, 0], 0),
        GO,
        GO,
        GO,
        GO,
        begin(2, [1, 1, 0], 0),
        GO,
        GO,
        GO,
        GO,
    ];
    let forwards = |instr: &Instr| matches!(instr, Instr::HwqGuest { .. });
    let place = machine.code.instrs.iter().position(forwards).unwrap();
    machine.code.instrs[place] = Instr::Sync(0);
    let (told, state) = tell(&machine, &steps);
    assert_eq!(
        told[told.len() - 3..],
        [
            "guest 0: for slot in slots(space 0): reads device 0 ssid 0; returns",
            "    frame 0 is no longer granted to space 0 page 0",
            "    P-SCOPE: asked for and not issued: TLB vmid 0 asid 0 page 0, TLB vmid 0 global page 0",
        ]
    );
    assert_eq!(
        violation(&machine, None, &state, PropertyId::S1),
        "device 0 ssid 0 can reach frame 0 through the TLB (vmid 0 asid 0) and its ATC at page 0, \
         which no space bound there grants"
    );
}

#[test]
fn hardware_is_told_by_cache() {
    let mut machine = machine(1);
    machine.caches = CacheMode::Scheduled;
    let mut steps = Vec::new();
    let state = machine.initial();
    machine.steps(&state, &mut steps);
    let fills: Vec<_> = steps
        .into_iter()
        .filter(|step| matches!(step, Step::Fill(..)))
        .collect();
    let (told, _) = tell(&machine, &fills[..1]);
    assert_eq!(
        told,
        [
            "smmu: caches a word of an STE",
            "    STE cache + device 0: CD table of viommu 0",
        ]
    );
}

#[test]
fn a_row_that_an_asid_is_the_key_of_names_its_viommu() {
    let mut machine = machine(1);
    machine.bounds.viommus = 2;
    machine.bounds.spaces = 2;
    let inserts = |instr: &Instr| matches!(instr, Instr::Insert(..));
    let place = machine.code.instrs.iter().position(inserts).unwrap();
    let row = Row {
        table: 0,
        key: ASID,
        viommu: Some(Operand::Reg(crate::program::VIOMMU)),
    };
    machine.code.instrs[place] = Instr::Insert(row, SPACE);
    let step = machine.code.step_of(place as u16).unwrap();
    machine.code.steps[step].text = "insert slots(asid, slot)".to_owned();
    let (told, _) = tell(&machine, &[begin(1, [1, 1, 0], 0), GO, GO]);
    assert_eq!(
        told.last().unwrap(),
        "guest 0: insert slots(asid 0 of viommu 0, device 0 ssid 0)"
    );
}

#[test]
fn what_an_operation_wrote_and_who_waits() {
    let machine = machine(1);
    let bind = [begin(1, [1, 1, 0], 0), GO, GO, GO, GO];
    let (_, state) = tell(&machine, &bind);
    assert_eq!(
        written(&machine, &machine.initial(), &state),
        [
            "asid(space 0) = asid 0",
            "cd(device 0 ssid 0) = V=1 asid 0, TTB0 of space 0",
        ]
    );
    assert_eq!(waits(&machine, &state), []);
    let (_, state) = tell(&machine, &bind[..2]);
    let wait = &waits(&machine, &state)[0];
    assert_eq!(wait.operation, "bind(device 0 ssid 0, space 0)");
    assert_eq!(
        (&*wait.at, wait.lock),
        ("insert slots(space 0, device 0 ssid 0)", None)
    );
    assert_eq!(
        source(&machine, &state, GO).unwrap().text,
        "insert slots(space, slot)"
    );
    assert_eq!(begun(&machine, bind[0]), "bind(device 0 ssid 0, space 0)");
    let (_, before) = tell(&machine, &bind[..4]);
    assert_eq!(ended(&machine, &before, GO), Some(true));
}

#[test]
fn a_global_leaf_that_a_program_wrote_is_told_as_such() {
    let mut machine = machine(1);
    machine.caches = CacheMode::Scheduled;
    for instr in &mut machine.code.instrs {
        if let Instr::Pte { global, .. } = instr {
            *global = true;
        }
    }
    let bound = [
        begin(0, [1, 1, 1], 0),
        begin(1, [1, 1, 0], 0),
        GO,
        GO,
        GO,
        GO,
    ];
    let (_, mut state) = tell(&machine, &bound);
    assert!(
        written(&machine, &machine.initial(), &state)
            .contains(&"pte(space 0, page 0) = global ipa 0".to_owned())
    );
    let mut fetched = Vec::new();
    while let Some((byte, bit)) = machine.fetchable(&state).bits().next() {
        assert_eq!(assumed(&machine, &state, (byte, bit)), None);
        fetched.push(entry(&machine, (byte, bit)));
        let Outcome::Next(after, _) = machine.apply(&state, Step::Fill(byte, bit)) else {
            panic!("a fetch is always possible")
        };
        state = after;
    }
    assert!(
        fetched.contains(&"vmid 0 global page 0 -> ipa 0 by space 0".to_owned()),
        "{fetched:?}"
    );
}

#[test]
fn what_guest_memory_must_have_held_is_said() {
    let mut machine = machine(1);
    machine.caches = CacheMode::Scheduled;
    let everything = |machine: &Machine| {
        let mut told = Vec::new();
        let mut state = machine.initial();
        while let Some((byte, bit)) = machine.fetchable(&state).bits().next() {
            told.extend(assumed(machine, &state, (byte, bit)));
            let Outcome::Next(after, _) = machine.apply(&state, Step::Fill(byte, bit)) else {
                panic!("a fetch is always possible")
            };
            state = after;
        }
        told
    };
    assert_eq!(everything(&machine), [""; 0]);
    machine.threat = Threat::Scribbling;
    let held = everything(&machine);
    assert!(
        held.contains(&"pte(space 0, page 0) = global ipa 0".to_owned()),
        "{held:?}"
    );
    assert!(
        held.contains(&"cd(device 0 ssid 0) = V=1 asid 0".to_owned()),
        "{held:?}"
    );
    assert!(
        held.contains(&"pte(space 0, page 0) = ipa 0".to_owned()),
        "{held:?}"
    );
    assert!(
        !held.contains(&"cd(device 0 ssid 0) = V=0".to_owned()),
        "as written: {held:?}"
    );
}
