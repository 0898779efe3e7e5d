//! Walks of either stage, but for permissions.

use super::*;

#[test]
fn f_walk_eabt_of_either_stage() {
    // Stage 1: the level-1 table's IPA is mapped by stage 2 to where nothing is.
    let (mut guest, inner, mut outer) = machine();
    let slot = inner.root + VA / (1 << 39) % 512 * 8;
    Inner(&mut guest).write(slot, 0xe000_0000 | 3);
    assert!(outer.map(&mut Host(&mut guest), 0xe000_0000, 0x9000_0000, 3, S2_RW, 0));
    let fetch = 0x9000_0000 + VA / (1 << 30) % 512 * 8;
    aborts(
        &mut guest,
        READ,
        event(0x0b, RNW | CLASS_TT, VA + 0x123, fetch),
    );

    // Stage 2, for the transaction's own address.
    let (mut guest, _, outer) = machine();
    let slot = outer.root + IPA / (1 << 30) * 8;
    guest.write(slot, &[0x9000_0000 | 3]);
    let fetch = 0x9000_0000 + IPA / (1 << 21) % 512 * 8;
    aborts(
        &mut guest,
        WRITE,
        event(0x0b, S2 | CLASS_IN, VA + 0x123, fetch),
    );

    // Stage 2, for a CD: all of memory's entries lead nowhere.
    let cd_ipa = cd_ipa(&guest);
    guest.write(outer.root + cd_ipa / (1 << 30) * 8, &[0x9000_0000 | 3]);
    let fetch = 0x9000_0000 + cd_ipa / (1 << 21) % 512 * 8;
    aborts(
        &mut guest,
        READ,
        event(0x0b, RNW | S2 | CLASS_CD, VA + 0x123, fetch),
    );
}

#[test]
fn f_translation_of_stage_1() {
    let (mut guest, ..) = machine();
    for va in [VA + 0x1000, 0, 1 << 48, 1 << 55, !0, 0x1200_0012_3456_7000] {
        aborts_at(
            &mut guest,
            None,
            va,
            READ,
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
    aborts_at(
        &mut guest,
        None,
        va,
        WRITE,
        event(0x10, S2 | CLASS_IN, va, IPA + 0x1000),
    );
    // Beyond what S2T0SZ accepts.
    assert!(inner.map(&mut Inner(&mut guest), VA + 0x2000, 1 << 40, 3, S1_RW, 0));
    let va = VA + 0x2000;
    aborts_at(
        &mut guest,
        None,
        va,
        WRITE,
        event(0x10, S2 | CLASS_IN, va, 1 << 40),
    );
    // Of a stage-1 table: the record has the descriptor's address.
    let slot = inner.root + VA / (1 << 39) % 512 * 8;
    Inner(&mut guest).write(slot, 0xf000_0000 | 3);
    let ipa = 0xf000_0000 + (VA / (1 << 30) % 512 * 8) / 0x1000 * 0x1000;
    aborts(
        &mut guest,
        READ,
        event(0x10, RNW | S2 | CLASS_TT, VA + 0x123, ipa),
    );
    // Of the CD.
    let mut ste = ste(&guest);
    ste[0] = 1 | 7 << 1 | 0xf000_0040;
    guest.set_ste(SID, ste);
    aborts(
        &mut guest,
        READ,
        event(0x10, RNW | S2 | CLASS_CD, VA + 0x123, 0xf000_0000),
    );
}

#[test]
fn f_addr_size() {
    // A leaf and a table of stage 1 beyond CD.IPS = 40 bits.
    let (mut guest, inner, _) = machine();
    let cd_pa = cd_ipa(&guest) - GUEST_OFFSET;
    let mut words = cd(&inner, 7);
    words[0] = words[0] & !(7 << 32) | 2 << 32;
    guest.write(cd_pa, &words);
    let leaf = *inner.find(VA).unwrap();
    let slot = inner.leaf_slot(&Inner(&mut guest), &leaf);
    Inner(&mut guest).write(slot, 1 << 40 | S1_RW | 3);
    aborts(&mut guest, READ, event(0x11, RNW | CLASS_IN, VA + 0x123, 0));
    Inner(&mut guest).write(inner.root + VA / (1 << 39) % 512 * 8, 1 << 47 | 3);
    aborts(&mut guest, READ, event(0x11, RNW | CLASS_IN, VA + 0x123, 0));

    // Stage 2 alone: the input beyond the IAS is stage 1's fault, below it and beyond S2T0SZ stage 2's.
    let (mut guest, _, outer) = machine();
    guest.set_ste(SID, ste_s2(&outer, 3));
    assert_eq!(guest.access(None, IPA + 5, READ).unwrap().pa.0, PA + 5);
    aborts_at(
        &mut guest,
        None,
        1 << 52,
        READ,
        event(0x11, RNW | CLASS_IN, 1 << 52, 0),
    );
    aborts_at(
        &mut guest,
        None,
        1 << 51,
        READ,
        event(0x10, RNW | S2 | CLASS_IN, 1 << 51, 1 << 51),
    );
}

#[test]
fn f_access() {
    let (mut guest, ..) = machine_with(S1_RW & !(1 << 10), S2_RW);
    aborts(&mut guest, READ, event(0x12, RNW | CLASS_IN, VA + 0x123, 0));
    let (mut guest, ..) = machine_with(S1_RW, S2_RW & !(1 << 10));
    aborts(
        &mut guest,
        READ,
        event(0x12, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
    );
    // AFFD and S2AFFD.
    let (mut guest, inner, outer) = machine_with(S1_RW & !(1 << 10), S2_RW & !(1 << 10));
    let mut words = cd(&inner, 7);
    words[0] |= 1 << 35;
    let cd_ipa = cd_ipa(&guest);
    guest.write(cd_ipa - GUEST_OFFSET, &words);
    aborts(
        &mut guest,
        READ,
        event(0x12, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
    );
    let mut ste = ste_nested(cd_ipa, &outer, 3);
    ste[2] |= 1 << 53;
    guest.set_ste(SID, ste);
    assert!(guest.access(None, VA, READ).is_ok());
}
