//! The host takes pages away from a running guest.

use engine::cache::{Caches, Exact, Preset, Replacement};
use engine::hypervisor::{Errno, Host as _, NestParent};
use engine::{CommandQueue, Ipa, Smmu, Stopped, Vmid};

use super::*;

/// A device of the guest's second virtual SMMU, which has a VMID of its own on the same stage 2.
const OTHER: StreamId = StreamId(6);
const OTHER_VMID: u16 = 4;
const PAGE: Ipa = Ipa(IPA);

/// The guest's devices with warm caches: in the SMMU by one policy, and their own.
struct Running<'s, C> {
    tbu: Tbu<'s, GuestMemoryMmap<()>, C>,
    devices: &'s Devices,
}

impl<C: Caches> Running<'_, C> {
    /// Every device accesses both pages in every way that it has. Which of the two did any of them reach?
    fn saturate(&mut self) -> [bool; 2] {
        let mut reached = [false; 2];
        for (at, reached) in [0, 0x1000].into_iter().zip(&mut reached) {
            for sid in [SID, OTHER] {
                for ssid in [None, Some(SubstreamId(1))] {
                    let address = Iova(VA + at);
                    let mut burst = self.tbu.burst();
                    let plain = burst.translate(&Transaction::new(sid, ssid, address, READ));
                    *reached |= plain.is_ok_and(|found| found.pa.0 == PA + at);
                    let cached = self.devices.0[&sid].translate(&mut burst, ssid, address, READ);
                    *reached |= cached.is_ok_and(|found| found.pa.0 == PA + at);
                }
            }
        }
        reached
    }
}

/// The physical queue, with every access that devices can make between any two commands.
struct Stepwise<'r, 's, C> {
    smmu: &'s Smmu<GuestMemoryMmap<()>>,
    running: &'r mut Running<'s, C>,
    base: u64,
    queue: CommandQueue,
    issued: u32,
}

impl<C: Caches> hypervisor::Host for Stepwise<'_, '_, C> {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        for command in commands.iter().chain([&[0x46, 0]]) {
            let slot = self.base + u64::from(self.issued % 128) * 16;
            for (word, at) in command.iter().zip([slot, slot + 8]) {
                Pages::write(&Words(self.smmu.memory()), at, *word);
            }
            self.issued = (self.issued + 1) % 256;
            self.queue.set_prod(self.issued);
            let stopped = self.smmu.consume(&mut self.queue, self.running.devices);
            assert_eq!(stopped, Stopped::Empty);
            self.running.saturate();
        }
        Ok(Issued::default())
    }
}

/// Memory that is only written to.
struct Words<'m>(&'m GuestMemoryMmap<()>);

impl Pages for Words<'_> {
    fn area(&mut self, _: u64) -> u64 {
        panic!("nothing is built here")
    }
    fn physical(&self, address: u64) -> u64 {
        address
    }
    fn memory(&self) -> &GuestMemoryMmap<()> {
        self.0
    }
}

/// A scene in which both devices run on one stage 2, with ATS.
fn attached(devices: &Devices) -> (Scene, NestParent) {
    let scene = scene();
    scene.write_cd(0, Some(ASID));
    scene.write_cd(1, Some(ASID));
    let mut parent = NestParent::new();
    let mut host = scene.host(devices);
    let vste = VirtualSte::validate(scene.vste).unwrap();
    for (sid, vmid) in [(SID, VMID), (OTHER, OTHER_VMID)] {
        let mut viommu = Viommu::new(Ste::from_words(ste_s2(&scene.outer, vmid))).unwrap();
        viommu.devices.add(VSID, sid).unwrap();
        let ste = viommu.attach(sid, &vste, true).unwrap();
        let write = &mut |store| scene.store_ste(sid, &ste, store);
        parent
            .attach(&mut host, sid, viommu.vmid(), vste.ats(), write)
            .unwrap();
    }
    (scene, parent)
}

fn devices() -> Devices {
    Devices([SID, OTHER].map(|sid| (sid, Atc::new(sid, 16))).into())
}

/// Which pages are reached when the first was taken away and the batches that `order` picks were issued.
fn reached<C: Caches>(caches: C, order: &[usize]) -> [bool; 2] {
    let devices = devices();
    let (mut scene, parent) = attached(&devices);
    let leaf = *scene.outer.find(IPA).unwrap();
    let slot = scene.outer.leaf_slot(&Host(&mut scene.guest), &leaf);
    let smmu = &scene.guest.smmu;
    let mut running = Running {
        tbu: smmu.tbu_with(caches).unwrap(),
        devices: &devices,
    };
    assert_eq!(running.saturate(), [true; 2]);
    scene.guest.write(slot, &[0]);
    assert_eq!(running.saturate(), [true; 2], "nothing was said yet");
    let batches = parent.invalidation(PAGE, 1);
    assert_eq!(batches.len(), 3);
    let mut host = Stepwise {
        smmu,
        base: scene.queue,
        queue: CommandQueue::new(scene.queue, 7),
        issued: 0,
        running: &mut running,
    };
    for &batch in order {
        host.issue(&batches[batch]).unwrap();
    }
    running.saturate()
}

fn exact() -> Exact {
    Exact::new(Preset::custom(64, 4, Replacement::Lru))
}

#[test]
fn what_the_host_takes_away_is_not_reached() {
    assert_eq!(reached(exact(), &[0, 1, 2]), [false, true]);
    assert_eq!(reached(Fast::default(), &[0, 1, 2]), [false, true]);
    // Pages that are in no cache but the last level's tables.
    assert_eq!(reached(Exact::new(Preset::GEM5), &[0, 1, 2]), [false, true]);
}

/// The first of them is what a driver does that knows no nesting; Linux says the rest since commit 1e8be08d1c91.
#[test]
fn less_or_another_order_leaves_something() {
    for order in [
        // Combined entries survive S2_IPA; devices' caches survive both TLBIs.
        &[0][..],
        &[0, 1],
        &[1, 2],
        // Walks refill what was forgotten from what was not yet: combined entries from stage 2's, devices' caches from the TLB.
        &[1, 0, 2],
        &[2, 0, 1],
        &[0, 2, 1],
    ] {
        assert_eq!(reached(exact(), order), [true; 2], "exact, {order:?}");
        assert_eq!(
            reached(Fast::default(), order),
            [true; 2],
            "fast, {order:?}"
        );
    }
}

#[test]
fn unmapping_clears_and_then_invalidates() {
    let devices = devices();
    let (mut scene, parent) = attached(&devices);
    let leaf = *scene.outer.find(IPA).unwrap();
    let slot = scene.outer.leaf_slot(&Host(&mut scene.guest), &leaf);
    let mut running = Running {
        tbu: scene.guest.smmu.tbu().unwrap(),
        devices: &devices,
    };
    assert_eq!(running.saturate(), [true; 2]);
    let mut host = scene.host(&devices);
    parent
        .unmap(&mut host, PAGE, 1, &mut || scene.guest.write(slot, &[0]))
        .unwrap();
    assert_eq!(running.saturate(), [false, true]);
    // Many pages: one command for each VMID.
    parent.unmap(&mut host, PAGE, 513, &mut || {}).unwrap();
    assert_eq!(running.saturate(), [false, true]);
}

#[test]
fn the_list_names_each_vmid_once_and_devices_that_cache() {
    let mut parent = NestParent::new();
    let mut host = Recorder::default();
    for (sid, vmid, ats) in [(5, 3, true), (6, 4, false), (7, 3, true)] {
        let (sid, vmid) = (StreamId(sid), Vmid(vmid));
        parent
            .attach(&mut host, sid, vmid, ats, &mut |_| {})
            .unwrap();
    }
    let again = parent.attach(&mut host, SID, Vmid(3), true, &mut |_| {
        panic!("it is there")
    });
    assert_eq!(again, Err(Errno::Busy));
    let s2_ipa = |vmid: u64, ipa: u64| [0x2a | vmid << 32, ipa];
    let atc_inv = |sid: u64| [0x40 | sid << 32, 52];
    let atc = vec![atc_inv(5), atc_inv(7)];
    assert_eq!(
        parent.invalidation(PAGE, 2),
        [
            vec![
                s2_ipa(3, IPA),
                s2_ipa(4, IPA),
                s2_ipa(3, IPA + 0x1000),
                s2_ipa(4, IPA + 0x1000)
            ],
            vec![[0x10 | 3 << 32, 0], [0x10 | 4 << 32, 0]],
            atc.clone(),
        ]
    );
    // Everything of a VMID includes what NH_ALL would forget.
    let all = vec![[0x28 | 3 << 32, 0], [0x28 | 4 << 32, 0]];
    assert_eq!(parent.invalidation(PAGE, 513), [all, atc]);
    // A stream that goes cleans its cache; and its VMID if it was the last.
    host.batches.clear();
    for sid in [5, 6, 7] {
        parent.detach(&mut host, StreamId(sid), &mut || {}).unwrap();
    }
    let cfgi = |sid: u64| vec![[0x03 | sid << 32, 1]];
    assert_eq!(
        host.batches,
        [
            cfgi(5),
            vec![atc_inv(5)],
            cfgi(6),
            vec![[0x28 | 4 << 32, 0]],
            cfgi(7),
            vec![atc_inv(7)],
            vec![[0x28 | 3 << 32, 0]],
        ]
    );
    assert!(parent.invalidation(PAGE, 1).is_empty());
    let gone = parent.detach(&mut host, SID, &mut || panic!("it is gone"));
    assert_eq!(gone, Err(Errno::NoEntry));
}

#[test]
fn a_stream_stays_on_the_list_while_something_may_know_it() {
    let mut parent = NestParent::new();
    let mut stuck = Recorder {
        stuck_from: Some(0),
        ..Recorder::default()
    };
    let attached = parent.attach(&mut stuck, SID, Vmid(3), true, &mut |_| {});
    assert_eq!(attached, Err(Errno::TimedOut));
    assert_eq!(parent.invalidation(PAGE, 1).len(), 3, "its STE may be read");
    let unmapped = parent.unmap(&mut stuck, PAGE, 1, &mut || {});
    assert_eq!(unmapped, Err(Errno::TimedOut));
    // The ATC_INV of a stream that goes gets stuck.
    stuck.stuck_from = Some(1);
    let detached = parent.detach(&mut stuck, SID, &mut || {});
    assert_eq!(detached, Err(Errno::TimedOut));
    assert_eq!(parent.invalidation(PAGE, 1).len(), 3);
    // A device that does not answer.
    let scene = scene();
    let deaf = Devices::default();
    let unmapped = parent.unmap(&mut scene.host(&deaf), PAGE, 1, &mut || {});
    assert_eq!(unmapped, Err(Errno::TimedOut));
}

#[test]
fn a_vmid_is_clean_when_its_last_stream_has_gone() {
    let devices = devices();
    let (scene, mut parent) = attached(&devices);
    let mut running = Running {
        tbu: scene.guest.smmu.tbu_with(exact()).unwrap(),
        devices: &devices,
    };
    assert_eq!(running.saturate(), [true; 2]);
    let mut host = scene.host(&devices);
    for sid in [SID, OTHER] {
        parent
            .detach(&mut host, sid, &mut || {
                scene.guest.set_ste(sid, [1, 0, 0, 0, 0, 0, 0, 0])
            })
            .unwrap();
    }
    assert_eq!(running.saturate(), [false; 2]);
    assert!(running.tbu.caches().is_empty() && devices.0.values().all(Atc::is_empty));
}
