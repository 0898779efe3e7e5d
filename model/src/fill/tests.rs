//! What one stream leads to, cell by cell, and how that changes with each word of memory.

use vocab::{Asid, Ipa, Page, Slot, Space, Threat, Viommu, Vm, Vmid};

use crate::caches::{
    Caches, GLOBAL, atc_tag, bit, cd0, cd1, s1_bit, s2_tag, ste0, ste1, ste2, tag,
};
use crate::machine::{Machine, S1dss};
use crate::sample::{self, CD, LEAF};
use crate::state::{State, pte};

const PAGE: Page = Page(0);
const ATC: usize = atc_tag(Slot(0), PAGE);

/// What may be cached of memory that a test has changed.
fn cached(machine: &Machine, change: impl FnOnce(&mut State)) -> Caches {
    let mut state = sample::state(Vmid(0));
    change(&mut state);
    machine.legitimate(&state)
}

/// The translation of the one page and all that leads to it, under these tags and no others.
fn only(vmid: Vmid, asid: Asid) -> Caches {
    let mut only = Caches {
        ste0: [bit(ste0::nested(Viommu(0))), bit(ste0::ABORT)],
        ste1: [bit(ste1::new(true, false)), bit(ste1::new(false, false))],
        ste2: [bit(ste2::new(vmid, Vm(0))), bit(ste2::NONE)],
        ..Caches::default()
    };
    // The other slot's CD is not valid, which is cached too.
    only.cd0[..2].copy_from_slice(&[bit(cd0::valid(Asid(0))), bit(cd0::INVALID)]);
    only.cd1[..2].copy_from_slice(&[bit(cd1::ttb(Space(0))), bit(cd1::NONE)]);
    // Where walks begin is the CD's to say, of any page.
    for page in [PAGE, Page(1)] {
        only.ttb[tag(vmid, Asid(0), page)] = bit(0);
    }
    only.s1[tag(vmid, asid, PAGE)] = s1_bit(Space(0), Ipa(0));
    only.s2[s2_tag(vmid, Ipa(0))] = bit(0);
    only.s2_tables[vmid.index()] = bit(0);
    only.tlb[tag(vmid, asid, PAGE)] = bit(0);
    only.atc[ATC] = bit(0);
    only
}

#[test]
fn a_translation_is_cached_under_its_tags_and_no_others() {
    let machine = sample::machine();
    for vmid in [Vmid(0), Vmid(1)] {
        let cached = machine.legitimate(&sample::state(vmid));
        assert_eq!(cached, only(vmid, Asid(0)));
    }
    let global = cached(&machine, |state| {
        state.memory.pte[LEAF] = pte::new(Ipa(0), true);
    });
    assert_eq!(global, only(Vmid(0), GLOBAL));
}

#[test]
fn what_is_not_valid_is_cached_on_some_hardware() {
    let mut machine = sample::machine();
    for caches_invalid in [true, false] {
        machine.hardware.caches_invalid = caches_invalid;
        let cached = machine.legitimate(&sample::state(Vmid(0)));
        let (ste, cd) = (cached.ste0[1], cached.cd0[1]);
        assert_eq!(ste == bit(ste0::ABORT), caches_invalid);
        assert_eq!(cd == bit(cd0::INVALID), caches_invalid);
    }
}

/// 3.21: words are fetched one by one, and what is cached of an old one stays.
#[test]
fn each_word_is_cached_anew() {
    let machine = sample::machine();
    let mut state = sample::state(Vmid(0));
    let old = machine.legitimate(&state);
    let memory = &mut state.memory;
    memory.ste1[0] = ste1::new(false, false);
    memory.ste2[0] = ste2::new(Vmid(1), Vm(0));
    memory.cd0[CD] = cd0::valid(Asid(1));
    memory.cd1[CD] = cd1::ttb(Space(2));
    let both = machine.fill(&state, old);
    let new = machine.legitimate(&state);
    assert_eq!(both.ste1[0], old.ste1[0] | new.ste1[0]);
    assert_eq!(both.ste2[0], old.ste2[0] | new.ste2[0]);
    assert_eq!(both.cd0[0], old.cd0[0] | new.cd0[0]);
    assert_eq!(both.cd1[0], old.cd1[0] | new.cd1[0]);
    assert_eq!(both.cd0[0].count_ones() + both.cd1[0].count_ones(), 4);
    assert_eq!(both.ste1[0].count_ones() + both.ste2[0].count_ones(), 4);
    state.memory.ste0[0] = ste0::ABORT;
    let words = machine.fill(&state, both).ste0[0];
    assert_eq!(words, old.ste0[0] | bit(ste0::ABORT));
}

/// 5.4: EPD0=1 prevents walks, not TLB hits.
#[test]
fn epd0_leaves_what_was_cached_to_be_found() {
    let machine = sample::machine();
    let mut state = sample::state(Vmid(0));
    state.memory.cd0[CD] = cd0::epd(Asid(0));
    let cached = machine.legitimate(&state);
    let nothing = Caches::default();
    assert_eq!((cached.s1, cached.tlb), (nothing.s1, nothing.tlb));
    for asid in [Asid(0), GLOBAL] {
        let mut hit = cached;
        hit.tlb[tag(Vmid(0), asid, PAGE)] = bit(0);
        assert_eq!(machine.fill(&state, hit).atc[ATC], bit(0));
    }
}

#[test]
fn without_stage_1_stage_2_is_walked_and_no_descriptor_read() {
    let cached = cached(&sample::machine(), |state| {
        state.memory.ste0[0] = ste0::S2_TRANS;
    });
    assert_eq!(cached.s2[s2_tag(Vmid(0), Ipa(0))], bit(0));
    let nothing = Caches::default();
    assert_eq!((cached.cd0, cached.s1), (nothing.cd0, nothing.s1));
}

/// S1ContextPtr is an intermediate address: what a VMID's entries of another VM lead to is that VM's memory, which may hold anything.
/// So may the table of a guest that scribbles.
#[test]
fn a_descriptor_that_may_be_anything_may_be_invalid_too() {
    let mut machine = sample::machine();
    machine.hardware.caches_invalid = false;
    let [valid, epd] = [cd0::valid, cd0::epd].map(|word| bit(word(Asid(0))) | bit(word(Asid(1))));
    let anything = bit(cd0::INVALID) | valid | epd;
    let mut left = Caches::default();
    left.s2_tables[0] = bit(1);
    let foreign = machine.fill(&sample::state(Vmid(0)), left);
    assert_eq!(foreign.cd0[0], anything);
    machine.threat = Threat::Scribbling;
    assert_eq!(cached(&machine, |_| ()).cd0[0], anything);
}

#[test]
fn devices_ask_where_eats_says_so_and_when_they_may() {
    let machine = sample::machine();
    let without_eats = cached(&machine, |state| {
        state.memory.ste1[0] = ste1::new(false, false);
    });
    let idle = cached(&machine, |state| state.memory.active = 0);
    for none in [without_eats, idle] {
        assert_eq!(
            (none.atc[ATC], none.tlb[tag(Vmid(0), Asid(0), PAGE)]),
            (0, bit(0))
        );
    }
}

#[test]
fn traffic_without_ssid_bypasses_stage_1_where_s1dss_says_so() {
    let mut machine = sample::machine();
    machine.axes.s1dss = S1dss::Bypass;
    for bypass in [true, false] {
        let cached = cached(&machine, |state| {
            state.memory.ste1[0] = ste1::new(true, bypass);
        });
        // Slot 0 is that traffic's; its page is an intermediate one.
        assert_eq!((cached.atc[ATC], cached.cd0[0]), (bypass as u8, 0));
    }
}

#[test]
fn what_the_atc_holds_is_reached_while_eats_says_so() {
    let machine = sample::machine();
    for eats in [true, false] {
        let mut state = sample::state(Vmid(0));
        state.caches.ste0[0] = bit(ste0::nested(Viommu(0)));
        state.caches.ste1[0] = bit(ste1::new(eats, false));
        state.caches.atc[ATC] = bit(0);
        assert_eq!(machine.reach(&state, Slot(0), PAGE), eats as u8);
    }
}
