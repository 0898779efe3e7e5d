//! ATC_INV.

use super::*;

/// Remembers what it was asked; may not answer.
#[derive(Default)]
struct Device {
    asked: RefCell<Vec<AtcInvalidation>>,
    silent: bool,
}

impl Endpoints for Device {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        self.asked.borrow_mut().push(*invalidation);
        if self.silent { Err(TimedOut) } else { Ok(()) }
    }
}

#[test]
fn atc_inv_aligns_its_span_and_size_52_is_everything() {
    let mut guest = Guest::new(Features::all());
    let device = Device::default();
    let atc_inv = |flags: u64, rest: u64| [0x40 | flags | 5 << 32, rest];
    let commands = [
        atc_inv(0, 0x1234_5000),
        atc_inv(1 << 11 | 0xabcde << 12, 0x1234_5000 | 4),
        atc_inv(1 << 9 | 1 << 11 | 1 << 12, !0xfff | 52),
        atc_inv(1 << 9, !0xfff | 51),
    ];
    assert_eq!(guest.commands(&commands, &device), Stopped::Empty);
    let expected = |ssid: Option<u32>, global, address, span_bits| AtcInvalidation {
        sid: SID,
        ssid: ssid.map(SubstreamId),
        global,
        address: Iova(address),
        span_bits,
    };
    let asked = device.asked.into_inner();
    assert_eq!(
        asked,
        [
            expected(None, false, 0x1234_5000, 12),
            expected(Some(0xabcde), false, 0x1234_0000, 16),
            expected(Some(1), true, 0, 64),
            // Global means nothing without a PASID.
            expected(None, false, 1 << 63, 63),
        ]
    );
}

#[test]
fn atc_inv_is_ignored_while_the_smmu_is_off() {
    let mut guest = Guest::new(Features::all());
    guest.smmu.configure(engine::Registers {
        smmuen: false,
        ..guest.smmu.registers()
    });
    let device = Device::default();
    assert_eq!(
        guest.commands(&[[0x40 | 5 << 32, 52]], &device),
        Stopped::Empty
    );
    assert!(device.asked.into_inner().is_empty());
}

#[test]
fn cerror_atc_inv_sync_stops_at_the_sync() {
    let mut guest = Guest::new(Features::all());
    let device = Device {
        silent: true,
        ..Device::default()
    };
    let commands = [[0x40 | 5 << 32, 52], [0x30, 0], SYNC, [0x30, 0]];
    let error = CommandError::AtcInvSync;
    assert_eq!(guest.commands(&commands, &device), Stopped::Error(error));
    assert_eq!(guest.queue.cons(), 2 | 3 << 24);
    assert!(guest.smmu.gerror().is_active(GlobalError::CommandQueue));
    // Stuck until software acknowledges; then the SYNC is tried again, and completes.
    assert_eq!(
        guest.smmu.consume(&mut guest.queue, &device),
        Stopped::Error(error)
    );
    guest.smmu.acknowledge(guest.smmu.gerror().gerror());
    assert_eq!(
        guest.smmu.consume(&mut guest.queue, &device),
        Stopped::Empty
    );
    assert_eq!(guest.queue.cons() & 0xff, 4);
}
