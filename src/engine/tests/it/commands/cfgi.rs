//! CFGI.

use super::*;

/// Configuration: stream 5's STE or CD is replaced by one that leads elsewhere; does the command make it seen?
fn config_changes<C: Caches>(caches: C, change_cd: bool, command: [u64; 2]) -> bool {
    let mut guest = Guest::new(Features::all());
    let mut old = guest.stage1(K4);
    let mut new = guest.stage1(K4);
    assert!(old.map(&mut Host(&mut guest), 0, OLD, 3, S1_RW, 0));
    assert!(new.map(&mut Host(&mut guest), 0, NEW, 3, S1_RW, 0));
    let at = stage1_only(&mut guest, &old);
    let other = guest.area(64);
    // Another ASID, so that the TLB has no part in it.
    guest.write(other, &cd(&new, 8));
    let strtab = guest.strtab;
    let change = |memory: &Memory<'_>| {
        if change_cd {
            for (word, offset) in cd(&new, 8).into_iter().zip((0..).step_by(8)) {
                memory.write(at + offset + GUEST_OFFSET, word);
            }
        } else {
            memory.write(strtab + 5 * 64 + GUEST_OFFSET, ste_s1(other)[0]);
        }
    };
    let transaction = Transaction::new(SID, None, Iova(0), READ);
    is_seen(&mut guest, caches, transaction, change, &[command])
}

#[test]
fn cfgi_commands() {
    let cfgi = |op: u64, sid: u64, rest: u64| [op | sid << 32, rest];
    for (command, ste, cd) in [
        (cfgi(0x03, 5, 1), YES, YES), // CFGI_STE drops the CDs too
        (cfgi(0x03, 4, 1), NO, NO),
        (cfgi(0x04, 0, 31), YES, YES), // CFGI_ALL
        (cfgi(0x04, 4, 0), YES, YES),  // 4 and 5
        (cfgi(0x04, 6, 0), NO, NO),
        (cfgi(0x04, 7, 1), YES, YES), // 4 to 7: the StreamID need not be the first
        (cfgi(0x04, 0xffff_ffff, 31), YES, YES),
        (cfgi(0x05, 5, 1), NO, YES), // CFGI_CD of SubstreamID 0
        (cfgi(0x05 | 1 << 12, 5, 1), NO, NO),
        (cfgi(0x05, 6, 1), NO, NO),
        (cfgi(0x06, 5, 0), NO, YES), // CFGI_CD_ALL
        (cfgi(0x06, 6, 0), NO, NO),
        (cfgi(0x30, 0, 0), NO, NO), // TLBI is no CFGI
    ] {
        assert_eq!(
            config_changes(exact(), false, command),
            ste,
            "STE, exact, {command:x?}"
        );
        assert_eq!(
            config_changes(exact(), true, command),
            cd,
            "CD, exact, {command:x?}"
        );
        assert_eq!(
            config_changes(Fast::default(), false, command),
            ste,
            "STE, fast, {command:x?}"
        );
        assert!(
            config_changes(Fast::default(), true, command) >= cd,
            "CD, fast, {command:x?}"
        );
    }
}
