//! Events of a guest's devices reach the guest, and only those.

use engine::hypervisor::{Vdevices, VirtualEvent, VirtualEvents};
use engine::layout::Event;
use engine::{Access, StreamId};

use super::*;

fn devices_of_guest() -> Vdevices {
    let mut devices = Vdevices::default();
    devices.add(VSID, SID).unwrap();
    devices
}

#[test]
fn a_guest_hears_of_its_own_faults_under_its_own_streamid() {
    let mut scene = scene();
    scene.write_cd(1, Some(ASID));
    let mut queue = VirtualEvents::new(8);
    let tell = |scene: &mut Scene, queue: &mut VirtualEvents, ssid, va, access: Access| {
        scene.guest.access(ssid, va, access).unwrap_err();
        let [record] = scene.guest.new_events()[..] else {
            panic!("one access, one event");
        };
        let told = queue.report(&scene.viommu.devices, &Event::from_words(record));
        (told, record)
    };
    // Stage 1: unmapped. The record is the guest's but for the StreamID.
    let (told, record) = tell(&mut scene, &mut queue, Some(1), 0x1234, READ);
    assert!(told);
    let entry = queue.read().unwrap();
    let words = entry.record.unwrap().words();
    assert_eq!(words[0] >> 32, u64::from(VSID.0));
    assert_eq!(
        (words[0] & 0xffff_ffff, &words[1..]),
        (record[0] & 0xffff_ffff, &record[1..])
    );
    // C_BAD_CD.
    let (told, _) = tell(&mut scene, &mut queue, None, VA, READ);
    assert!(told);
    assert_eq!(queue.read().unwrap().sequence, 1);
    // Stage 2's: the host's business, also where a walk of stage 1 meets it.
    let slot = scene.slot(0);
    scene.guest.write(slot, &[0xf000_0000 | S1_RW | 3]);
    let (told, _) = tell(&mut scene, &mut queue, Some(1), VA, READ);
    assert!(!told && queue.read().is_none());
}

#[test]
fn what_is_not_the_guests_is_not_told() {
    let devices = devices_of_guest();
    let mut queue = VirtualEvents::new(4);
    let with_id = |id: u64| Event::from_words(event(id, 0, 0, 0));
    for id in 0..=0xff {
        let told = queue.report(&devices, &with_id(id));
        let kinds = [0x04, 0x06, 0x08, 0x0a, 0x10, 0x11, 0x12, 0x13];
        assert_eq!(told, kinds.contains(&id), "{id:x}");
        assert_eq!(queue.read().is_some(), told);
    }
    let mut of_another = with_id(0x10);
    of_another.word0.set_streamid(6);
    let mut stalled = with_id(0x10);
    stalled.word1.set_stall(true);
    assert!(!queue.report(&devices, &of_another) && !queue.report(&devices, &stalled));
    assert_eq!(queue.read(), None);
    assert_eq!(devices.virtual_of(StreamId(6)), None);
}

#[test]
fn what_is_lost_is_marked() {
    let devices = devices_of_guest();
    let mut queue = VirtualEvents::new(2);
    let report = |queue: &mut VirtualEvents, count: u64| {
        for address in 0..count {
            assert!(queue.report(&devices, &Event::from_words(event(0x10, 0, address, 0))));
        }
    };
    let told = |queue: &mut VirtualEvents| {
        std::iter::from_fn(|| queue.read())
            .map(|VirtualEvent { sequence, record }| (sequence, record.is_some()))
            .collect::<Vec<_>>()
    };
    report(&mut queue, 5);
    assert_eq!(told(&mut queue), [(0, true), (1, true), (4, false)]);
    // Behind a mark that was read, numbers go on; a mark that was not read gives way to the next event's number.
    report(&mut queue, 3);
    assert_eq!(queue.read().map(|entry| entry.sequence), Some(5));
    report(&mut queue, 1);
    assert_eq!(told(&mut queue), [(6, true), (8, true)]);
}
