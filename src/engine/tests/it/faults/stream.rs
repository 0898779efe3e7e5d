//! Before and in the STE.

use super::*;

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
        aborts(&mut guest, READ, event(0x02, 0, 0, 0));
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
    aborts(&mut guest, READ, event(0x03, 0, 0, 0x9000_0000 + 5 * 64));
    let mut guest = two_level(|_| 0x9000_0000 | 7);
    aborts(&mut guest, READ, event(0x03, 0, 0, 0x9000_0000 + 5 * 64));
}

#[test]
fn c_bad_ste() {
    let (mut guest, _, outer) = machine();
    let good = ste_nested(cd_ipa(&guest), &outer, 3);
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
            12 => aborts(
                &mut guest,
                READ,
                event(0x11, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
            ),
            _ => aborts(&mut guest, READ, event(0x04, 0, 0, 0)),
        }
    }
    // With stalls, ATS is not.
    guest.set_ste(SID, {
        let mut ste = with(1, 0, 1 << 28);
        ste[2] |= 1 << 57;
        ste
    });
    aborts(&mut guest, READ, event(0x04, 0, 0, 0));
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
    aborts_at(
        &mut guest,
        None,
        1 << 52,
        READ,
        event(0x11, RNW | CLASS_IN, 1 << 52, 0),
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
