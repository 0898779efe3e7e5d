//! The queue, and commands that are illegal.

use super::*;

#[test]
fn cerror_ill_stops_at_the_command_and_software_may_replace_it() {
    let mut guest = Guest::new(Features::all());
    let commands = [SYNC, [0x30, 0], [0xff, 0], SYNC];
    assert_eq!(
        guest.commands(&commands, &()),
        Stopped::Error(CommandError::Ill)
    );
    assert_eq!(guest.queue.cons(), 2 | 1 << 24);
    assert_eq!(guest.smmu.gerror().gerror(), 1);
    guest.write(guest.queue_base + 2 * 16, &SYNC);
    guest.smmu.acknowledge(1);
    assert_eq!(guest.smmu.consume(&mut guest.queue, &()), Stopped::Empty);
    assert_eq!(guest.queue.cons() & 0xff, 4);
    // The next error toggles the bit back.
    assert_eq!(guest.command([0, 0]), Stopped::Error(CommandError::Ill));
    assert_eq!(
        (guest.smmu.gerror().gerror(), guest.smmu.gerror().gerrorn()),
        (0, 1)
    );
}

#[test]
fn cerror_abt_when_the_queue_cannot_be_read() {
    let guest = Guest::new(Features::all());
    let mut queue = CommandQueue::new(0x9000_0000, 4);
    queue.set_prod(1);
    assert_eq!(
        guest.smmu.consume(&mut queue, &()),
        Stopped::Error(CommandError::Abt)
    );
    assert_eq!(queue.cons(), 2 << 24);
}

/// 3.5.6: EN of its own, whatever SMMU_CR0.CMDQEN is; errors in its own registers, and GERROR.CMDQP_ERR, which stops nothing.
#[test]
fn an_enhanced_queue_has_enables_and_errors_of_its_own() {
    const EN: u32 = 1 << 31;
    let mut guest = Guest::new(Features::all());
    let base = guest.area(16 << 4);
    guest.write(base, &[0xff, 0]);
    let mut queue = CommandQueue::enhanced(base, 4);
    queue.set_prod(1);
    assert_eq!(guest.smmu.consume(&mut queue, &()), Stopped::Disabled);
    queue.set_prod(1 | EN);
    assert_eq!(
        guest.smmu.consume(&mut queue, &()),
        Stopped::Error(CommandError::Ill)
    );
    assert_eq!(queue.cons(), 1 << 24 | 1 << 23 | EN);
    assert_eq!(guest.smmu.gerror().gerror(), 1 << 9);
    // The main queue goes on.
    assert_eq!(guest.command(SYNC), Stopped::Empty);
    guest.write(base, &SYNC);
    queue.set_prod(1 | 1 << 23 | EN);
    guest.smmu.configure(engine::Registers {
        cmdqen: false,
        ..guest.smmu.registers()
    });
    assert_eq!(guest.smmu.consume(&mut queue, &()), Stopped::Empty);
    assert_eq!(guest.command(SYNC), Stopped::Disabled);
}

/// 4.4.1.1: TG that comes with no range and no level is reserved; without RIL all of these fields are, and ignored (4.1.5).
#[test]
fn a_range_hint_that_selects_nothing_is_illegal_where_there_are_ranges() {
    for ril in [false, true] {
        for (words, legal) in [
            ([0x12, 1 << 10], false),
            ([0x13, 3 << 10], false),
            ([0x2a, 2 << 10 | 1 << 8], false), // level 1 of 16 KiB counts as none
            ([0x12, 1 << 10 | 3 << 8], true),
            ([0x12 | 1 << 12, 1 << 10], true),
            ([0x12 | 1 << 12, 0], true),
        ] {
            let mut guest = Guest::new(Features {
                ril,
                ..Features::all()
            });
            let expected = match legal || !ril {
                true => Stopped::Empty,
                false => Stopped::Error(CommandError::Ill),
            };
            assert_eq!(guest.command(words), expected, "{words:x?}");
        }
    }
}

#[test]
fn what_the_implementation_lacks_is_illegal() {
    let all = Features::all();
    for (features, op) in [
        (Features { s1p: false, ..all }, 0x10),
        (Features { s1p: false, ..all }, 0x13),
        (Features { s1p: false, ..all }, 0x05),
        (Features { s1p: false, ..all }, 0x06),
        (Features { s2p: false, ..all }, 0x28),
        (Features { s2p: false, ..all }, 0x2a),
        (Features { ats: false, ..all }, 0x40),
        (all, 0x41), // no PRI
        (
            Features {
                stall_model: StallModel::TerminateOnly,
                ..all
            },
            0x44,
        ),
        (
            Features {
                stall_model: StallModel::TerminateOnly,
                ..all
            },
            0x45,
        ),
    ] {
        let mut guest = Guest::new(features);
        assert_eq!(
            guest.command([op, 0]),
            Stopped::Error(CommandError::Ill),
            "{op:x}"
        );
    }
    let mut guest = Guest::new(Features { pri: true, ..all });
    assert_eq!(guest.command([0x41, 0]), Stopped::Empty);
}

#[test]
fn indices_wrap() {
    let mut guest = Guest::new(Features::all());
    for round in 1..=50u32 {
        assert_eq!(
            guest.commands(&[SYNC, [0x30, 0], SYNC], &()),
            Stopped::Empty
        );
        assert_eq!(guest.queue.cons(), round * 3 % 32);
    }
    guest.smmu.configure(engine::Registers {
        cmdqen: false,
        ..guest.smmu.registers()
    });
    assert_eq!(guest.command(SYNC), Stopped::Disabled);
}
