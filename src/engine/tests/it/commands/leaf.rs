//! Leaf in TLBI commands: walk caches.

use super::*;

/// One stage, whose level-2 descriptor is made to point to another level-3 table; where does the page lead after a command?
fn table_changes<C: Caches>(caches: C, stage2: bool, command: [u64; 2]) -> bool {
    let mut guest = Guest::new(Features::all());
    let shape = Shape {
        page: 0x1000,
        input_bits: 33,
        start: 2,
    };
    let attributes = if stage2 { S2_RW } else { S1_RW };
    let mut tables = [OLD, NEW].map(|output| {
        let shape = if stage2 {
            shape
        } else {
            Shape::stage1(0x1000, 30)
        };
        let mut tree = Tree::new(shape, &mut Host(&mut guest));
        assert!(tree.map(&mut Host(&mut guest), 0x1000, output, 3, attributes, 0));
        tree
    });
    let [old, new] = &mut tables;
    if stage2 {
        guest.set_ste(SID, ste_s2(old, 3));
    } else {
        let at = guest.area(64);
        guest.write(at, &cd(old, 7));
        let mut ste = ste_s1(at);
        ste[2] = 3;
        guest.set_ste(SID, ste);
    }
    let (slot, word) = (old.root, guest.read(new.root));
    let transaction = Transaction::new(SID, None, Iova(0x1000), READ);
    let change = |memory: &Memory<'_>| memory.write(slot + GUEST_OFFSET, word);
    is_seen(&mut guest, caches, transaction, change, &[command])
}

#[test]
fn leaf_1_spares_remembered_tables_and_leaf_0_does_not() {
    let vm = 3 << 32;
    for (stage2, command, expected) in [
        (NO, [0x12 | vm | 7 << 48, 0x1001], NO),
        (NO, [0x12 | vm | 7 << 48, 0x1000], YES),
        (NO, [0x12 | vm | 8 << 48, 0x1000], NO),
        (NO, [0x13 | vm, 0x1001], NO),
        (NO, [0x13 | vm, 0x1000], YES),
        (NO, [0x11 | vm | 7 << 48, 0], YES),
        (NO, [0x10 | vm, 0], YES),
        (NO, [0x30, 0], YES),
        (YES, [0x2a | vm, 0x1001], NO),
        (YES, [0x2a | vm, 0x1000], YES),
        (YES, [0x28 | vm, 0], YES),
        (YES, [0x30, 0], YES),
    ] {
        let gem5 = Exact::new(Preset::GEM5);
        assert_eq!(
            table_changes(gem5, stage2, command),
            expected,
            "{command:x?}"
        );
        let fast = Fast::default();
        assert_eq!(
            table_changes(fast, stage2, command),
            expected,
            "{command:x?}"
        );
    }
}
