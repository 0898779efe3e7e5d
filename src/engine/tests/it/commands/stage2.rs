//! TLBI of stage 2.

use super::*;

/// Stage 2 alone: what a stream of VMID 3 sees of two IPAs, before and after a command.
fn stage2_changes<C: Caches>(caches: C, command: [u64; 2]) -> [bool; 2] {
    let mut guest = Guest::new(Features::all());
    let mut tree = Tree::new(K4_S2, &mut Host(&mut guest));
    for ipa in [0x1000, 0x5000] {
        assert!(tree.map(&mut Host(&mut guest), ipa, OLD + ipa, 3, S2_RW, 0));
    }
    guest.set_ste(SID, ste_s2(&tree, 3));
    let slots: Vec<_> = tree
        .leaves()
        .iter()
        .map(|leaf| tree.leaf_slot(&Host(&mut guest), leaf))
        .collect();
    guest.write(guest.queue_base, &[command, SYNC].concat());
    let words: Vec<_> = slots.iter().map(|&slot| guest.read(slot)).collect();
    let Guest { smmu, queue, .. } = &mut guest;
    let mut tbu = smmu.tbu_with(caches).unwrap();
    let mut look = || {
        [0x1000, 0x5000].map(|ipa| {
            tbu.burst()
                .translate(&Transaction::new(SID, None, Iova(ipa), READ))
                .unwrap()
                .pa
                .0
                - ipa
                == NEW
        })
    };
    assert_eq!(look(), [NO; 2]);
    for (slot, word) in slots.into_iter().zip(words) {
        Memory(smmu.memory()).write(slot + GUEST_OFFSET, word + NEW - OLD);
    }
    assert_eq!(look(), [NO; 2]);
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    look()
}

#[test]
fn stage_2_is_forgotten_by_s2_ipa_and_not_by_nh_commands() {
    let s2_ipa = |ipa: u64| [0x2a | 3 << 32, ipa | 1];
    for (command, expected) in [
        (s2_ipa(0x1000), [YES, NO]),
        (s2_ipa(0x5fff & !0xfff), [NO, YES]),
        ([0x2a | 4 << 32, 0x1001], [NO, NO]),
        ([0x2a | 7 << 12 | 3 << 32, 0x401 | 0x1000], [YES, YES]),
        ([0x10 | 3 << 32, 0], [NO, NO]),
        ([0x28 | 3 << 32, 0], [YES, YES]),
        ([0x30, 0], [YES, YES]),
    ] {
        assert_eq!(stage2_changes(exact(), command), expected, "{command:x?}");
        let fast = stage2_changes(Fast::default(), command);
        assert!(
            fast.iter()
                .zip(expected)
                .all(|(&fast, expected)| fast >= expected),
            "{command:x?}"
        );
    }
}
