//! Which commands are accepted, and what becomes of each bit.

use engine::StreamId;
use engine::hypervisor::Errno;

use super::*;

/// Every bit that may be anything, so that what is lost is seen.
const ONES: u64 = !0xff;

#[test]
fn every_opcode() {
    let Scene { viommu, .. } = scene();
    let named = |op: u64| op | ONES & 0xffff_ffff | u64::from(VSID.0) << 32;
    let renamed = |op: u64| op | ONES & 0xffff_ffff | u64::from(SID.0) << 32;
    for op in 0..=0xff {
        let (word0, expected) = match op {
            0x30 => (op | ONES, Ok([0x10 | 3 << 32, 0])),
            0x10..=0x13 => (
                op | ONES,
                Ok([op | ONES & !(0xffff << 32) | 3 << 32, u64::MAX]),
            ),
            0x05 | 0x06 | 0x40 => (named(op), Ok([renamed(op), u64::MAX])),
            // SYNC, CFGI_STE, RESUME, PRI_RESP, TLBI of EL2, EL3 and stage 2, and everything that does not exist.
            _ => (named(op), Err(Errno::Io)),
        };
        assert_eq!(
            viommu.convert([word0, u64::MAX]),
            expected,
            "opcode {op:#04x}"
        );
    }
}

#[test]
fn streams_of_others_are_refused() {
    let Scene { mut viommu, .. } = scene();
    let name = |sid: u32| [0x05 | 1 << 12 | u64::from(sid) << 32, 1];
    // The device's physical StreamID is not the guest's to use.
    assert_eq!(viommu.convert(name(SID.0)), Err(Errno::Io));
    assert_eq!(viommu.convert(name(VSID.0)), Ok(name(SID.0)));
    viommu.devices.add(SID, StreamId(6)).unwrap();
    assert_eq!(viommu.convert(name(SID.0)), Ok(name(6)));
    viommu.devices.remove(VSID).unwrap();
    assert_eq!(viommu.convert(name(VSID.0)), Err(Errno::Io));
}
