//! The rule in the smallest stories that can tell it from another: when a command ends what is out of date, and when it must not.

use vocab::{Asid, Command, Ipa, Page, Slot, Vmid};

use crate::caches::{atc_tag, tag};
use crate::machine::Machine;
use crate::sample::{self, LEAF};
use crate::state::{State, pte};

const TLBI: Command = Command::TlbiNhVa(Vmid(0), Asid(0), Page(0));
const ATC_INV: Command = Command::AtcInv(Slot(0), Page(0));
const MAPPED: u8 = pte::new(Ipa(0), false);

/// A machine and what happens on it.
struct Story {
    machine: Machine,
    state: State,
}

impl Story {
    /// Everything is cached; then the page is unmapped.
    fn new(machine: Machine) -> Self {
        let state = sample::state(Vmid(0));
        let mut story = Story { machine, state };
        story.machine.settle(&mut story.state);
        story.write(pte::NONE);
        story
    }

    fn write(&mut self, leaf: u8) {
        self.state.memory.pte[LEAF] = leaf;
        self.machine.settle(&mut self.state);
    }

    fn issue(&mut self, queue: u8, command: Command) {
        let issued = self.machine.issue(&mut self.state, queue, command);
        issued.expect("there is room");
        self.machine.settle(&mut self.state);
    }

    /// A thread's SYNC is issued; [`Story::complete`] later.
    fn cover(&mut self, queue: u8, thread: usize) {
        self.machine.cover(&mut self.state, queue, thread);
    }

    fn complete(&mut self, queue: u8, thread: usize) {
        assert!(self.machine.complete(&mut self.state, queue, thread));
        self.machine.settle(&mut self.state);
    }

    fn sync(&mut self, queue: u8) {
        self.cover(queue, 0);
        self.complete(queue, 0);
    }

    fn tlb(&self) -> bool {
        self.state.caches.tlb[tag(Vmid(0), Asid(0), Page(0))] != 0
    }

    fn atc(&self) -> bool {
        self.state.caches.atc[atc_tag(Slot(0), Page(0))] != 0
    }
}

#[test]
fn what_is_out_of_date_ends_with_the_sync_and_not_before() {
    let mut story = Story::new(sample::machine());
    story.issue(0, TLBI);
    assert!(story.tlb(), "it may not have taken effect yet");
    story.sync(0);
    assert!(!story.tlb() && story.atc());
    story.issue(0, ATC_INV);
    assert!(story.atc());
    story.sync(0);
    assert!(!story.atc());
}

#[test]
fn what_memory_still_says_a_command_does_not_end() {
    let mut story = Story::new(sample::machine());
    story.write(MAPPED);
    let Story { machine, state } = &mut story;
    machine.issue(state, 0, TLBI).expect("there is room");
    assert!(state.flight[0].doomed.0.is_empty());
    story.sync(0);
    assert!(story.tlb());
}

/// Walked after the command took effect, and before the page was unmapped again: the SYNC does not end that.
#[test]
fn what_was_cached_behind_a_command_outlives_it() {
    let mut story = Story::new(sample::machine());
    story.issue(0, TLBI);
    story.write(MAPPED);
    story.write(pte::NONE);
    story.sync(0);
    assert!(story.tlb());
}

#[test]
fn what_is_doomed_is_no_source() {
    let mut story = Story::new(sample::machine());
    story.issue(0, TLBI);
    // Something else happens meanwhile.
    story.state.memory.active = 0b11;
    story.machine.settle(&mut story.state);
    story.sync(0);
    assert!(!story.tlb());
}

#[test]
fn a_sync_completes_what_was_in_its_queue_when_it_was_issued() {
    let mut other = Story::new(sample::machine());
    other.issue(0, TLBI);
    other.sync(1);
    assert!(other.tlb());
    let mut later = Story::new(sample::machine());
    later.cover(0, 0);
    later.issue(0, TLBI);
    later.complete(0, 0);
    assert!(later.tlb());
}

/// Two threads unmap the same: the first command is not forgotten for the second, which no SYNC has behind it yet.
#[test]
fn a_command_stays_in_flight_for_the_sync_that_waits_for_it() {
    let mut story = Story::new(sample::machine());
    story.issue(0, TLBI);
    story.cover(0, 0);
    story.issue(0, TLBI);
    story.complete(0, 0);
    assert!(!story.tlb());
}

#[test]
fn an_atc_inv_that_is_given_up_has_perhaps_not_taken_effect() {
    let mut story = Story::new(sample::machine());
    story.issue(0, TLBI);
    story.sync(0);
    story.issue(0, ATC_INV);
    story.cover(0, 0);
    let Story { machine, state } = &mut story;
    machine.give_up_atc_inv(state, 0, 0);
    machine.settle(state);
    assert!(story.atc());
}

/// Without a SYNC between them: where commands take effect in any order, the ATC asks again before the TLB has forgotten.
#[test]
fn one_sync_is_enough_where_commands_take_effect_in_order() {
    for in_order in [true, false] {
        let mut machine = sample::machine();
        machine.hardware.in_order = in_order;
        let mut story = Story::new(machine);
        story.issue(0, TLBI);
        story.issue(0, ATC_INV);
        story.sync(0);
        assert!(!story.tlb());
        assert_eq!(story.atc(), !in_order);
    }
}
