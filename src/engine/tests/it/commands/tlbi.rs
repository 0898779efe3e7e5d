//! TLBI of stage 1 and of everything.

use super::*;

#[test]
fn tlbi_nh_asid_spares_global_entries_and_other_asids() {
    let command = [0x11 | 3 << 32 | 7 << 48, 0];
    assert_eq!(changes(command), [NO, YES, YES, YES, NO, NO, NO, NO]);
    // Another VMID's ASID 7.
    assert_eq!(changes([0x11 | 4 << 32 | 7 << 48, 0]), [NO; 8]);
}

#[test]
fn tlbi_nh_va_hits_the_page_in_its_asid_and_global_pages_in_all() {
    let command = |va: u64| [0x12 | 3 << 32 | 7 << 48, va | 1];
    assert_eq!(changes(command(0x1000)), [NO, YES, NO, NO, NO, NO, NO, NO]);
    assert_eq!(changes(command(0)), [YES, NO, NO, NO, YES, NO, NO, NO]);
    // Any address of a block means all of it, also where stage 2's pages are smaller.
    assert_eq!(
        changes(command(0x3f_f000)),
        [NO, NO, NO, YES, NO, NO, NO, NO]
    );
    // Non-leaf, and with a top byte.
    assert_eq!(
        changes([command(0x2000)[0], 0x2000]),
        [NO, NO, YES, NO, NO, NO, NO, NO]
    );
}

#[test]
fn tlbi_nh_va_with_a_range() {
    // 2 * 2^0 pages of 4 KiB from 0x1000 on: TG 1, TTL 0, NUM 1.
    let range = |num: u64, scale: u64, tg: u64, va: u64| {
        [
            0x12 | num << 12 | scale << 20 | 3 << 32 | 7 << 48,
            va | tg << 10 | 1,
        ]
    };
    assert_eq!(
        changes(range(1, 0, 1, 0x1000)),
        [NO, YES, YES, NO, NO, NO, NO, NO]
    );
    // 512 * 2 pages cover the block and everything below it; other ASIDs keep what is not global.
    assert_eq!(
        changes(range(1, 9, 1, 0)),
        [YES, YES, YES, YES, YES, NO, NO, NO]
    );
    // One page of 64 KiB.
    assert_eq!(
        changes([0x12 | 3 << 32 | 7 << 48, 3 << 10 | 3 << 8 | 1]),
        [YES, YES, YES, NO, YES, NO, NO, NO]
    );
}

#[test]
fn tlbi_nh_vaa_hits_every_asid() {
    assert_eq!(
        changes([0x13 | 3 << 32, 0x1001]),
        [NO, YES, NO, NO, NO, YES, NO, NO]
    );
    assert_eq!(
        changes([0x13 | 3 << 32, 1]),
        [YES, NO, NO, NO, YES, NO, NO, NO]
    );
    assert_eq!(changes([0x13 | 4 << 32, 1]), [NO; 8]);
}

#[test]
fn tlbi_of_everything() {
    assert_eq!(changes([0x10 | 3 << 32, 0]), [YES; 8], "NH_ALL");
    assert_eq!(
        changes([0x10 | 4 << 32, 0]),
        [NO; 8],
        "NH_ALL of another VMID"
    );
    assert_eq!(changes([0x28 | 3 << 32, 0]), [YES; 8], "S12_VMALL");
    assert_eq!(
        changes([0x28 | 2 << 32, 0]),
        [NO; 8],
        "S12_VMALL of another VMID"
    );
    assert_eq!(changes([0x30, 0]), [YES; 8], "NSNH_ALL");
}

#[test]
fn commands_that_are_not_about_translations_leave_them() {
    for command in [
        [0x01, 0],
        [0x02, 0],
        [0x03 | 5 << 32, 0],
        [0x04, 31],
        [0x05 | 5 << 32, 0],
        [0x06 | 5 << 32, 0],
        [0x40 | 5 << 32, 52],
        [0x45 | 5 << 32, 0],
    ] {
        assert_eq!(changes(command), [NO; 8], "{command:x?}");
    }
    // S2_IPA need not hit combined entries.
    assert_eq!(changes([0x2a | 3 << 32, 0x9_0000_0001]), [NO; 8]);
}

/// 3.17.1: a global entry is found from every ASID of the same ASET, and from none of the other; 4.4: commands disregard ASET.
#[test]
fn global_entries_are_shared_within_an_aset() {
    fn check<C: Caches>(caches: C) {
        const ASET: u64 = 1 << 47;
        let Bench { mut guest, inner } = bench();
        let ste = [0, 8, 16, 24, 32, 40, 48, 56].map(|at| guest.read(guest.strtab + 6 * 64 + at));
        for (sid, asid, aset) in [(6, 8, ASET), (7, 9, 0)] {
            let at = guest.area(64);
            let mut cd = cd(&inner, asid);
            cd[0] |= aset;
            guest.write(at, &cd);
            let mut ste = ste;
            ste[0] = ste[0] & 0xf | (at + GUEST_OFFSET);
            guest.set_ste(StreamId(sid), ste);
        }
        // Address 0 is global, of any ASID; this one nobody has.
        guest.write(
            guest.queue_base,
            &[[0x12 | 3 << 32 | 1 << 48, 1], SYNC].concat(),
        );
        let Guest { smmu, queue, .. } = &mut guest;
        let mut tbu = smmu.tbu_with(caches).unwrap();
        let mut look = |sid| {
            let transaction = Transaction::new(StreamId(sid), None, Iova(8), READ);
            tbu.burst().translate(&transaction).unwrap().pa.0 - 8
        };
        let tables = Memory(smmu.memory());
        let slot = inner.leaf_slot(&tables, inner.find(0).unwrap());
        let old = tables.read(slot);
        let moved = old + 0x1_0000_0000;
        assert_eq!(look(5), OLD);
        tables.write(slot, moved);
        assert_eq!([look(5), look(7), look(6)], [OLD, OLD, NEW]);
        tables.write(slot, old);
        assert_eq!([look(5), look(7), look(6)], [OLD, OLD, NEW]);
        queue.set_prod(2);
        assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
        assert_eq!([look(5), look(7), look(6)], [OLD; 3]);
        tables.write(slot, moved);
        assert_eq!([look(5), look(7), look(6)], [OLD; 3], "remembered anew");
    }
    check(exact());
    check(Fast::default());
}
