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

#[test]
fn an_enhanced_queue_has_errors_of_its_own() {
    let mut guest = Guest::new(Features::all());
    let base = guest.area(16 << 4);
    guest.write(base, &[0xff, 0]);
    let mut queue = CommandQueue::enhanced(base, 4);
    queue.set_prod(1);
    assert_eq!(
        guest.smmu.consume(&mut queue, &()),
        Stopped::Error(CommandError::Ill)
    );
    assert_eq!(queue.cons(), 1 << 24 | 1 << 23);
    assert!(!guest.smmu.gerror().is_active(GlobalError::CommandQueue));
    // The main queue goes on.
    assert_eq!(guest.command(SYNC), Stopped::Empty);
    guest.write(base, &SYNC);
    queue.set_prod(1 | 1 << 23);
    assert_eq!(guest.smmu.consume(&mut queue, &()), Stopped::Empty);
}

#[test]
fn what_the_implementation_lacks_is_illegal() {
    let all = Features::all();
    for (features, op) in [
        (Features { s1p: false, ..all }, 0x10),
        (Features { s1p: false, ..all }, 0x13),
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
