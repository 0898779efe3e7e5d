//! SYNC.

use super::*;

#[test]
fn sync_signals_by_msi_or_wire() {
    let mut guest = Guest::new(Features::all());
    let at = guest.area(64);
    guest.write(at, &[u64::MAX]);
    assert_eq!(
        guest.command([0x46 | 1 << 12 | 0xdead_beef << 32, at]),
        Stopped::Empty
    );
    assert_eq!(guest.read(at), 0xffff_ffff_dead_beef);
    // 4.7.3: the wire is asserted whatever the address is.
    assert!(guest.smmu.take_sync_signal());
    assert_eq!(guest.command(SYNC), Stopped::Empty);
    assert!(!guest.smmu.take_sync_signal());
    assert_eq!(guest.command([0x46 | 1 << 12, 0]), Stopped::Empty);
    assert!(guest.smmu.take_sync_signal() && !guest.smmu.take_sync_signal());
    assert_eq!(guest.command([0x46 | 1 << 12, 0x9000_0000]), Stopped::Empty);
    assert!(
        guest
            .smmu
            .gerror()
            .is_active(GlobalError::CommandQueueMsiAbort)
    );
}

/// 3.4.3, 4.7.3: MSIAddress is truncated to the OAS, once it is known not to be 0.
#[test]
fn an_msi_address_is_truncated_to_the_oas() {
    let mut guest = Guest::new(Features {
        oas: 44,
        ..Features::all()
    });
    let at = guest.area(64);
    let words = [0x46 | 1 << 12 | 0xdead_beef << 32, 1 << 48 | at];
    assert_eq!(guest.command(words), Stopped::Empty);
    assert_eq!(guest.read(at), 0xdead_beef);
}

#[test]
fn sync_waits_for_a_burst_that_may_use_what_was_invalidated() {
    sync_waits_behind([0x30, 0]);
}

/// A translated transaction may be under way, with an address that the device has only just been told to forget.
#[test]
fn sync_waits_for_a_burst_that_may_use_what_an_atc_held() {
    sync_waits_behind([0x40 | u64::from(SID.0) << 32, 52]);
}

fn sync_waits_behind(command: [u64; 2]) {
    let mut bench = bench();
    bench
        .guest
        .write(bench.guest.queue_base, &[command, SYNC].concat());
    let Guest { smmu, queue, .. } = &mut bench.guest;
    let mut tbu = smmu.tbu().unwrap();
    let mut idle = smmu.tbu().unwrap();
    let transaction = Transaction::new(SID, None, Iova(0x1000), READ);
    idle.burst().translate(&transaction).unwrap();
    let mut burst = tbu.burst();
    burst.translate(&transaction).unwrap();
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Waiting);
    assert_eq!(queue.cons(), 1);
    assert_eq!(smmu.consume(queue, &()), Stopped::Waiting);
    // The next transaction ends the last one's use.
    burst.translate(&transaction).unwrap();
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    // So does the end of the burst.
    drop(burst);
    assert_eq!(smmu.consume_all(queue, &()), Stopped::Empty);
}

/// More was published than the ring holds: what lies in it now is not what the reader missed.
#[test]
fn a_reader_that_was_overtaken_is_told_so() {
    let told = |published: u64| {
        let broadcast = engine::Broadcast::new(4, 1);
        let mut reader = broadcast.reader().unwrap();
        (0..published).for_each(|word| {
            broadcast.publish([word, 0]);
        });
        let mut told = Vec::new();
        reader.refresh(|message| told.push(message));
        told
    };
    let words = |word| engine::Message::Words([word, 0]);
    assert_eq!(told(3), [0, 1, 2].map(words));
    assert_eq!(told(5), [engine::Message::Lagged]);
}
