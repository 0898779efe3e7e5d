//! Every fault code, by a test of its name; with the whole record.

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

#[test]
fn nothing_faults_in_the_machine_that_the_others_break() {
    let (mut guest, ..) = machine();
    let translation = guest.access(None, VA + 0x123, READ).expect("mapped");
    assert_eq!(translation.pa.0, PA + 0x123);
    assert_eq!(translation.page_bits, 12);
    assert!(guest.access(None, VA, WRITE).is_ok());
    assert_eq!(guest.new_events(), [[0; 4]; 0]);
}

#[test]
fn c_bad_streamid_beyond_a_linear_table() {
    let (mut guest, ..) = machine();
    let mut tbu = guest.smmu.tbu().unwrap();
    let transaction = Transaction::new(StreamId(16), None, Iova(VA), READ);
    assert_eq!(
        tbu.burst().translate(&transaction).unwrap_err().outcome,
        Outcome::Abort
    );
    drop(tbu);
    assert_eq!(guest.new_events(), [[0x02 | 16 << 32, 0, 0, 0]]);
}

#[test]
fn c_bad_streamid_is_not_recorded_unless_asked_for() {
    let (mut guest, ..) = machine();
    guest.smmu.configure(engine::Registers {
        recinvsid: false,
        ..guest.smmu.registers()
    });
    let mut tbu = guest.smmu.tbu().unwrap();
    let transaction = Transaction::new(StreamId(16), None, Iova(VA), READ);
    assert_eq!(tbu.burst().translate(&transaction).unwrap_err().event, None);
    drop(tbu);
    assert!(guest.new_events().is_empty());
}

/// A two-level stream table in which L1STD 0 has this value; SID 5 is asked for.
fn two_level(l1std: impl Fn(u64) -> u64) -> Guest {
    let (mut guest, ..) = machine();
    let level1 = guest.area(64 * 8);
    let level2 = guest.area(64 * 64);
    for word in 0..8 {
        let word_of_ste = guest.read(guest.strtab + 5 * 64 + word * 8);
        guest.write(level2 + 5 * 64 + word * 8, &[word_of_ste]);
    }
    guest.write(level1, &[l1std(level2)]);
    guest.smmu.configure(engine::Registers {
        strtab_base: level1,
        strtab_log2size: 12,
        strtab_format: engine::StreamTableFormat::TwoLevel { split: 6 },
        ..guest.smmu.registers()
    });
    guest
}

#[test]
fn c_bad_streamid_in_a_two_level_table() {
    for span in [0, 1, 3, 8, 11, 12, 31] {
        // Span 3 has entries 0 to 3; 8 is larger than SPLIT + 1; 12 on are reserved.
        let mut guest = two_level(|level2| level2 | span);
        expect(&mut guest, READ, Outcome::Abort, event(0x02, 0, 0, 0));
    }
    for span in [4, 5, 6, 7] {
        let guest = two_level(|level2| level2 | span);
        assert!(guest.access(None, VA, READ).is_ok(), "span {span}");
    }
}

#[test]
fn f_ste_fetch() {
    let (mut guest, ..) = machine();
    guest.smmu.configure(engine::Registers {
        strtab_base: 0x9000_0000,
        ..guest.smmu.registers()
    });
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x03, 0, 0, 0x9000_0000 + 5 * 64),
    );
    let mut guest = two_level(|_| 0x9000_0000 | 7);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x03, 0, 0, 0x9000_0000 + 5 * 64),
    );
}

#[test]
fn c_bad_ste() {
    let (mut guest, _, outer) = machine();
    let good = ste_nested(
        guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0,
        &outer,
        3,
    );
    let with = |word: usize, clear: u64, set: u64| {
        let mut ste = good;
        ste[word] = ste[word] & !clear | set;
        ste
    };
    let broken = [
        with(0, 1, 0),                 // V
        with(0, 0, 31 << 59),          // S1CDMax > SSIDSIZE
        with(1, 0, 2 << 28),           // EATS split-stage ...
        with(2, 0x3f << 32, 11 << 32), // S2T0SZ too small
        with(2, 0x3f << 32, 40 << 32), // S2T0SZ too large
        with(2, 3 << 38, 0),           // S2SL0 level 2 for 40 bits: more than 16 tables
        with(2, 3 << 38, 3 << 38),     // S2SL0 reserved
        with(2, 3 << 46, 3 << 46),     // S2TG reserved
        with(2, 1 << 51, 0),           // S2AA64
        with(2, 0, 1 << 52),           // S2ENDI
        with(2, 0, 1 << 55),           // S2HD
        with(2, 0, 1 << 56),           // S2HA
        with(2, 7 << 48, 0),           // S2PS 32 bits: the table lies below, still fine ...
        with(3, 0, 1 << 48),           // S2TTB beyond 48 bits with 4 KiB
    ];
    for (index, ste) in broken.into_iter().enumerate() {
        guest.set_ste(SID, ste);
        match index {
            // EATS = 2 is legal with Config = 7 and S2S = 0; S2PS = 32 bits only moves the output check.
            2 => assert!(guest.access(None, VA, READ).is_ok()),
            12 => expect(
                &mut guest,
                READ,
                Outcome::Abort,
                event(0x11, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
            ),
            _ => expect(&mut guest, READ, Outcome::Abort, event(0x04, 0, 0, 0)),
        }
    }
    // With stalls, ATS is not.
    guest.set_ste(SID, {
        let mut ste = with(1, 0, 1 << 28);
        ste[2] |= 1 << 57;
        ste
    });
    expect(&mut guest, READ, Outcome::Abort, event(0x04, 0, 0, 0));
}

#[test]
fn an_abort_ste_records_nothing() {
    let (mut guest, ..) = machine();
    for config in 0..4 {
        guest.set_ste(SID, [1 | config << 1, 0, 0, 0, 0, 0, 0, 0]);
        let refusal = guest.access(None, VA, READ).unwrap_err();
        assert_eq!((refusal.outcome, refusal.event), (Outcome::Abort, None));
    }
    assert!(guest.new_events().is_empty());
}

#[test]
fn bypass_passes_what_fits_the_output_size() {
    let (mut guest, ..) = machine();
    guest.set_ste(SID, [1 | 4 << 1, 0, 0, 0, 0, 0, 0, 0]);
    let last = guest.access(None, 0xf_ffff_ffff_ffff, WRITE).unwrap();
    assert_eq!(last.pa.0, 0xf_ffff_ffff_ffff);
    // What is translated alike ends where addresses no longer pass, or a device's cache would answer for these too.
    assert_eq!(last.reach(), 1);
    expect_at(
        &mut guest,
        None,
        1 << 52,
        READ,
        Outcome::Abort,
        event(0x11, RNW | CLASS_IN, 1 << 52, 0),
    );
}

#[test]
fn f_bad_ats_treq_and_f_transl_forbidden() {
    let (mut guest, ..) = machine();
    let transaction = Transaction {
        address_type: AddressType::Translated,
        ..Transaction::new(SID, None, Iova(VA), WRITE)
    };
    let mut tbu = guest.smmu.tbu().unwrap();
    assert_eq!(
        tbu.burst().ats_request(&transaction),
        engine::AtsReply::UnsupportedRequest
    );
    assert_eq!(
        tbu.burst().translate(&transaction).unwrap_err().outcome,
        Outcome::Abort
    );
    drop(tbu);
    let events = guest.new_events();
    assert_eq!(
        events,
        [event(0x05, 0, VA, 0), event(0x07, 0, VA, 0)],
        "{events:x?}"
    );
}

/// A stream of stage 1 with 2^3 CDs, of which 0 and 1 are good, and this S1DSS.
fn substreams(dss: u64) -> Guest {
    let mut guest = Guest::new(Features::all());
    let mut tree = guest.stage1(K4);
    assert!(tree.map(&mut Host(&mut guest), VA, PA, 3, S1_RW, 0));
    let cds = guest.area(8 * 64);
    guest.write(cds, &cd(&tree, 7));
    guest.write(cds + 64, &cd(&tree, 8));
    let mut ste = ste_s1(cds);
    ste[0] |= 3 << 59;
    ste[1] |= dss;
    guest.set_ste(SID, ste);
    guest
}

/// A record with a SubstreamID; C_BAD_SUBSTREAMID has no SSV.
fn with_ssid(id: u64, ssid: u64) -> [u64; 4] {
    let ssv = if id == 0x08 { 0 } else { 1 << 11 };
    event(id | ssv | ssid << 12, 0, 0, 0)
}

#[test]
fn f_stream_disabled() {
    for dss in [0, 3] {
        let mut guest = substreams(dss);
        expect(&mut guest, READ, Outcome::Abort, event(0x06, 0, 0, 0));
        assert!(guest.access(Some(0), VA, READ).is_ok());
    }
    let mut guest = substreams(2);
    assert!(guest.access(None, VA, READ).is_ok());
    expect_at(
        &mut guest,
        Some(0),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x06, 0),
    );
    assert!(guest.access(Some(1), VA, READ).is_ok());
    let guest = substreams(1);
    assert_eq!(guest.access(None, VA, READ).unwrap().pa.0, VA);
    assert_eq!(guest.access(Some(0), VA, READ).unwrap().pa.0, PA);
}

#[test]
fn c_bad_substreamid() {
    let mut guest = substreams(0);
    for ssid in [8, 9, 0xf_ffff] {
        expect_at(
            &mut guest,
            Some(ssid),
            VA,
            READ,
            Outcome::Abort,
            with_ssid(0x08, u64::from(ssid)),
        );
    }
    // No substreams, no stage 1, no translation.
    let (mut guest, _, outer) = machine();
    expect_at(
        &mut guest,
        Some(0),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x08, 0),
    );
    guest.set_ste(SID, ste_s2(&outer, 3));
    expect_at(
        &mut guest,
        Some(1),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x08, 1),
    );
    guest.set_ste(SID, [1 | 4 << 1, 0, 0, 0, 0, 0, 0, 0]);
    expect_at(
        &mut guest,
        Some(1),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x08, 1),
    );
}

#[test]
fn c_bad_substreamid_in_a_two_level_cd_table() {
    let mut guest = substreams(0);
    let mut ste = [0, 8, 16, 24, 32, 40, 48, 56].map(|at| guest.read(guest.strtab + 5 * 64 + at));
    let leaf = ste[0] & 0xffff_ffff_ffc0;
    let l1 = guest.area(64);
    ste[0] = 1 | 5 << 1 | 1 << 4 | l1 | 8 << 59;
    guest.set_ste(SID, ste);
    guest.write(l1, &[leaf & !0xfff | 1, 0, 1 | 1 << 54]);
    let offset = (leaf & 0xfff) / 64;
    assert!(guest.access(Some(offset as u32 + 1), VA, READ).is_ok());
    // L1CD.V = 0, and a pointer beyond the output size.
    expect_at(
        &mut guest,
        Some(64),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x08, 64),
    );
    expect_at(
        &mut guest,
        Some(128),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x08, 128),
    );
}

#[test]
fn f_cd_fetch() {
    let mut guest = Guest::new(Features::all());
    guest.set_ste(SID, ste_s1(0x9000_0040));
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x09, 0, 0, 0x9000_0040),
    );
}

#[test]
fn c_bad_cd() {
    let mut guest = Guest::new(Features::all());
    let mut tree = guest.stage1(K4);
    assert!(tree.map(&mut Host(&mut guest), VA, PA, 3, S1_RW, 0));
    let at = stage1_only(&mut guest, &tree);
    let good = cd(&tree, 7);
    assert!(guest.access(None, VA, READ).is_ok());
    let with = |word: usize, clear: u64, set: u64| {
        let mut cd = good;
        cd[word] = cd[word] & !clear | set;
        cd
    };
    for cd in [
        with(0, 1 << 31, 0),     // V
        with(0, 0x3f, 15),       // T0SZ too small
        with(0, 0x3f, 40),       // T0SZ too large
        with(0, 3 << 6, 3 << 6), // TG0 reserved
        with(0, 0, 1 << 15),     // ENDI
        with(0, 1 << 30, 0),     // EPD1 = 0, but TG1 = 0 is reserved
        with(0, 1 << 41, 0),     // AA64
        with(0, 0, 1 << 42),     // HD
        with(0, 0, 1 << 43),     // HA
        with(0, 7 << 32, 0),     // IPS 32 bits ...
        with(1, 0, 1 << 50),     // TTB0 beyond 48 bits with 4 KiB
    ] {
        guest.write(at, &cd);
        if cd[0] >> 32 & 7 == 0 {
            // ... is legal, since TTB0 fits; the page does not.
            expect(
                &mut guest,
                READ,
                Outcome::Abort,
                event(0x11, RNW | CLASS_IN, VA + 0x123, 0),
            );
        } else {
            expect(&mut guest, READ, Outcome::Abort, event(0x0a, 0, 0, 0));
        }
    }
    // Without stage-1 stalls, a CD that asks for them is ILLEGAL.
    guest.write(at, &with(0, 0, 1 << 44));
    let mut ste = ste_s1(at);
    ste[1] |= 1 << 27;
    guest.set_ste(SID, ste);
    expect(&mut guest, READ, Outcome::Abort, event(0x0a, 0, 0, 0));
}

#[test]
fn term_model_and_stall_model_make_cds_illegal() {
    for (features, cd_bits) in [
        (
            Features {
                term_model: true,
                ..Features::all()
            },
            1 << 45,
        ),
        (
            Features {
                stall_model: StallModel::TerminateOnly,
                ..Features::all()
            },
            7 << 44,
        ),
        (
            Features {
                stall_model: StallModel::StallOnly,
                ..Features::all()
            },
            3 << 45,
        ),
    ] {
        let mut guest = Guest::new(features);
        let tree = guest.stage1(K4);
        let at = stage1_only(&mut guest, &tree);
        let mut words = cd(&tree, 7);
        words[0] = words[0] & !(7 << 44) | cd_bits;
        guest.write(at, &words);
        expect(&mut guest, READ, Outcome::Abort, event(0x0a, 0, 0, 0));
    }
}

#[test]
fn f_walk_eabt_of_either_stage() {
    // Stage 1: the level-1 table's IPA is mapped by stage 2 to where nothing is.
    let (mut guest, inner, mut outer) = machine();
    let slot = inner.root + VA / (1 << 39) % 512 * 8;
    Inner(&mut guest).write(slot, 0xe000_0000 | 3);
    assert!(outer.map(&mut Host(&mut guest), 0xe000_0000, 0x9000_0000, 3, S2_RW, 0));
    let fetch = 0x9000_0000 + VA / (1 << 30) % 512 * 8;
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x0b, RNW | CLASS_TT, VA + 0x123, fetch),
    );

    // Stage 2, for the transaction's own address.
    let (mut guest, _, outer) = machine();
    let slot = outer.root + IPA / (1 << 30) * 8;
    guest.write(slot, &[0x9000_0000 | 3]);
    let fetch = 0x9000_0000 + IPA / (1 << 21) % 512 * 8;
    expect(
        &mut guest,
        WRITE,
        Outcome::Abort,
        event(0x0b, S2 | CLASS_IN, VA + 0x123, fetch),
    );

    // Stage 2, for a CD: all of memory's entries lead nowhere.
    let cd_ipa = guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0;
    guest.write(outer.root + cd_ipa / (1 << 30) * 8, &[0x9000_0000 | 3]);
    let fetch = 0x9000_0000 + cd_ipa / (1 << 21) % 512 * 8;
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x0b, RNW | S2 | CLASS_CD, VA + 0x123, fetch),
    );
}

#[test]
fn f_translation_of_stage_1() {
    let (mut guest, ..) = machine();
    for va in [VA + 0x1000, 0, 1 << 48, 1 << 55, !0, 0x1200_0012_3456_7000] {
        expect_at(
            &mut guest,
            None,
            va,
            READ,
            Outcome::Abort,
            event(0x10, RNW | CLASS_IN, va, 0),
        );
    }
}

#[test]
fn f_translation_of_stage_2() {
    let (mut guest, mut inner, _) = machine();
    // Of the transaction's own address.
    assert!(inner.map(
        &mut Inner(&mut guest),
        VA + 0x1000,
        IPA + 0x1000,
        3,
        S1_RW,
        0
    ));
    let va = VA + 0x1fff;
    expect_at(
        &mut guest,
        None,
        va,
        WRITE,
        Outcome::Abort,
        event(0x10, S2 | CLASS_IN, va, IPA + 0x1000),
    );
    // Beyond what S2T0SZ accepts.
    assert!(inner.map(&mut Inner(&mut guest), VA + 0x2000, 1 << 40, 3, S1_RW, 0));
    let va = VA + 0x2000;
    expect_at(
        &mut guest,
        None,
        va,
        WRITE,
        Outcome::Abort,
        event(0x10, S2 | CLASS_IN, va, 1 << 40),
    );
    // Of a stage-1 table: the record has the descriptor's address.
    let slot = inner.root + VA / (1 << 39) % 512 * 8;
    Inner(&mut guest).write(slot, 0xf000_0000 | 3);
    let ipa = 0xf000_0000 + (VA / (1 << 30) % 512 * 8) / 0x1000 * 0x1000;
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x10, RNW | S2 | CLASS_TT, VA + 0x123, ipa),
    );
    // Of the CD.
    let mut ste = [0, 8, 16, 24, 32, 40, 48, 56].map(|at| guest.read(guest.strtab + 5 * 64 + at));
    ste[0] = 1 | 7 << 1 | 0xf000_0040;
    guest.set_ste(SID, ste);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x10, RNW | S2 | CLASS_CD, VA + 0x123, 0xf000_0000),
    );
}

#[test]
fn f_addr_size() {
    // A leaf and a table of stage 1 beyond CD.IPS = 40 bits.
    let (mut guest, inner, _) = machine();
    let cd_pa = (guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0) - GUEST_OFFSET;
    let mut words = cd(&inner, 7);
    words[0] = words[0] & !(7 << 32) | 2 << 32;
    guest.write(cd_pa, &words);
    let leaf = *inner.find(VA).unwrap();
    let slot = inner.leaf_slot(&Inner(&mut guest), &leaf);
    Inner(&mut guest).write(slot, 1 << 40 | S1_RW | 3);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x11, RNW | CLASS_IN, VA + 0x123, 0),
    );
    Inner(&mut guest).write(inner.root + VA / (1 << 39) % 512 * 8, 1 << 47 | 3);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x11, RNW | CLASS_IN, VA + 0x123, 0),
    );

    // Stage 2 alone: the input beyond the IAS is stage 1's fault, below it and beyond S2T0SZ stage 2's.
    let (mut guest, _, outer) = machine();
    guest.set_ste(SID, ste_s2(&outer, 3));
    assert_eq!(guest.access(None, IPA + 5, READ).unwrap().pa.0, PA + 5);
    expect_at(
        &mut guest,
        None,
        1 << 52,
        READ,
        Outcome::Abort,
        event(0x11, RNW | CLASS_IN, 1 << 52, 0),
    );
    expect_at(
        &mut guest,
        None,
        1 << 51,
        READ,
        Outcome::Abort,
        event(0x10, RNW | S2 | CLASS_IN, 1 << 51, 1 << 51),
    );
}

#[test]
fn f_access() {
    let (mut guest, ..) = machine_with(S1_RW & !(1 << 10), S2_RW);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x12, RNW | CLASS_IN, VA + 0x123, 0),
    );
    let (mut guest, ..) = machine_with(S1_RW, S2_RW & !(1 << 10));
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x12, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
    );
    // AFFD and S2AFFD.
    let (mut guest, inner, outer) = machine_with(S1_RW & !(1 << 10), S2_RW & !(1 << 10));
    let mut words = cd(&inner, 7);
    words[0] |= 1 << 35;
    let cd_ipa = guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0;
    guest.write(cd_ipa - GUEST_OFFSET, &words);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x12, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
    );
    let mut ste = ste_nested(cd_ipa, &outer, 3);
    ste[2] |= 1 << 53;
    guest.set_ste(SID, ste);
    assert!(guest.access(None, VA, READ).is_ok());
}

#[test]
fn f_permission() {
    let execute = Access {
        instruction: true,
        privileged: true,
        ..READ
    };
    // Stage 1: read-only; privileged only; never executable where unprivileged software can write.
    let (mut guest, ..) = machine_with(S1_RW | 1 << 7, S2_RW);
    expect(
        &mut guest,
        WRITE,
        Outcome::Abort,
        event(0x13, CLASS_IN, VA + 0x123, 0),
    );
    let (mut guest, ..) = machine_with(S1_RW & !(1 << 6), S2_RW);
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x13, RNW | CLASS_IN, VA + 0x123, 0),
    );
    assert!(
        guest
            .access(
                None,
                VA,
                Access {
                    privileged: true,
                    ..READ
                }
            )
            .is_ok()
    );
    let (mut guest, ..) = machine();
    let record = event(0x13, RNW | IND | PNU | CLASS_IN, VA + 0x123, 0);
    expect(&mut guest, execute, Outcome::Abort, record);
    // Stage 2: write-only; read-only; not executable.
    let (mut guest, ..) = machine_with(S1_RW, S2_RW & !(1 << 6));
    expect(
        &mut guest,
        READ,
        Outcome::Abort,
        event(0x13, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
    );
    assert!(guest.access(None, VA, WRITE).is_ok());
    let (mut guest, ..) = machine_with(S1_RW, S2_RW & !(1 << 7));
    expect(
        &mut guest,
        WRITE,
        Outcome::Abort,
        event(0x13, S2 | CLASS_IN, VA + 0x123, IPA),
    );
    let (mut guest, ..) = machine_with(S1_RW | 1 << 7, S2_RW | 1 << 54);
    let record = event(0x13, RNW | IND | PNU | S2 | CLASS_IN, VA + 0x123, IPA);
    expect(&mut guest, execute, Outcome::Abort, record);
}

#[test]
fn f_permission_of_a_table_walk_and_a_cd_fetch() {
    let (mut guest, inner, mut outer) = machine();
    let slot = inner.root + VA / (1 << 39) % 512 * 8;
    Inner(&mut guest).write(slot, 0xf000_0000 | 3);
    assert!(outer.map(
        &mut Host(&mut guest),
        0xf000_0000,
        BASE,
        3,
        2 << 6 | 1 << 10,
        0
    ));
    let record = event(0x13, S2 | CLASS_TT | TTRNW, VA + 0x123, 0xf000_0000);
    expect(&mut guest, WRITE, Outcome::Abort, record);
    guest.set_ste(SID, ste_nested(0xf000_0000, &outer, 3));
    let record = event(0x13, S2 | CLASS_CD, VA + 0x123, 0xf000_0000);
    expect(&mut guest, WRITE, Outcome::Abort, record);
}

#[test]
fn overrides_decide_what_is_recorded_and_allowed() {
    // Privileged pages, and a stream whose traffic counts as privileged.
    let (mut guest, _, outer) = machine_with(S1_RW & !(1 << 6), S2_RW);
    let cd_ipa = guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0;
    let mut ste = ste_nested(cd_ipa, &outer, 3);
    ste[1] |= 3 << 48;
    guest.set_ste(SID, ste);
    assert!(guest.access(None, VA, READ).is_ok());
    // Unprivileged data, whatever it says.
    ste[1] = 2 << 48 | 2 << 50;
    guest.set_ste(SID, ste);
    let access = Access {
        instruction: true,
        privileged: true,
        ..READ
    };
    expect(
        &mut guest,
        access,
        Outcome::Abort,
        event(0x13, RNW | CLASS_IN, VA + 0x123, 0),
    );
}

#[test]
fn cd_a_and_r_choose_how_stage_1_ends() {
    let (mut guest, inner, _) = machine_with(S1_RW | 1 << 7, S2_RW);
    let cd_pa = (guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0) - GUEST_OFFSET;
    for (a, r) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut words = cd(&inner, 7);
        words[0] = words[0] & !(3 << 45) | r << 45 | a << 46;
        guest.write(cd_pa, &words);
        let refusal = guest.access(None, VA, WRITE).unwrap_err();
        assert_eq!(
            refusal.outcome,
            if a == 1 {
                Outcome::Abort
            } else {
                Outcome::RazWi
            }
        );
        assert_eq!(guest.new_events().len(), r as usize);
    }
}

#[test]
fn s2r_0_keeps_stage_2_silent() {
    let (mut guest, _, outer) = machine_with(S1_RW, 0x400);
    let cd_ipa = guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0;
    let mut ste = ste_nested(cd_ipa, &outer, 3);
    ste[2] &= !(1 << 58);
    guest.set_ste(SID, ste);
    assert_eq!(guest.access(None, VA, READ).unwrap_err().event, None);
    assert!(guest.new_events().is_empty());
}

#[test]
fn a_stalled_transaction_is_recorded_with_its_tag_whatever_r_says() {
    let (mut guest, inner, _) = machine_with(S1_RW | 1 << 7, S2_RW);
    let cd_pa = (guest.read(guest.strtab + 5 * 64) & 0xffff_ffff_ffc0) - GUEST_OFFSET;
    let mut words = cd(&inner, 7);
    words[0] = words[0] & !(1 << 45) | 1 << 44;
    guest.write(cd_pa, &words);
    for stag in 0..3 {
        let record = event(0x13, STALL | stag | CLASS_IN, VA + 0x123, 0);
        expect(
            &mut guest,
            WRITE,
            Outcome::Stalled(engine::Stag(stag as u16)),
            record,
        );
    }
    // A configuration error is never stalled.
    expect_at(
        &mut guest,
        Some(1),
        VA,
        READ,
        Outcome::Abort,
        with_ssid(0x08, 1),
    );
}

#[test]
fn while_the_smmu_is_off_gbpa_decides() {
    let (mut guest, ..) = machine();
    let off = engine::Registers {
        smmuen: false,
        ..guest.smmu.registers()
    };
    guest.smmu.configure(off);
    assert_eq!(guest.access(None, VA, READ).unwrap().pa.0, VA);
    assert_eq!(guest.access(None, 1 << 52, READ).unwrap_err().event, None);
    guest.smmu.configure(engine::Registers {
        gbpa_abort: true,
        ..off
    });
    assert_eq!(
        guest.access(None, VA, READ).unwrap_err().outcome,
        Outcome::Abort
    );
    assert!(guest.new_events().is_empty());
}

#[test]
fn a_substream_names_itself_in_the_record() {
    let mut guest = substreams(0);
    let refusal = guest.access(Some(1), 0, READ).unwrap_err();
    let record = event(0x10 | 1 << 11 | 1 << 12, RNW | CLASS_IN, 0, 0);
    assert_eq!(refusal.event.unwrap().words(), record);
    assert_eq!(guest.new_events(), [record]);
    let _ = SubstreamId(1);
}
