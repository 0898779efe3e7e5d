//! Strategies: a guest maps, a device translates, the guest unmaps and says so, the device no longer translates; and what that costs.

use engine::Asid;
use engine::hypervisor::{
    CdStore, Change, Contract, Counts, Errno, Forwarder, Forwarding, GuestCds, Native, PerHwpt,
    Slot, Strategy, StrongAsid, Told,
};

use super::*;

const PAGE: Change = Change::Pages {
    first: Iova(VA),
    pages: 1,
};

fn slot(ssid: Option<u32>, ats: bool) -> Slot {
    Slot {
        vsid: VSID,
        ssid: ssid.map(SubstreamId),
        ats,
    }
}

fn native(viommu: &Viommu, forwarding: Forwarding, contract: Contract) -> Native {
    let mut forwarder = Forwarder::new(viommu.clone(), forwarding, contract);
    forwarder.translates(VSID, true);
    Native::new(forwarder)
}

/// All of them, with their names.
fn strategies(viommu: &Viommu) -> [(&'static str, Box<dyn Strategy>); 4] {
    let native = |forwarding| Box::new(native(viommu, forwarding, Contract::Linux));
    [
        ("each command", native(Forwarding::EachCommand)),
        ("until sync", native(Forwarding::UntilSync)),
        ("strong ASID", Box::new(StrongAsid::new(viommu.clone()))),
        ("per HWPT", Box::new(PerHwpt::new(viommu.clone()))),
    ]
}

#[test]
fn what_is_unmapped_is_not_reached() {
    for nth in 0..4 {
        let mut scene = scene();
        let leaf = scene.slot(0);
        let mut host = scene.host(&());
        let mut tbu = scene.guest.smmu.tbu().unwrap();
        let (name, mut strategy) = strategies(&scene.viommu).into_iter().nth(nth).unwrap();
        assert_eq!(reach(&mut tbu, None, VA), None, "{name}: no CD yet");
        let slot = slot(None, false);
        strategy
            .bind(&mut host, slot, ASID, &mut |store| scene.store_cd(0, store))
            .unwrap();
        assert_eq!(reach(&mut tbu, None, VA), Some(PA), "{name}");
        assert_eq!(reach(&mut tbu, None, VA + 0x1000), Some(PA + 0x1000));
        scene.guest.write(leaf, &[0]);
        strategy.changed(&mut host, Asid(8), Change::All).unwrap();
        assert_eq!(reach(&mut tbu, None, VA), Some(PA), "{name}: another ASID");
        strategy.changed(&mut host, ASID, PAGE).unwrap();
        assert_eq!(reach(&mut tbu, None, VA), None, "{name}");
        assert_eq!(reach(&mut tbu, None, VA + 0x1000), Some(PA + 0x1000));
        strategy
            .unbind(&mut host, slot, &mut |store| scene.store_cd(0, store))
            .unwrap();
        assert_eq!(reach(&mut tbu, None, VA + 0x1000), None, "{name}: unbound");
    }
}

/// Where the device gets to with PASID 1, through its own cache.
fn reach_by_ats(atc: &Atc, tbu: &mut Unit<'_>) -> Option<u64> {
    let translation = atc.translate(&mut tbu.burst(), Some(SubstreamId(1)), Iova(VA), READ);
    Some(translation.ok()?.pa.0)
}

#[test]
fn devices_caches_forget_too() {
    for (nth, ats) in (0..4).flat_map(|nth| [(nth, true), (nth, false)]) {
        let mut scene = scene();
        let leaf = scene.slot(0);
        let devices = Devices([(SID, Atc::new(SID, 16))].into());
        let atc = &devices.0[&SID];
        let mut host = scene.host(&devices);
        let mut tbu = scene.guest.smmu.tbu().unwrap();
        let (name, mut strategy) = strategies(&scene.viommu).into_iter().nth(nth).unwrap();
        let slot = slot(Some(1), ats);
        strategy
            .bind(&mut host, slot, ASID, &mut |store| scene.store_cd(1, store))
            .unwrap();
        assert_eq!(reach_by_ats(atc, &mut tbu), Some(PA), "{name}");
        scene.guest.write(leaf, &[0]);
        strategy.changed(&mut host, ASID, PAGE).unwrap();
        assert_eq!(reach(&mut tbu, Some(1), VA), None, "{name}: the TLB");
        // Whoever believes that the device does not cache leaves it what it has.
        let left = (!ats).then_some(PA);
        assert_eq!(reach_by_ats(atc, &mut tbu), left, "{name}: ats {ats}");
    }
}

#[test]
fn a_device_that_does_not_answer_is_reported_by_exact_contracts_alone() {
    for (contract, said) in [
        (Contract::Linux, Ok(())),
        (Contract::Exact, Err(Errno::TimedOut)),
    ] {
        let mut scene = scene();
        let leaf = scene.slot(0);
        let deaf = Devices::default();
        let mut host = scene.host(&deaf);
        let mut tbu = scene.guest.smmu.tbu().unwrap();
        let atc = Atc::new(SID, 16);
        let mut strategy = native(&scene.viommu, Forwarding::UntilSync, contract);
        let slot = slot(Some(1), true);
        strategy
            .bind(&mut host, slot, ASID, &mut |store| scene.store_cd(1, store))
            .unwrap();
        assert_eq!(reach_by_ats(&atc, &mut tbu), Some(PA));
        scene.guest.write(leaf, &[0]);
        assert_eq!(strategy.changed(&mut host, ASID, PAGE), said);
        assert_eq!(reach_by_ats(&atc, &mut tbu), Some(PA), "it did not hear");
    }
}

/// What one operation costs.
fn cost(
    strategy: &mut dyn Strategy,
    operation: impl FnOnce(&mut dyn Strategy) -> Result<(), Errno>,
) -> [u64; 4] {
    let before = strategy.counts();
    operation(strategy).expect("nothing is refused here");
    let Counts {
        exits,
        ioctls,
        commands,
        syncs,
    } = strategy.counts();
    [
        exits - before.exits,
        ioctls - before.ioctls,
        commands - before.commands,
        syncs - before.syncs,
    ]
}

#[test]
fn exits_ioctls_commands_and_syncs() {
    let pages = |pages| Change::Pages {
        first: Iova(VA),
        pages,
    };
    let Scene { viommu, .. } = scene();
    // Bind one slot of two; 3 pages; 200 pages; 600 pages; stop; give the first another ASID; unbind it, and the last.
    let expected = [
        [
            [2, 2, 2, 2],
            [2, 5, 5, 5],
            [2, 202, 202, 202],
            [2, 3, 3, 3],
            [3, 5, 5, 5],
            [4, 4, 4, 4],
            [3, 3, 3, 3],
            [3, 3, 3, 3],
        ],
        [
            [2, 2, 2, 2],
            [2, 2, 5, 2],
            [2, 2, 202, 5],
            [2, 2, 3, 2],
            [3, 3, 5, 3],
            [4, 4, 4, 4],
            [3, 3, 3, 3],
            [3, 3, 3, 3],
        ],
        [
            [1, 1, 2, 2],
            [1, 1, 5, 2],
            [1, 1, 202, 5],
            [1, 1, 3, 2],
            [1, 1, 5, 3],
            [2, 2, 4, 4],
            [2, 2, 3, 3],
            [2, 2, 3, 3],
        ],
        // A bind that allocates the HWPT, and an unbind that frees it.
        [
            [1, 2, 2, 2],
            [1, 1, 5, 2],
            [1, 1, 202, 5],
            [1, 1, 3, 2],
            [1, 1, 5, 3],
            [1, 3, 4, 4],
            [1, 2, 3, 3],
            [1, 2, 3, 3],
        ],
    ];
    for ((name, mut strategy), expected) in strategies(&viommu).into_iter().zip(expected) {
        let mut host = Recorder::default();
        let (first, last) = (slot(Some(1), true), slot(Some(2), true));
        let mut costs = vec![cost(&mut *strategy, |s| {
            s.bind(&mut host, first, ASID, &mut |_| {})
        })];
        strategy.bind(&mut host, last, ASID, &mut |_| {}).unwrap();
        for count in [3, 200, 600] {
            costs.push(cost(&mut *strategy, |s| {
                s.changed(&mut host, ASID, pages(count))
            }));
        }
        costs.push(cost(&mut *strategy, |s| {
            s.stop(&mut host, ASID, &mut |_, _| {})
        }));
        costs.push(cost(&mut *strategy, |s| {
            s.replace(&mut host, first, Asid(8), &mut |_| {})
        }));
        for slot in [first, last] {
            costs.push(cost(&mut *strategy, |s| {
                s.unbind(&mut host, slot, &mut |_| {})
            }));
        }
        assert_eq!(costs, expected, "{name}");
        let issued: usize = host.batches.iter().map(Vec::len).sum();
        assert_eq!(strategy.counts().commands, issued as u64, "{name}");
        assert_eq!(strategy.counts().syncs, host.batches.len() as u64, "{name}");
    }
}

#[test]
fn the_tlb_is_empty_before_devices_are_told() {
    let Scene { viommu, .. } = scene();
    for (name, mut strategy) in strategies(&viommu) {
        // The host's own numbers begin at 1.
        let tag = if name == "per HWPT" { 1 } else { 7 };
        let mut host = Recorder::default();
        for ssid in [Some(1), Some(2), None] {
            let slot = slot(ssid, ssid != Some(2));
            strategy.bind(&mut host, slot, ASID, &mut |_| {}).unwrap();
        }
        host.batches.clear();
        // Four pages from page 7 on: the smallest aligned span that ATS can name is pages 0 to 15.
        let change = Change::Pages {
            first: Iova(0x7000),
            pages: 4,
        };
        strategy.changed(&mut host, ASID, change).unwrap();
        let tlbi = |page: u64| [0x12 | 3 << 32 | tag << 48, page << 12];
        let tell = |ssid: u64| [0x40 | ssid | 5 << 32, 4];
        let expected = [
            tlbi(7),
            tlbi(8),
            tlbi(9),
            tlbi(10),
            tell(1 << 11 | 1 << 12),
            tell(0),
        ];
        assert_eq!(host.batches.concat(), expected, "{name}");
        let mixed = |batch: &Vec<[u64; 2]>| {
            let tells = batch
                .iter()
                .filter(|[word0, _]| word0 & 0xff == 0x40)
                .count();
            tells != 0 && tells != batch.len()
        };
        assert!(!host.batches.iter().any(mixed), "{name}: no SYNC between");
    }
}

#[test]
fn spans_of_devices_caches() {
    let Scene { viommu, .. } = scene();
    let mut strategy = StrongAsid::new(viommu);
    let mut host = Recorder::default();
    let slot = slot(None, true);
    strategy.bind(&mut host, slot, ASID, &mut |_| {}).unwrap();
    let mut span = |first, pages| {
        let change = Change::Pages {
            first: Iova(first),
            pages,
        };
        strategy.changed(&mut host, ASID, change).unwrap();
        host.batches.pop().unwrap()[0][1]
    };
    assert_eq!(span(0x5000, 1), 0x5000);
    assert_eq!(span(0x4000, 2), 0x4001);
    assert_eq!(span(0x5000, 2), 0x4002, "5 and 6 lie in 4 to 7");
    assert_eq!(span(0x1f_f000, 2), 10, "both sides of 2 MiB");
    assert_eq!(span(0xffff_ffff_ffff_f000, 1), 0xffff_ffff_ffff_f000);
    assert_eq!(span(0, u64::MAX), 52, "everything");
}

#[test]
fn what_strong_asid_refuses() {
    let mut scene = scene();
    let leaf = scene.slot(0);
    let mut strategy = StrongAsid::new(scene.viommu.clone());
    let deaf = Devices::default();
    let mut host = scene.host(&deaf);
    let known = slot(Some(1), true);
    let stranger = Slot { vsid: SID, ..known };
    let mut unwritten = |_| panic!("nothing may be written for it");
    let mut untouched = |_| panic!("nothing may be cleared for it");
    let refused = strategy.bind(&mut host, stranger, ASID, &mut unwritten);
    assert_eq!(refused, Err(Errno::Io));
    assert_eq!(
        strategy.unbind(&mut host, known, &mut untouched),
        Err(Errno::NoEntry)
    );
    strategy
        .bind(&mut host, known, ASID, &mut |store| {
            scene.store_cd(1, store)
        })
        .unwrap();
    assert_eq!(
        strategy.bind(&mut host, known, Asid(9), &mut unwritten),
        Err(Errno::Busy)
    );
    // While its device does not answer, a slot stays: a change must still be sent there.
    let unbound = strategy.unbind(&mut host, known, &mut |store| scene.store_cd(1, store));
    assert_eq!(unbound, Err(Errno::TimedOut));
    scene.guest.write(leaf, &[0]);
    assert_eq!(
        strategy.changed(&mut host, ASID, PAGE),
        Err(Errno::TimedOut)
    );
    let plugged = Devices([(SID, Atc::new(SID, 4))].into());
    let mut later = HostQueue::new(&scene.guest.smmu, &plugged, scene.queue + (16 << 6), 6);
    assert_eq!(
        strategy.unbind(&mut later, known, &mut |store| scene.store_cd(1, store)),
        Ok(())
    );
    assert_eq!(
        strategy.unbind(&mut later, known, &mut untouched),
        Err(Errno::NoEntry)
    );
}

#[test]
fn address_spaces_with_tags_of_the_host() {
    let Scene { viommu, .. } = scene();
    let mut strategy = PerHwpt::new(viommu);
    let mut host = Recorder::default();
    let mut tags = Vec::new();
    let mut bind = |strategy: &mut PerHwpt, ssid, asid, host: &mut Recorder| {
        let slot = slot(Some(ssid), false);
        strategy.bind(host, slot, Asid(asid), &mut |store| {
            if let CdStore::Valid(tag) = store {
                tags.push(tag.0);
            }
        })
    };
    assert_eq!(bind(&mut strategy, 1, 500, &mut host), Ok(()));
    assert_eq!(bind(&mut strategy, 2, 600, &mut host), Ok(()));
    assert_eq!(bind(&mut strategy, 3, 500, &mut host), Ok(()));
    // A slot that is used leaves no HWPT behind.
    assert_eq!(bind(&mut strategy, 3, 700, &mut host), Err(Errno::Busy));
    let unbind = |strategy: &mut PerHwpt, ssid, host: &mut Recorder| {
        strategy.unbind(host, slot(Some(ssid), false), &mut |_| {})
    };
    assert_eq!(unbind(&mut strategy, 1, &mut host), Ok(()));
    assert_eq!(bind(&mut strategy, 4, 800, &mut host), Ok(()));
    host.batches.clear();
    assert_eq!(unbind(&mut strategy, 3, &mut host), Ok(()));
    // Tag 1 is free only now, and clean.
    assert_eq!(host.batches[1], [[0x11 | 3 << 32 | 1 << 48, 0]]);
    assert_eq!(bind(&mut strategy, 5, 900, &mut host), Ok(()));
    assert_eq!(tags, [1, 2, 1, 3, 1]);
    // An address space that is attached nowhere costs an exit, and nothing else.
    let nowhere = cost(&mut strategy, |s| {
        s.changed(&mut Recorder::default(), Asid(500), Change::All)
    });
    assert_eq!(nowhere, [1, 0, 0, 0]);
}

/// Where the guest owns its CDs, what the hypervisor is told decides what is left: of the TLB, of the device's cache, of the CD.
#[test]
fn what_is_left_when_the_hypervisor_is_told_less() {
    for (told, atc_forgets, cd_forgets) in [
        (Told::Asids, true, false),
        (Told::Cds, false, true),
        (Told::CdsAndDevices, true, true),
        (Told::CdsAndSlots, true, true),
    ] {
        let mut scene = scene();
        let leaf = scene.slot(0);
        let devices = Devices([(SID, Atc::new(SID, 16))].into());
        let atc = &devices.0[&SID];
        let mut host = scene.host(&devices);
        let mut tbu = scene.guest.smmu.tbu().unwrap();
        let mut strategy = GuestCds::new(scene.viommu.clone(), told);
        strategy.caches(VSID, true);
        let slot = slot(Some(1), true);
        let store = &mut |store| scene.store_cd(1, store);
        strategy.bind(&mut host, slot, ASID, store).unwrap();
        assert_eq!(reach_by_ats(atc, &mut tbu), Some(PA), "{told:?}");
        assert_eq!(reach(&mut tbu, Some(1), VA), Some(PA), "{told:?}");
        scene.guest.write(leaf, &[0]);
        strategy.changed(&mut host, ASID, PAGE).unwrap();
        assert_eq!(reach(&mut tbu, Some(1), VA), None, "{told:?}");
        let left = (!atc_forgets).then_some(PA);
        assert_eq!(reach_by_ats(atc, &mut tbu), left, "{told:?}");
        strategy.unbind(&mut host, slot, store).unwrap();
        let other = reach(&mut tbu, Some(1), VA + 0x1000);
        assert_eq!(other.is_none(), cd_forgets, "{told:?}: {other:?}");
        assert_eq!(
            strategy.unbind(&mut host, slot, store),
            Err(Errno::NoEntry),
            "{told:?}"
        );
        // A device that has gone is not spoken to.
        strategy.caches(VSID, false);
        let before = strategy.counts().commands;
        strategy.changed(&mut host, ASID, PAGE).unwrap();
        assert_eq!(strategy.counts().commands - before, 1, "{told:?}");
    }
}
