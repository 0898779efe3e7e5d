//! Every fault code, by a test of its name; with the whole record.

mod ats;
mod context;
mod permission;
mod policy;
mod stream;
mod table;
mod upstream;
mod walk;

use engine::{
    Access, AddressType, Features, Iova, Outcome, StallModel, StreamId, SubstreamId, Transaction,
};

use crate::support::guest::*;

use crate::support::tables::{Pages, Tree};

/// Bits of word 1 of a record.
const RNW: u64 = 1 << 35;

const IND: u64 = 1 << 34;

const PNU: u64 = 1 << 33;

const STALL: u64 = 1 << 31;

const S2: u64 = 1 << 39;

const TTRNW: u64 = 1 << 44;

const CLASS_CD: u64 = 0;

const CLASS_TT: u64 = 1 << 40;

const CLASS_IN: u64 = 2 << 40;

const VA: u64 = 0x12_3456_7000;

const IPA: u64 = 0xd000_0000;

const PA: u64 = 0x7_0000_0000;

/// A nested machine in which VA -> IPA -> PA.
fn machine() -> (Guest, Tree, Tree) {
    machine_with(S1_RW, S2_RW)
}

fn machine_with(s1: u64, s2: u64) -> (Guest, Tree, Tree) {
    let mut guest = Guest::new(Features::all());
    let (mut inner, mut outer, _) = nested(&mut guest, K4, K4_S2);
    assert!(inner.map(&mut Inner(&mut guest), VA, IPA, 3, s1, 0));
    assert!(outer.map(&mut Host(&mut guest), IPA, PA, 3, s2, 0));
    (guest, inner, outer)
}

fn expect(guest: &mut Guest, access: Access, outcome: Outcome, record: [u64; 4]) {
    expect_at(guest, None, VA + 0x123, access, outcome, record);
}

fn expect_at(
    guest: &mut Guest,
    ssid: Option<u32>,
    va: u64,
    access: Access,
    outcome: Outcome,
    record: [u64; 4],
) {
    let refusal = guest.access(ssid, va, access).expect_err("this must fault");
    assert_eq!(refusal.outcome, outcome);
    let events = guest.new_events();
    assert_eq!(events, [record], "{events:x?} is not {record:x?}");
    assert_eq!(refusal.event.map(|event| event.words()), Some(record));
}

/// Most faults end like this.
fn aborts(guest: &mut Guest, access: Access, record: [u64; 4]) {
    expect(guest, access, Outcome::Abort, record);
}

fn aborts_at(guest: &mut Guest, ssid: Option<u32>, va: u64, access: Access, record: [u64; 4]) {
    expect_at(guest, ssid, va, access, Outcome::Abort, record);
}

/// A read with this SubstreamID aborts with a record that has nothing more to say.
fn aborts_with(guest: &mut Guest, id: u64, ssid: u32) {
    let record = with_ssid(id, ssid.into());
    aborts_at(guest, Some(ssid), VA, READ, record);
}

/// The STE of [`SID`].
fn ste(guest: &Guest) -> [u64; 8] {
    [0, 8, 16, 24, 32, 40, 48, 56].map(|at| guest.read(guest.strtab + 5 * 64 + at))
}

/// Where its CD lies, as hardware knows it.
fn cd_ipa(guest: &Guest) -> u64 {
    ste(guest)[0] & 0xffff_ffff_ffc0
}

#[test]
fn nothing_faults_in_the_machine_that_the_others_break() {
    let (mut guest, ..) = machine();
    let translation = guest.access(None, VA + 0x123, READ).expect("mapped");
    assert_eq!(translation.pa.0, PA + 0x123);
    assert_eq!(translation.page_bits, 12);
    assert!(guest.access(None, VA, WRITE).is_ok());
    assert_eq!(guest.new_events(), [[0; 4]; 0]);
}

/// A record with a SubstreamID; C_BAD_SUBSTREAMID has no SSV.
fn with_ssid(id: u64, ssid: u64) -> [u64; 4] {
    let ssv = if id == 0x08 { 0 } else { 1 << 11 };
    event(id | ssv | ssid << 12, 0, 0, 0)
}
