//! What each command names and what it leaves, of everything that can be cached: chapter 4 once more, as lists.

use vocab::{Asid, Command, Device, Ipa, Page, Slot, Vmid};

use super::GUEST_VMID;
use crate::caches::{Caches, GLOBAL, atc_tag, s2_tag, tag};
use crate::machine::{Machine, limit};
use crate::sample;

/// What can be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Ste(Device),
    Cd(Slot),
    /// Of stage 1, and the combined one of the same tag.
    Page(Vmid, Asid, Page),
    Stage2(Vmid, Ipa),
    /// Where tables lie.
    Tables(Vmid),
    Atc(Slot, Page),
}
use Entry::*;

fn entries() -> Vec<Entry> {
    let two = || 0..2;
    let mut all = Vec::new();
    all.extend(two().map(|device| Ste(Device(device))));
    all.extend((0..limit::SLOTS as u8).map(|slot| Cd(Slot(slot))));
    for vmid in two().map(Vmid) {
        all.push(Tables(vmid));
        all.extend(two().map(|ipa| Stage2(vmid, Ipa(ipa))));
        for asid in [Asid(0), Asid(1), GLOBAL] {
            all.extend(two().map(|page| Entry::Page(vmid, asid, vocab::Page(page))));
        }
    }
    for slot in (0..limit::SLOTS as u8).map(Slot) {
        all.extend(two().map(|page| Atc(slot, vocab::Page(page))));
    }
    all
}

/// Whether a command removes an entry, whatever it holds; it must not remove a part.
fn removes(hits: &Caches, entry: Entry) -> bool {
    let parts = match entry {
        Ste(Device(at)) => {
            let at = at as usize;
            vec![hits.ste0[at], hits.ste1[at], hits.ste2[at]]
        }
        Cd(slot) => vec![hits.cd0[slot.index()], hits.cd1[slot.index()]],
        Entry::Page(vmid, asid, page) => {
            let cell = tag(vmid, asid, page);
            let [low, high] = hits.s1[cell].to_le_bytes();
            vec![hits.tlb[cell], low, high]
        }
        Stage2(vmid, ipa) => vec![hits.s2[s2_tag(vmid, ipa)]],
        Tables(vmid) => vec![hits.s2_tables[vmid.index()]],
        Atc(slot, page) => vec![hits.atc[atc_tag(slot, page)]],
    };
    let whole = parts.iter().all(|part| *part == 0xff);
    assert!(
        whole || parts.iter().all(|part| *part == 0),
        "a part of {entry:?}"
    );
    whole
}

fn check(machine: &Machine, command: Command, named: impl Fn(Entry) -> bool) {
    let hits = machine.hits(command);
    for entry in entries() {
        assert_eq!(
            removes(&hits, entry),
            named(entry),
            "{command:?}: {entry:?}"
        );
    }
}

const V0: Vmid = Vmid(0);
const V1: Vmid = Vmid(1);
const P0: Page = vocab::Page(0);
const P1: Page = vocab::Page(1);

#[test]
fn cfgi_names_structures_and_nothing_in_a_tlb() {
    let machine = sample::machine();
    let check = |command, named: &[Entry]| check(&machine, command, |entry| named.contains(&entry));
    check(
        Command::CfgiSte(Device(0)),
        &[Ste(Device(0)), Cd(Slot(0)), Cd(Slot(1))],
    );
    check(Command::CfgiCd(Slot(1)), &[Cd(Slot(1))]);
    check(Command::CfgiCdAll(Device(1)), &[Cd(Slot(2)), Cd(Slot(3))]);
}

#[test]
fn tlbi_of_stage_1_names_stage_1_and_combined_entries_of_its_vmid() {
    let machine = sample::machine();
    check(&machine, Command::TlbiNhAll(V1), |entry| {
        matches!(entry, Entry::Page(V1, ..))
    });
    check(&machine, Command::TlbiNhAsid(V1, Asid(0)), |entry| {
        matches!(entry, Entry::Page(V1, Asid(0), _))
    });
    check(&machine, Command::TlbiNhVa(V0, Asid(1), P1), |entry| {
        matches!(entry, Entry::Page(V0, Asid(1) | GLOBAL, P1))
    });
    check(&machine, Command::TlbiNhVaa(V0, P0), |entry| {
        matches!(entry, Entry::Page(V0, _, P0))
    });
    check(&machine, Command::TlbiNhAll(GUEST_VMID), |_| false);
}

#[test]
fn tlbi_of_stage_2_names_pages_alone_or_everything_of_its_vmid() {
    let machine = sample::machine();
    check(&machine, Command::TlbiS2Ipa(V1, Ipa(1)), |entry| {
        entry == Stage2(V1, Ipa(1))
    });
    check(&machine, Command::TlbiS12Vmall(V0), |entry| {
        matches!(entry, Entry::Page(V0, ..) | Stage2(V0, _) | Tables(V0))
    });
    check(&machine, Command::TlbiNsnhAll, |entry| {
        matches!(entry, Entry::Page(..) | Stage2(..) | Tables(_))
    });
}

#[test]
fn tlbi_s2_ipa_finds_combined_entries_of_its_frames_on_some_hardware() {
    let mut machine = sample::machine();
    let combined = |machine: &Machine| machine.hits(Command::TlbiS2Ipa(V0, Ipa(1))).tlb;
    assert_eq!(combined(&machine), Caches::default().tlb);
    machine.hardware.s2_drops_combined = true;
    let cells = combined(&machine);
    let frames = [vocab::Vm(0), vocab::Vm(1)].map(|vm| 1 << machine.frame(vm, Ipa(1)).0);
    for entry in entries() {
        if let Entry::Page(vmid, asid, page) = entry {
            let expected = if vmid == V0 { frames[0] | frames[1] } else { 0 };
            assert_eq!(cells[tag(vmid, asid, page)], expected, "{entry:?}");
        }
    }
}

#[test]
fn atc_inv_names_pages_of_a_stream_and_of_one_ssid_or_all() {
    let machine = sample::machine();
    let check = |command, named: &[Entry]| check(&machine, command, |entry| named.contains(&entry));
    check(Command::AtcInv(Slot(1), P0), &[Atc(Slot(1), P0)]);
    check(
        Command::AtcInvSsid(Slot(2)),
        &[Atc(Slot(2), P0), Atc(Slot(2), P1)],
    );
    check(
        Command::AtcInvPage(Device(0), P1),
        &[Atc(Slot(0), P1), Atc(Slot(1), P1)],
    );
    check(
        Command::AtcInvAll(Device(1)),
        &[
            Atc(Slot(2), P0),
            Atc(Slot(2), P1),
            Atc(Slot(3), P0),
            Atc(Slot(3), P1),
        ],
    );
}
