//! A guest's STE, and the physical one.

use engine::hypervisor::{Errno, Viommu, VirtualSte};
use engine::layout::{Config, Ste};
use engine::{Outcome, StreamId};

use super::*;

/// What Linux writes for a stage-2 parent, with EATS as if the device used it for itself.
const PARENT: [u64; 8] = [
    0xd,
    1 << 44 | 1 << 28,
    0x0405_3594_0000_0003,
    0x4_8765_4000,
    0,
    0,
    0,
    0,
];

fn viommu() -> Viommu {
    let mut viommu = Viommu::new(Ste::from_words(PARENT)).unwrap();
    viommu.devices.add(VSID, SID).unwrap();
    viommu
}

fn physical(vste: [u64; 2], device_ats: bool) -> [u64; 8] {
    let vste = VirtualSte::validate(vste).unwrap();
    viommu().attach(SID, &vste, device_ats).unwrap().words()
}

#[test]
fn bits_outside_the_allowed_fields_are_refused() {
    const ALLOWED: [u64; 2] = [0xf80f_ffff_ffff_ffff, 0x3800_00ff];
    for (word, bit) in (0..2).flat_map(|word| (0..64).map(move |bit| (word, bit))) {
        let mut vste = [0xb, 0];
        vste[word] ^= 1 << bit;
        let allowed = ALLOWED[word] >> bit & 1 == 1;
        // Bits 3:1 of word 0 change Config, and bit 29 of word 1 makes EATS 2: tested as numbers below.
        if (word == 0 && (1..4).contains(&bit)) || (word, bit) == (1, 29) {
            continue;
        }
        let accepted = VirtualSte::validate(vste);
        assert_eq!(accepted.is_ok(), allowed, "word {word} bit {bit}");
        if !allowed {
            assert_eq!(accepted, Err(Errno::Io));
            vste[0] &= !1;
            let invalid = VirtualSte::validate(vste).expect("V = 0 makes all of it irrelevant");
            assert_eq!((invalid.config(), invalid.ats()), (Config::Abort, false));
        }
    }
}

#[test]
fn configurations_and_eats_by_number() {
    let accepted = |vste| VirtualSte::validate(vste).is_ok();
    let configs: Vec<_> = (0..8)
        .map(|config| accepted([1 | config << 1, 0]))
        .collect();
    assert_eq!(
        configs,
        [true, false, false, false, true, true, false, false]
    );
    let eats: Vec<_> = (0..4).map(|eats| accepted([0xb, eats << 28])).collect();
    assert_eq!(eats, [true, true, false, false]);
}

#[test]
fn a_translating_vste_is_merged_into_the_parent() {
    let vste = [
        1 | 5 << 1 | 1 << 4 | 0x8_9abc_d000 | 10 << 59,
        2 | 1 << 2 | 1 << 4 | 3 << 6 | 1 << 27 | 1 << 28,
    ];
    let expected = |eats: u64| {
        [
            1 | 7 << 1 | 1 << 4 | 0x8_9abc_d000 | 10 << 59,
            2 | 1 << 2 | 1 << 4 | 3 << 6 | 1 << 19 | 1 << 27 | eats << 28 | 1 << 44,
            PARENT[2],
            PARENT[3],
            0,
            0,
            0,
            0,
        ]
    };
    assert_eq!(physical(vste, true), expected(1));
    assert_eq!(physical(vste, false), expected(0), "the device cannot");
    let without = [vste[0], vste[1] & !(1 << 28)];
    assert_eq!(physical(without, true), expected(0), "the guest does not");
}

#[test]
fn bypass_is_the_parent_and_abort_is_abort() {
    let bypass = [0xd, 1 << 44, PARENT[2], PARENT[3], 0, 0, 0, 0];
    assert_eq!(physical([1 | 4 << 1, 1 << 28], true), bypass);
    let abort = [1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(physical([1, 0], true), abort);
    assert_eq!(physical([0, 0], true), abort);
    assert_eq!(physical([0xa, u64::MAX], true), abort, "V = 0");
}

#[test]
fn only_what_translates_needs_a_vdevice() {
    let attach = |vste| viommu().attach(StreamId(6), &VirtualSte::validate(vste).unwrap(), true);
    assert_eq!(attach([0xb, 0]), Err(Errno::NoEntry));
    assert!(attach([1, 0]).is_ok() && attach([9, 0]).is_ok() && attach([0, 0]).is_ok());
}

#[test]
fn parents_translate_stage_2_alone() {
    for word0 in [0, 0xc, 1, 9, 0xb, 0xf] {
        let mut words = PARENT;
        words[0] = word0;
        let refused = Viommu::new(Ste::from_words(words)).err();
        assert_eq!(refused, Some(Errno::Invalid), "{word0:#x}");
    }
}

#[test]
fn vdevices_have_one_number_each() {
    let mut devices = viommu().devices;
    assert_eq!(devices.add(VSID, StreamId(6)), Err(Errno::Exists));
    assert_eq!(devices.add(StreamId(0x22), SID), Err(Errno::Exists));
    assert_eq!(devices.add(StreamId(0x22), StreamId(6)), Ok(()));
    assert_eq!(devices.physical(StreamId(0x22)), Ok(StreamId(6)));
    assert_eq!(devices.physical(StreamId(6)), Err(Errno::Io));
    assert_eq!(devices.remove(VSID), Ok(()));
    assert_eq!(devices.remove(VSID), Err(Errno::NoEntry));
    assert_eq!(devices.physical(VSID), Err(Errno::Io));
    assert_eq!(devices.add(StreamId(0x23), SID), Ok(()));
}

#[test]
fn a_device_does_what_the_vste_says() {
    let scene = scene();
    scene.write_cd(0, Some(ASID));
    let attach = |vste| {
        let vste = VirtualSte::validate(vste).unwrap();
        let ste = scene.viommu.attach(SID, &vste, true).unwrap();
        scene.guest.set_ste(SID, ste.words());
    };
    let there = |address| {
        scene
            .guest
            .access(None, address, READ)
            .map(|translation| translation.pa.0)
            .map_err(|refusal| (refusal.outcome, refusal.event.is_some()))
    };
    assert_eq!(there(VA + 8), Ok(PA + 8));
    attach([9, 0]);
    assert_eq!(there(IPA + 8), Ok(PA + 8), "the guest's physical addresses");
    assert_eq!(there(VA).map_err(|(_, event)| event), Err(true));
    // Neither an abort nor an invalid STE tells anybody: C_BAD_STE does not occur.
    for vste in [[1, 0], [0, 0]] {
        attach(vste);
        assert_eq!(there(IPA), Err((Outcome::Abort, false)));
    }
    attach(scene.vste);
    assert_eq!(there(VA), Ok(PA));
}
