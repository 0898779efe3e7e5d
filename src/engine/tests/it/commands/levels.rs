//! Leaf in CFGI commands: level-1 descriptors of stream tables and CD tables.

use super::*;

const SSID: u32 = 65;

/// Two-level tables; the level-1 descriptor is made to point to another level-2 table, in which everything leads elsewhere. Where does
/// the page lead after some commands?
fn changed<C: Caches>(caches: C, stream_table: bool, commands: &[[u64; 2]]) -> bool {
    let mut guest = Guest::new(Features::all());
    let [old, new] = [(OLD, 7), (NEW, 8)].map(|(output, asid)| {
        let mut tree = guest.stage1(K4);
        assert!(tree.map(&mut Host(&mut guest), 0, output, 3, S1_RW, 0));
        // Another ASID, so that the TLB has no part in it.
        let cds = guest.area(64 * 64);
        guest.write(cds + u64::from(SSID % 64) * 64, &cd(&tree, asid));
        cds
    });
    let l1cds = [old, new].map(|cds| {
        let l1cds = guest.area(64);
        guest.write(l1cds + u64::from(SSID / 64) * 8, &[cds | 1]);
        l1cds
    });
    let stes = l1cds.map(|l1cds| {
        let stes = guest.area(64 * 64);
        let mut ste = ste_s1(l1cds);
        ste[0] |= 1 << 4 | 8 << 59;
        guest.write(stes + u64::from(SID.0) * 64, &ste);
        stes
    });
    let l1stds = guest.area(64);
    guest.write(l1stds, &[stes[0] | 7]);
    guest.smmu.configure(engine::Registers {
        strtab_base: l1stds,
        strtab_log2size: 8,
        strtab_format: engine::StreamTableFormat::TwoLevel { split: 6 },
        ..guest.smmu.registers()
    });
    let transaction = Transaction::new(SID, Some(SubstreamId(SSID)), Iova(0), READ);
    let change = |memory: &Memory<'_>| {
        if stream_table {
            memory.write(l1stds + GUEST_OFFSET, stes[1] | 7);
        } else {
            memory.write(l1cds[0] + 8 + GUEST_OFFSET, new | 1);
        }
    };
    is_seen(&mut guest, caches, transaction, change, commands)
}

#[test]
fn cfgi_leaf_1_spares_level_1_descriptors_and_leaf_0_does_not() {
    let cfgi =
        |op: u64, sid: u64, ssid: u32, rest: u64| [op | u64::from(ssid) << 12 | sid << 32, rest];
    let ste = |sid: u64, leaf: u64| cfgi(0x03, sid, 0, leaf);
    let range = |sid: u64, range: u64| cfgi(0x04, sid, 0, range);
    let cd = |sid: u64, ssid: u32, leaf: u64| cfgi(0x05, sid, ssid, leaf);
    for (commands, l1std, l1cd) in [
        // CFGI_STE drops the CDs and L1CDs of its stream, whatever Leaf says.
        (vec![ste(5, 1)], NO, YES),
        (vec![ste(5, 0)], YES, YES),
        (vec![ste(4, 1)], NO, NO),
        // Another StreamID of the same descriptor, or of another; then the STE itself.
        (vec![ste(4, 0), ste(5, 1)], YES, YES),
        (vec![ste(64, 0), ste(5, 1)], NO, YES),
        (vec![range(4, 0)], YES, YES),
        (vec![range(64, 5), ste(5, 1)], NO, YES),
        (vec![range(0, 31)], YES, YES),
        // CFGI_CD: the same of CDs.
        (vec![cd(5, SSID, 1)], NO, NO),
        (vec![cd(5, SSID, 0)], NO, YES),
        (vec![cd(5, 64, 0), cd(5, SSID, 1)], NO, YES),
        (vec![cd(5, 63, 0), cd(5, SSID, 1)], NO, NO),
        (vec![cd(4, SSID, 0), cd(5, SSID, 1)], NO, NO),
        (vec![cfgi(0x06, 5, 0, 0)], NO, YES),
        (vec![cfgi(0x06, 4, 0, 0), cd(5, SSID, 1)], NO, NO),
    ] {
        for (stream_table, expected) in [(true, l1std), (false, l1cd)] {
            let what = if stream_table { "L1STD" } else { "L1CD" };
            assert_eq!(
                changed(exact(), stream_table, &commands),
                expected,
                "{what}, exact, {commands:x?}"
            );
            assert_eq!(
                changed(Fast::default(), stream_table, &commands),
                expected,
                "{what}, fast, {commands:x?}"
            );
        }
    }
}

/// A hypervisor that makes every CFGI_CD one with Leaf = 1 leaves the guest without the contexts behind a new L1CD: found in the review of
/// Linux's first nested series (2023), and the reason why a guest's commands keep their Leaf.
#[test]
fn a_new_l1cd_is_seen_after_leaf_0_only() {
    fn sees<C: Caches>(caches: C, leaf: u64) -> bool {
        let mut guest = Guest::new(Features::all());
        let mut tree = guest.stage1(K4);
        assert!(tree.map(&mut Host(&mut guest), 0, OLD, 3, S1_RW, 0));
        let cds = guest.area(64 * 64);
        guest.write(cds + 64, &cd(&tree, 7));
        let l1cds = guest.area(64);
        let mut ste = ste_s1(l1cds);
        ste[0] |= 1 << 4 | 8 << 59;
        guest.set_ste(SID, ste);
        let cfgi_cd = [0x05 | u64::from(SSID) << 12 | 5 << 32, leaf];
        guest.write(guest.queue_base, &[cfgi_cd, SYNC].concat());
        let Guest { smmu, queue, .. } = &mut guest;
        let mut tbu = smmu.tbu_with(caches).unwrap();
        let mut reaches = || {
            let transaction = Transaction::new(SID, Some(SubstreamId(SSID)), Iova(0), READ);
            tbu.burst().translate(&transaction).is_ok()
        };
        assert!(!reaches());
        Memory(smmu.memory()).write(l1cds + 8 + GUEST_OFFSET, cds | 1);
        queue.set_prod(2);
        assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
        reaches()
    }
    assert!(!sees(exact(), 1) && sees(exact(), 0));
    assert!(!sees(Fast::default(), 1) && sees(Fast::default(), 0));
    assert!(sees(engine::cache::NoCaches, 1));
}

/// Two streams with CD tables of their own, and the same SubstreamID: what is cached of the one's says nothing of the other's.
#[test]
fn each_stream_has_l1cds_of_its_own() {
    fn reached<C: Caches>(caches: C) -> [Option<u64>; 2] {
        let mut guest = Guest::new(Features::all());
        let streams = [(SID, OLD, 7), (StreamId(SID.0 + 1), NEW, 8)];
        for (sid, output, asid) in streams {
            let mut tree = guest.stage1(K4);
            assert!(tree.map(&mut Host(&mut guest), 0, output, 3, S1_RW, 0));
            let cds = guest.area(64 * 64);
            guest.write(cds + u64::from(SSID % 64) * 64, &cd(&tree, asid));
            let l1cds = guest.area(64);
            guest.write(l1cds + u64::from(SSID / 64) * 8, &[cds | 1]);
            let mut ste = ste_s1(l1cds);
            ste[0] |= 1 << 4 | 8 << 59;
            guest.set_ste(sid, ste);
        }
        let mut tbu = guest.smmu.tbu_with(caches).unwrap();
        streams.map(|(sid, ..)| {
            let transaction = Transaction::new(sid, Some(SubstreamId(SSID)), Iova(0), READ);
            let translated = tbu.burst().translate(&transaction);
            translated.ok().map(|translation| translation.pa.0)
        })
    }
    let apart = [Some(OLD), Some(NEW)];
    assert_eq!(reached(engine::cache::NoCaches), apart);
    assert_eq!(reached(exact()), apart);
    assert_eq!(reached(Fast::default()), apart);
}

/// Linux's driver makes a level-1 descriptor valid while devices may knock already, and says CFGI_STE with Leaf = 1 of each entry that it
/// then writes (`arm_smmu_init_l2_strtab`, `arm_smmu_sync_ste_for_sid`): that there were no entries is not remembered.
#[test]
fn a_new_l1std_is_seen_after_leaf_1() {
    fn sees<C: Caches>(caches: C) -> bool {
        let mut guest = Guest::new(Features::all());
        let mut tree = guest.stage1(K4);
        assert!(tree.map(&mut Host(&mut guest), 0, OLD, 3, S1_RW, 0));
        let cds = guest.area(64);
        guest.write(cds, &cd(&tree, 7));
        let stes = guest.area(64 * 64);
        guest.write(stes + u64::from(SID.0) * 64, &ste_s1(cds));
        let l1stds = guest.area(64);
        guest.smmu.configure(engine::Registers {
            strtab_base: l1stds,
            strtab_log2size: 8,
            strtab_format: engine::StreamTableFormat::TwoLevel { split: 6 },
            ..guest.smmu.registers()
        });
        let cfgi_ste = [0x03 | u64::from(SID.0) << 32, 1];
        guest.write(guest.queue_base, &[cfgi_ste, SYNC].concat());
        let Guest { smmu, queue, .. } = &mut guest;
        let mut tbu = smmu.tbu_with(caches).unwrap();
        let mut reaches = || {
            let transaction = Transaction::new(SID, None, Iova(0), READ);
            tbu.burst().translate(&transaction).is_ok()
        };
        assert!(!reaches());
        Memory(smmu.memory()).write(l1stds + GUEST_OFFSET, stes | 7);
        queue.set_prod(2);
        assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
        reaches()
    }
    assert!(sees(exact()) && sees(Fast::default()) && sees(engine::cache::NoCaches));
}
