//! SubstreamIDs and CDs.

use super::*;

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

#[test]
fn f_stream_disabled() {
    for dss in [0, 3] {
        let mut guest = substreams(dss);
        aborts(&mut guest, READ, event(0x06, 0, 0, 0));
        assert!(guest.access(Some(0), VA, READ).is_ok());
    }
    let mut guest = substreams(2);
    assert!(guest.access(None, VA, READ).is_ok());
    aborts_at(&mut guest, Some(0), VA, READ, with_ssid(0x06, 0));
    assert!(guest.access(Some(1), VA, READ).is_ok());
    let guest = substreams(1);
    assert_eq!(guest.access(None, VA, READ).unwrap().pa.0, VA);
    assert_eq!(guest.access(Some(0), VA, READ).unwrap().pa.0, PA);
}

#[test]
fn c_bad_substreamid() {
    let mut guest = substreams(0);
    for ssid in [8, 9, 0xf_ffff] {
        aborts_with(&mut guest, 0x08, ssid);
    }
    // No substreams, no stage 1, no translation.
    let (mut guest, _, outer) = machine();
    aborts_with(&mut guest, 0x08, 0);
    guest.set_ste(SID, ste_s2(&outer, 3));
    aborts_with(&mut guest, 0x08, 1);
    guest.set_ste(SID, [1 | 4 << 1, 0, 0, 0, 0, 0, 0, 0]);
    aborts_with(&mut guest, 0x08, 1);
}

#[test]
fn c_bad_substreamid_in_a_two_level_cd_table() {
    let mut guest = substreams(0);
    let mut ste = ste(&guest);
    let leaf = ste[0] & 0xffff_ffff_ffc0;
    let l1 = guest.area(64);
    ste[0] = 1 | 5 << 1 | 1 << 4 | l1 | 8 << 59;
    guest.set_ste(SID, ste);
    guest.write(l1, &[leaf & !0xfff | 1, 0, 1 | 1 << 54]);
    let offset = (leaf & 0xfff) / 64;
    assert!(guest.access(Some(offset as u32 + 1), VA, READ).is_ok());
    // L1CD.V = 0, and a pointer beyond the output size.
    aborts_with(&mut guest, 0x08, 64);
    aborts_with(&mut guest, 0x08, 128);
}

/// 5.2, STE.S1Fmt: bits of S1ContextPtr below the size of the table are RES0, and so are L2Ptr\[15:12\] of a 64 KiB leaf.
#[test]
fn cd_tables_are_aligned_to_their_size() {
    let guest = substreams(0);
    let mut ste = ste(&guest);
    ste[0] |= 0x1c0;
    guest.set_ste(SID, ste);
    assert!(guest.access(Some(1), VA, READ).is_ok());

    let mut guest = substreams(0);
    let good = guest.read(cd_ipa(&guest) + 64);
    let ttb0 = guest.read(cd_ipa(&guest) + 72);
    let l1 = guest.area(64);
    let leaf = guest.area(1 << 16);
    let mut ste = self::ste(&guest);
    ste[0] = 1 | 5 << 1 | 2 << 4 | l1 | 12 << 59;
    guest.set_ste(SID, ste);
    guest.write(l1 + 8, &[leaf | 0xf000 | 1]);
    guest.write(leaf + 5 * 64, &[good, ttb0]);
    assert!(guest.access(Some(1 << 10 | 5), VA, READ).is_ok());
}

/// 5.2.2: without two-level CD tables only S1Fmt = 1 and 2 are ILLEGAL; 3 behaves as 0.
#[test]
fn s1fmt_3_is_a_linear_table() {
    for (fmt, legal) in [(0, true), (1, false), (2, false), (3, true)] {
        let mut guest = Guest::new(Features {
            cd2l: false,
            ..Features::all()
        });
        let mut tree = guest.stage1(K4);
        assert!(tree.map(&mut Host(&mut guest), VA, PA, 3, S1_RW, 0));
        let cds = guest.area(2 * 64);
        guest.write(cds + 64, &cd(&tree, 8));
        let mut ste = ste_s1(cds);
        ste[0] |= 1 << 59 | fmt << 4;
        guest.set_ste(SID, ste);
        match legal {
            true => assert!(guest.access(Some(1), VA, READ).is_ok()),
            false => aborts_at(&mut guest, Some(1), VA, READ, with_ssid(0x04, 1)),
        }
    }
}

#[test]
fn f_cd_fetch() {
    let mut guest = Guest::new(Features::all());
    guest.set_ste(SID, ste_s1(0x9000_0040));
    aborts(&mut guest, READ, event(0x09, 0, 0, 0x9000_0040));
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
            aborts(&mut guest, READ, event(0x11, RNW | CLASS_IN, VA + 0x123, 0));
        } else {
            aborts(&mut guest, READ, event(0x0a, 0, 0, 0));
        }
    }
    // Without stage-1 stalls, a CD that asks for them is ILLEGAL.
    guest.write(at, &with(0, 0, 1 << 44));
    let mut ste = ste_s1(at);
    ste[1] |= 1 << 27;
    guest.set_ste(SID, ste);
    aborts(&mut guest, READ, event(0x0a, 0, 0, 0));
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
        aborts(&mut guest, READ, event(0x0a, 0, 0, 0));
    }
}

#[test]
fn a_substream_names_itself_in_the_record() {
    let mut guest = substreams(0);
    let refusal = guest.access(Some(1), 0, READ).unwrap_err();
    let record = event(0x10 | 1 << 11 | 1 << 12, RNW | CLASS_IN, 0, 0);
    assert_eq!(refusal.event.unwrap().words(), record);
    assert_eq!(guest.new_events(), [record]);
}
