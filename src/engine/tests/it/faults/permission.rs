//! F_PERMISSION, and what decides about permissions.

use super::*;

#[test]
fn f_permission() {
    let execute = Access {
        instruction: true,
        privileged: true,
        ..READ
    };
    // Stage 1: read-only; privileged only; never executable where unprivileged software can write.
    let (mut guest, ..) = machine_with(S1_RW | 1 << 7, S2_RW);
    aborts(&mut guest, WRITE, event(0x13, CLASS_IN, VA + 0x123, 0));
    let (mut guest, ..) = machine_with(S1_RW & !(1 << 6), S2_RW);
    aborts(&mut guest, READ, event(0x13, RNW | CLASS_IN, VA + 0x123, 0));
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
    aborts(&mut guest, execute, record);
    // Stage 2: write-only; read-only; not executable.
    let (mut guest, ..) = machine_with(S1_RW, S2_RW & !(1 << 6));
    aborts(
        &mut guest,
        READ,
        event(0x13, RNW | S2 | CLASS_IN, VA + 0x123, IPA),
    );
    assert!(guest.access(None, VA, WRITE).is_ok());
    let (mut guest, ..) = machine_with(S1_RW, S2_RW & !(1 << 7));
    aborts(
        &mut guest,
        WRITE,
        event(0x13, S2 | CLASS_IN, VA + 0x123, IPA),
    );
    let (mut guest, ..) = machine_with(S1_RW | 1 << 7, S2_RW | 1 << 54);
    let record = event(0x13, RNW | IND | PNU | S2 | CLASS_IN, VA + 0x123, IPA);
    aborts(&mut guest, execute, record);
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
    aborts(&mut guest, WRITE, record);
    guest.set_ste(SID, ste_nested(0xf000_0000, &outer, 3));
    let record = event(0x13, S2 | CLASS_CD, VA + 0x123, 0xf000_0000);
    aborts(&mut guest, WRITE, record);
}

#[test]
fn overrides_decide_what_is_recorded_and_allowed() {
    // Privileged pages, and a stream whose traffic counts as privileged.
    let (mut guest, _, outer) = machine_with(S1_RW & !(1 << 6), S2_RW);
    let cd_ipa = cd_ipa(&guest);
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
    aborts(
        &mut guest,
        access,
        event(0x13, RNW | CLASS_IN, VA + 0x123, 0),
    );
}
