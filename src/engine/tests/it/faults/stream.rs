//! Before and in the STE.

use super::*;
use crate::support::tables::Shape;

/// 16 KiB pages, from level 1.
const K16_S2: Shape = Shape {
    page: 0x4000,
    input_bits: 42,
    start: 1,
};

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

/// 6.3.24 SMMU_STRTAB_BASE: the table is aligned to the size that was written, though SIDSIZE lets less of it be reached.
#[test]
fn the_stream_table_is_aligned_to_the_size_that_was_written() {
    for two_level in [false, true] {
        let mut guest = Guest::new(Features {
            sidsize: 4,
            ..Features::all()
        });
        guest.smmu.configure(engine::Registers {
            strtab_base: 0x9000_0000 | if two_level { 0x1c0 } else { 0x3000 },
            strtab_log2size: if two_level { 12 } else { 8 },
            strtab_format: match two_level {
                true => engine::StreamTableFormat::TwoLevel { split: 6 },
                false => engine::StreamTableFormat::Linear,
            },
            ..guest.smmu.registers()
        });
        let fetch = 0x9000_0000 + if two_level { 0 } else { 5 * 64 };
        aborts(&mut guest, READ, event(0x03, 0, 0, fetch));
    }
}

/// 7.3.4: bits of FetchAddr from the OAS on are RES0.
#[test]
fn f_ste_fetch_beyond_the_oas_tells_an_address_of_its_size() {
    let mut guest = Guest::new(Features {
        oas: 40,
        ..Features::all()
    });
    guest.smmu.configure(engine::Registers {
        strtab_base: 1 << 44 | 0x9000_0000,
        ..guest.smmu.registers()
    });
    aborts(&mut guest, READ, event(0x03, 0, 0, 0x9000_0000 + 5 * 64));
    guest.smmu.configure(engine::Registers {
        strtab_log2size: 12,
        strtab_format: engine::StreamTableFormat::TwoLevel { split: 6 },
        ..guest.smmu.registers()
    });
    aborts(&mut guest, READ, event(0x03, 0, 0, 0x9000_0000));
}

/// 5.2, STE.S2VMID, 5.2.2: with VMIDs of 8 bits a longer one is ILLEGAL wherever it would tag something, with stage 1 alone, too.
#[test]
fn a_vmid_that_is_too_large_makes_every_translating_ste_illegal() {
    let narrow = Features {
        vmid16: false,
        ..Features::all()
    };
    let without_stage_2 = Features {
        s2p: false,
        ..narrow
    };
    for (features, config, illegal) in [
        (narrow, 5, true),
        (narrow, 4, false),
        (narrow, 0, false),
        (without_stage_2, 5, false),
    ] {
        let mut guest = Guest::new(features);
        let mut tree = guest.stage1(K4);
        assert!(tree.map(&mut Host(&mut guest), VA, PA, 3, S1_RW, 0));
        let at = stage1_only(&mut guest, &tree);
        let mut ste = ste_s1(at);
        ste[0] = ste[0] & !0xe | config << 1;
        ste[2] = 256;
        guest.set_ste(SID, ste);
        let refused = guest.access(None, VA, READ).err();
        let record = refused.and_then(|refusal| refusal.event);
        let recorded = record.map(|event| event.words());
        assert_eq!(recorded, illegal.then(|| event(0x04, 0, 0, 0)), "{config}");
    }
}

/// 5.2, STE.S2SL0, with Arm DDI 0487, `AArch64.S2InvalidSL`: the highest levels are for large physical addresses.
#[test]
fn stage_2_does_not_start_above_what_the_oas_needs() {
    for (oas, shape, legal) in [
        (44, K4, true),
        (
            42,
            Shape {
                input_bits: 42,
                ..K4
            },
            false,
        ),
        (
            42,
            Shape {
                input_bits: 42,
                ..K4_S2
            },
            true,
        ),
        (42, K16_S2, true),
        (
            40,
            Shape {
                input_bits: 40,
                ..K16_S2
            },
            false,
        ),
    ] {
        let shape = Shape {
            input_bits: shape.input_bits.min(oas),
            ..shape
        };
        let features = Features {
            oas,
            ..Features::all()
        };
        let mut guest = Guest::new(features);
        let mut outer = Tree::new(shape, &mut Host(&mut guest));
        assert!(outer.map(&mut Host(&mut guest), IPA, PA, 3, S2_RW, 0));
        guest.set_ste(SID, ste_s2(&outer, 3));
        let pa = guest.access(None, IPA, READ).map(|found| found.pa.0);
        match pa {
            Ok(pa) => assert!(legal && pa == PA),
            Err(refusal) => {
                assert!(!legal);
                assert_eq!(refusal.event.unwrap().words(), event(0x04, 0, 0, 0));
            }
        }
    }
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
