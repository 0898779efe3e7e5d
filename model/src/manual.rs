//! What the manual allows hardware, a rule a test: where docs/model-manual.md says that a rule is easily taken for more than it is.

use vocab::{Asid, Command, Device, Devices, Ipa, Page, Slot, Space, Viommu, Vm, Vmid};

use crate::caches::{bit, cd0, cd1, s1_bit, s2_tag, ste0, ste2, tag};
use crate::machine::{Machine, TableMemory};
use crate::sample;
use crate::state::{State, leaf, pte};

/// Two VMs with a vIOMMU and a device each, everything mapped and valid; the CD of each device has ASID 0 and the VM's first space.
fn machine() -> Machine {
    sample::machine_with(|setup| {
        let bounds = &mut setup.bounds;
        (bounds.ssids, bounds.asids, bounds.pages, bounds.ipas) = (1, 1, 1, 1);
        setup.axes.cd_table = TableMemory::Hypervisor;
        setup.devices = Devices::Wild;
    })
}

fn begin(machine: &Machine) -> State {
    let mut state = machine.initial();
    for device in 0..2u8 {
        let place = crate::state::descriptor(Viommu(device), Slot(device));
        state.memory.cd0[place] = cd0::valid(Asid(0));
        state.memory.cd1[place] = cd1::ttb(Space(device));
    }
    machine.settle(&mut state);
    state
}

fn written(machine: &Machine, state: &mut State, write: impl Fn(&mut State)) {
    write(state);
    machine.settle(state);
}

/// A command and the SYNC behind it.
fn completed(machine: &Machine, state: &mut State, command: Command) {
    machine.issue(state, 0, command).expect("one command fits");
    machine.settle(state);
    machine.cover(state, 0, 0);
    assert!(machine.complete(state, 0, 0));
    machine.settle(state);
}

#[test]
fn s2vmid_and_s2ttb_are_read_apart() {
    // 3.21.3: 64 bits at a time, in any order. 5.2: S2VMID is in word 2, S2TTB in word 3.
    let machine = machine();
    let mut state = begin(&machine);
    let foreign = machine.frame(Vm(0), Ipa(0));
    let entries = |state: &State| state.caches.s2[s2_tag(Vmid(1), Ipa(0))];
    assert_eq!(entries(&state) & bit(foreign.0), 0);
    written(&machine, &mut state, |state| {
        state.memory.ste0[0] = ste0::nested(Viommu(1));
        state.memory.ste2[0] = ste2::new(Vmid(1), Vm(1));
    });
    assert_ne!(
        entries(&state) & bit(foreign.0),
        0,
        "a stage 2 of VM 0 under VMID 1"
    );
    // The words of one store are read together again when the old ones are gone; what was walked stays.
    completed(&machine, &mut state, Command::CfgiSte(Device(0)));
    assert_eq!(state.caches.ste2[0], bit(ste2::new(Vmid(1), Vm(1))));
    assert_ne!(entries(&state) & bit(foreign.0), 0);
    completed(&machine, &mut state, Command::TlbiS12Vmall(Vmid(1)));
    assert_eq!(entries(&state) & bit(foreign.0), 0);
}

#[test]
fn a_tlb_entry_may_remember_s2ttb() {
    // 5.2.1: S2TTB may be part of a TLB entry, and needs a TLBI behind the CFGI when it is changed.
    let machine = machine();
    let mut state = begin(&machine);
    let frame = machine.frame(Vm(0), Ipa(0));
    let entries = |state: &State| state.caches.s2[s2_tag(Vmid(0), Ipa(0))] & bit(frame.0);
    written(&machine, &mut state, |state| state.memory.s2[0] = 0);
    completed(&machine, &mut state, Command::TlbiS2Ipa(Vmid(0), Ipa(0)));
    assert_eq!(entries(&state), 0);
    // VMID 0 goes to VM 1 without S12_VMALL; then VM 0 is lent a page.
    written(&machine, &mut state, |state| {
        state.memory.ste2[0] = ste2::new(Vmid(0), Vm(1));
    });
    completed(&machine, &mut state, Command::CfgiSte(Device(0)));
    assert_eq!(state.caches.ste2[0], bit(ste2::new(Vmid(0), Vm(1))));
    written(&machine, &mut state, |state| state.memory.s2[0] = 1);
    assert_ne!(entries(&state), 0, "a walk from the old S2TTB");
    completed(&machine, &mut state, Command::TlbiS12Vmall(Vmid(0)));
    assert_eq!(entries(&state), 0);
}

/// A space gave its ASID to another while none of its pages was mapped; then one is.
fn mapped_after_reuse(flush: Option<Command>) -> u16 {
    let machine = machine();
    let mut state = begin(&machine);
    let slot = crate::state::descriptor(Viommu(0), Slot(0));
    written(&machine, &mut state, |state| {
        state.memory.cd1[slot] = cd1::ttb(Space(2));
    });
    completed(&machine, &mut state, Command::CfgiCd(Slot(0)));
    assert_eq!(state.caches.cd1[0], bit(cd1::ttb(Space(2))));
    if let Some(command) = flush {
        completed(&machine, &mut state, command);
    }
    written(&machine, &mut state, |state| {
        state.memory.pte[leaf(Space(0), Page(0))] = pte::new(Ipa(0), false);
    });
    state.caches.s1[tag(Vmid(0), Asid(0), Page(0))] & s1_bit(Space(0), Ipa(0))
}

#[test]
fn a_tlb_entry_may_remember_ttb0() {
    // 5.4.1: TTB0 may be part of a TLB entry, and needs a TLBI behind the CFGI when it is changed.
    assert_ne!(mapped_after_reuse(None), 0, "a walk from the old TTB0");
    for command in [
        Command::TlbiNhAsid(Vmid(0), Asid(0)),
        Command::TlbiNhVa(Vmid(0), Asid(0), Page(0)),
        Command::TlbiNhAll(Vmid(0)),
        Command::TlbiS12Vmall(Vmid(0)),
        Command::TlbiNsnhAll,
    ] {
        assert_eq!(mapped_after_reuse(Some(command)), 0, "{command:?}");
    }
    for command in [
        Command::TlbiNhAsid(Vmid(1), Asid(0)),
        Command::TlbiS2Ipa(Vmid(0), Ipa(0)),
    ] {
        assert_ne!(mapped_after_reuse(Some(command)), 0, "{command:?}");
    }
}

#[test]
fn a_tlb_entry_may_remember_epd0() {
    // 5.4.1: EPD0 may be part of a TLB entry. Behind CFGI_CD alone a walk is still possible.
    for (command, walks) in [
        (Command::CfgiCd(Slot(0)), true),
        (Command::TlbiNhAsid(Vmid(0), Asid(0)), false),
    ] {
        let machine = machine();
        let mut state = begin(&machine);
        written(&machine, &mut state, |state| {
            state.memory.cd0[0] = cd0::epd(Asid(0));
        });
        completed(&machine, &mut state, Command::CfgiCd(Slot(0)));
        assert_eq!(state.caches.cd0[0], bit(cd0::epd(Asid(0))));
        completed(&machine, &mut state, command);
        written(&machine, &mut state, |state| {
            state.memory.pte[0] = pte::new(Ipa(0), false)
        });
        assert_eq!(
            state.caches.s1[tag(Vmid(0), Asid(0), Page(0))] != 0,
            walks,
            "{command:?}"
        );
    }
}
