//! Small programs and the code that they become.

use std::path::Path;

use expect_test::{Expect, expect};
use model::Code;
use model::program::Start;

use super::super::report::Sink;
use super::super::source::{Files, Span};
use super::super::{axes, programs, tables, tree};

const HEAD: &str = r#"
[tables]
slots  = { key = "space", value = "slot", owner = "guest" }
users  = { key = "asid", value = "slot", owner = "hypervisor" }
"#;

const AXES: &str = r#"
[axes]
ats = false
cd_table = { memory = "guest", writer = "guest" }
vmid = "viommu"
accepts = ["CFGI_CD"]
cut = 2
"#;

fn code(text: &str) -> Code {
    let text = format!("{HEAD}{AXES}{text}");
    let mut files = Files::default();
    let mut sink = Sink::default();
    let file = files.add(Path::new("small.toml"), text.clone());
    let whole = Span::new(file, 0..0);
    let code = tree::parse(file, &text, &mut sink).and_then(|root| {
        let get = |name| root.get(name).map(|(_, node)| node);
        let axes = axes::read(get("axes"), &mut sink)?;
        let tables = tables::read(get("tables"), &mut sink);
        let programs = programs::read(&root, &files, &mut sink);
        Some(super::compile(
            &axes, &tables, &programs, whole, &files, &mut sink,
        ))
    });
    match code {
        Some(code) if sink.count() == 0 => code,
        _ => panic!("{}", sink.into_errors(files)),
    }
}

/// Checks the instructions of one entry: address, instruction, step.
fn check(text: &str, entry: &str, expected: Expect) {
    let code = code(text);
    let start = code
        .entries
        .iter()
        .find(|known| known.name == entry)
        .expect("the entry is there")
        .pc;
    let end = code
        .entries
        .iter()
        .map(|entry| entry.pc)
        .filter(|pc| *pc > start)
        .min();
    let end = end.map_or(code.instrs.len(), |end| end as usize);
    let mut listing = String::new();
    for pc in start as usize..end {
        let step = code
            .step_of(pc as u16)
            .map_or("", |step| code.steps[step].text.as_str());
        listing += format!("{pc:02} {:?} {{{step}}}", code.instrs[pc])
            .replace(" {}", "")
            .as_str();
        listing += "\n";
    }
    expected.assert_eq(&listing);
}

#[test]
fn an_operation_has_its_parameters_in_the_first_registers() {
    check(
        r#"
[guest]
unmap = "pte(space, page) := none"
"#,
        "unmap",
        expect![[r#"
            00 Pte { space: Reg(Reg(0)), page: Reg(Reg(1)), ipa: None, global: false } {pte(space, page) := none}
            01 Return
        "#]],
    );
}

#[test]
fn a_variable_of_a_block_ends_with_it() {
    check(
        r#"
[guest]
exit = """
for slot in slots(space):
    let asid = cd(slot).asid
    if not asid:
        return
    else:
        cmdq TLBI_NH_ASID(asid)
"""
"#,
        "exit",
        expect![[r#"
            00 ReadSet(Reg(1), Row { table: 0, key: Reg(Reg(0)), viommu: None }) {for slot in slots(space):}
            01 Next { from: Reg(1), into: Reg(2), to: 9 } {for slot in slots(space):}
            02 Read(Reg(4), CdAsid { viommu: Reg(Reg(3)), slot: Reg(Reg(2)) }) {let asid = cd(slot).asid}
            03 Branch { on: Reg(4), to: 6 } {if not asid:}
            04 Cmdq(TlbiNhAsid(Guest, Reg(Reg(4)))) {cmdq TLBI_NH_ASID(asid)}
            05 Jump(7)
            06 Return {return}
            07 Clear(Reg(4))
            08 Jump(1)
            09 Clear(Reg(2))
            10 Clear(Reg(1))
            11 Return
        "#]],
    );
}

#[test]
fn a_refused_request_clears_what_the_callee_left() {
    check(
        r#"
[guest]
exit = """
hypercall leave(space)
on refusal:
    free asid(space)
"""

[kernel.leave]
params = ["space"]
asks = ["TLBI_NH_ALL"]
steps = """
for page in pages:
    may fail
"""
"#,
        "exit",
        expect![[r#"
            00 Enter(Hypercall) {hypercall leave(space)}
            01 Ask(TlbiNhAll(Guest)) {hypercall leave(space)}
            02 LoadSet(Reg(1), Pages) {for page in pages:}
            03 Next { from: Reg(1), into: Reg(2), to: 6 } {for page in pages:}
            04 MayFail { to: 10 } {may fail}
            05 Jump(3)
            06 Clear(Reg(2))
            07 Clear(Reg(1))
            08 Answer {hypercall leave(space)}
            09 Jump(14)
            10 Refused {hypercall leave(space)}
            11 Clear(Reg(1))
            12 Clear(Reg(2))
            13 FreeAsid(Reg(Reg(0))) {free asid(space)}
            14 Return
        "#]],
    );
}

#[test]
fn a_refusal_goes_outward_until_somebody_handles_it() {
    check(
        r#"
[guest]
exit = "exit leave(space)"

[vmm.leave]
params = ["space"]
steps = "ioctl leave(viommu(space))"

[kernel.leave]
params = ["viommu"]
steps = """
hwq TLBI_NH_ALL(vmid(viommu))
refuse
"""
"#,
        "exit",
        expect![[r#"
            00 Enter(Exit) {exit leave(space)}
            01 Enter(Ioctl) {ioctl leave(viommu(space))}
            02 Hwq(0, TlbiNhAll(Of(ViommuOf(Reg(0))))) {hwq TLBI_NH_ALL(vmid(viommu))}
            03 Jump(6) {refuse}
            04 Answer {exit leave(space)}
            05 Jump(8)
            06 Refused {exit leave(space)}
            07 Jump(9)
            08 Return
            09 Fail
        "#]],
    );
}

#[test]
fn a_return_from_a_called_program_clears_its_variables() {
    check(
        r#"
[guest]
exit = """
call leave(space)
cmdq TLBI_NH_ALL
"""

[guest.leave]
params = ["space"]
steps = """
let used = slots(space) is empty
if used:
    return
free asid(space)
"""
"#,
        "exit",
        expect![[r#"
            00 Jump(1) {call leave(space)}
            01 Read(Reg(1), Empty(Row { table: 0, key: Reg(Reg(0)), viommu: None })) {let used = slots(space) is empty}
            02 Branch { on: Reg(1), to: 5 } {if used:}
            03 Clear(Reg(1))
            04 Jump(7) {return}
            05 FreeAsid(Reg(Reg(0))) {free asid(space)}
            06 Clear(Reg(1))
            07 Cmdq(TlbiNhAll(Guest)) {cmdq TLBI_NH_ALL}
            08 Return
        "#]],
    );
}

#[test]
fn a_doorbell_is_cut() {
    let text = r#"
[guest]
exit = "cmdq SYNC"

[vmm.doorbell]
steps = """
for command in queue:
    ioctl invalidate(command)
    on refusal:
        return
"""

[kernel.invalidate]
params = ["command"]
steps = "hwq fixup(command)"
"#;
    check(
        text,
        "exit",
        expect![[r#"
            00 Enter(Exit) {cmdq SYNC}
            01 Cut { every: 2, to: 9 } {cmdq SYNC}
            02 TakeCommand { to: 8 } {for command in queue:}
            03 Enter(Ioctl) {ioctl invalidate(command)}
            04 HwqGuest { queue: 0, fixup: true, to: 6 } {hwq fixup(command)}
            05 Jump(7)
            06 Jump(8) {return}
            07 Jump(2)
            08 Answer {cmdq SYNC}
            09 Return
        "#]],
    );
    check(
        text,
        "vmm.doorbell",
        expect![[r#"
        10 Enter(Exit)
        11 TakeCommand { to: 17 } {for command in queue:}
        12 Enter(Ioctl) {ioctl invalidate(command)}
        13 HwqGuest { queue: 0, fixup: true, to: 15 } {hwq fixup(command)}
        14 Jump(16)
        15 Jump(17) {return}
        16 Jump(11)
        17 Answer
        18 Return
    "#]],
    );
}

#[test]
fn a_hostile_guest_calls_what_guests_call() {
    let text = r#"
[guest]
exit = """
let asid = asid(space)
hypercall bind(asid, viommu)
"""

[kernel.bind]
params = ["asid", "viommu"]
asks = ["TLBI_NH_ASID(asid)"]
steps = """
lock users
for slot in users(asid):
    remove users(asid, slot)
unlock users
"""
"#;
    check(
        text,
        "exit",
        expect![[r#"
            00 Read(Reg(1), Asid(Reg(Reg(0)))) {let asid = asid(space)}
            01 Enter(Hypercall) {hypercall bind(asid, viommu)}
            02 Ask(TlbiNhAsid(Guest, Reg(Reg(1)))) {hypercall bind(asid, viommu)}
            03 Lock(0) {lock users}
            04 ReadSet(Reg(2), Row { table: 1, key: Reg(Reg(1)), viommu: Some(Reg(Reg(3))) }) {for slot in users(asid):}
            05 Next { from: Reg(2), into: Reg(4), to: 8 } {for slot in users(asid):}
            06 Remove(Row { table: 1, key: Reg(Reg(1)), viommu: Some(Reg(Reg(3))) }, Reg(Reg(4))) {remove users(asid, slot)}
            07 Jump(5)
            08 Clear(Reg(4))
            09 Clear(Reg(2))
            10 Unlock(0) {unlock users}
            11 Answer {hypercall bind(asid, viommu)}
            12 Clear(Reg(1))
            13 Return
        "#]],
    );
    check(
        text,
        "kernel.bind",
        expect![[r#"
        14 Enter(Hypercall)
        15 Lock(0) {lock users}
        16 ReadSet(Reg(2), Row { table: 1, key: Reg(Reg(0)), viommu: Some(Reg(Reg(1))) }) {for slot in users(asid):}
        17 Next { from: Reg(2), into: Reg(4), to: 20 } {for slot in users(asid):}
        18 Remove(Row { table: 1, key: Reg(Reg(0)), viommu: Some(Reg(Reg(1))) }, Reg(Reg(4))) {remove users(asid, slot)}
        19 Jump(17)
        20 Clear(Reg(4))
        21 Clear(Reg(2))
        22 Unlock(0) {unlock users}
        23 Answer
        24 Return
    "#]],
    );
    let code = code(text);
    let starts: Vec<_> = code
        .entries
        .iter()
        .filter(|entry| matches!(entry.start, Start::Call(_)))
        .collect();
    expect![[r#"[Entry { name: "kernel.bind", start: Call([Asid, Viommu]), pc: 14 }]"#]]
        .assert_eq(&format!("{starts:?}"));
}

#[test]
fn an_axis_that_is_off_leaves_its_steps_out() {
    let code = code(
        r#"
[guest]
unmap = """
if ats:
    for slot in slots(space):
        cmdq ATC_INV(slot, page)
else:
    call twice(space)
    call twice(space)
if not ats:
    pte(space, page) := none
"""

[guest.twice]
params = ["space"]
steps = "free asid(space)   # once in the list, however often it is called"
"#,
    );
    let steps: Vec<_> = code
        .steps
        .iter()
        .map(|step| format!("{}:{} {}", step.program, step.line, step.text))
        .collect();
    expect![[r#"
        unmap:19 call twice(space)
        unmap:20 call twice(space)
        unmap:22 pte(space, page) := none
        twice:27 free asid(space)"#]]
    .assert_eq(&steps.join("\n"));
}

#[test]
fn bindings_follow_what_a_caller_passed() {
    let code = code(
        r#"
[guest]
bind = "exit look(device(slot))"

[vmm.look]
params = ["device"]
steps = "ste(device).word1 := eats(0)"
"#,
    );
    let step = code
        .bindings
        .iter()
        .zip(&code.instrs)
        .find(|(_, instr)| matches!(instr, model::Instr::SteWord1 { .. }));
    expect![[r#"Some(([Binding { name: "device", operand: DeviceOf(Reg(0)), kind: Device }], SteWord1 { device: DeviceOf(Reg(0)), eats: false, bypass: false }))"#]].assert_eq(&format!("{step:?}"));
}

#[test]
fn a_leaf_can_be_global_and_an_invalidation_of_a_device() {
    let text = r#"
[guest]
map = "pte(space, page) := global(ipa)"
unbind = """
cmdq ATC_INV(slot)
cmdq ATC_INV(device(slot))
for page in pages:
    cmdq ATC_INV(slot, page)
    cmdq ATC_INV(device(slot), page)
"""
"#;
    check(
        text,
        "map",
        expect![[r#"
        00 Pte { space: Reg(Reg(0)), page: Reg(Reg(1)), ipa: Some(Reg(Reg(2))), global: true } {pte(space, page) := global(ipa)}
        01 Return
    "#]],
    );
    check(
        text,
        "unbind",
        expect![[r#"
        02 Cmdq(AtcInvSsid(Reg(Reg(0)))) {cmdq ATC_INV(slot)}
        03 Cmdq(AtcInvAll(DeviceOf(Reg(0)))) {cmdq ATC_INV(device(slot))}
        04 LoadSet(Reg(2), Pages) {for page in pages:}
        05 Next { from: Reg(2), into: Reg(4), to: 9 } {for page in pages:}
        06 Cmdq(AtcInv(Reg(Reg(0)), Reg(Reg(4)))) {cmdq ATC_INV(slot, page)}
        07 Cmdq(AtcInvPage(DeviceOf(Reg(0)), Reg(Reg(4)))) {cmdq ATC_INV(device(slot), page)}
        08 Jump(5)
        09 Clear(Reg(4))
        10 Clear(Reg(2))
        11 Return
    "#]],
    );
}
