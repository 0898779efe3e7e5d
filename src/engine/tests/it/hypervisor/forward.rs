//! A VMM that consumes a guest's queue.

use engine::hypervisor::{Consumed, Contract, Errno, Forwarder, Forwarding};

use super::*;

const SYNC: [u64; 2] = [0x46, 0];
const TLBI: [u64; 2] = [0x12 | 7 << 48, VA];
/// For EL2: not a guest's.
const FORBIDDEN: [u64; 2] = [0x20, 0];

fn atc_inv(sid: StreamId) -> [u64; 2] {
    [0x40 | u64::from(sid.0) << 32, 52]
}

fn forwarder(forwarding: Forwarding, contract: Contract) -> Forwarder {
    let mut forwarder = Forwarder::new(scene().viommu, forwarding, contract);
    forwarder.translates(VSID, true);
    forwarder
}

fn opcodes(host: &Recorder) -> Vec<Vec<u64>> {
    let batches = host.batches.iter();
    let opcodes = batches.map(|batch| batch.iter().map(|[word0, _]| word0 & 0xff).collect());
    opcodes.collect()
}

#[test]
fn the_guests_sync_ends_an_array() {
    let commands = [TLBI, TLBI, SYNC, atc_inv(VSID), SYNC, SYNC, TLBI];
    for (forwarding, expected, ioctls) in [
        (
            Forwarding::UntilSync,
            vec![vec![0x12, 0x12], vec![0x40], vec![0x12]],
            3,
        ),
        (
            Forwarding::EachCommand,
            vec![vec![0x12], vec![0x12], vec![0x40], vec![0x12]],
            4,
        ),
    ] {
        let mut host = Recorder::default();
        let mut vmm = forwarder(forwarding, Contract::Linux);
        assert_eq!(vmm.consume(&mut host, &commands), Consumed::All);
        assert_eq!(opcodes(&host), expected);
        assert_eq!(vmm.ioctls(), ioctls);
    }
}

#[test]
fn commands_about_contexts_wait_for_their_stream() {
    // Linux writes the CD and CFGI_CD, then the STE and CFGI_STE; there is no vDEVICE before.
    let new = StreamId(0x22);
    let cfgi_cd = [0x05 | 1 << 11 | 0x22 << 32, 1];
    let commands = [cfgi_cd, atc_inv(new), SYNC, [0x03 | 0x22 << 32, 1], SYNC];
    let mut host = Recorder::default();
    let mut vmm = forwarder(Forwarding::UntilSync, Contract::Exact);
    let consumed = vmm.consume(&mut host, &commands);
    assert_eq!(consumed, Consumed::Configuration { cons: 3 });
    assert_eq!(host.batches.len(), 0);
    vmm.viommu.devices.add(new, StreamId(6)).unwrap();
    vmm.translates(new, true);
    assert_eq!(vmm.consume(&mut host, &commands[4..]), Consumed::All);
    assert_eq!(vmm.consume(&mut host, &commands[..1]), Consumed::All);
    assert_eq!(host.batches, [[[0x05 | 1 << 11 | 6 << 32, 1]]]);
    vmm.translates(new, false);
    assert_eq!(vmm.consume(&mut host, &commands[..1]), Consumed::All);
    assert_eq!(host.batches.len(), 1);
}

#[test]
fn refusals_are_told_at_their_place_in_the_queue() {
    let dropped = atc_inv(StreamId(0x99));
    let commands = [TLBI, SYNC, dropped, TLBI, dropped, FORBIDDEN, TLBI];
    for forwarding in [Forwarding::EachCommand, Forwarding::UntilSync] {
        let mut host = Recorder::default();
        let mut vmm = forwarder(forwarding, Contract::Exact);
        let refused = Consumed::Refused {
            cons: 5,
            errno: Errno::Io,
        };
        assert_eq!(vmm.consume(&mut host, &commands), refused);
        assert_eq!(opcodes(&host), [[0x12], [0x12]]);
    }
    // CFGI_ALL, and hints.
    let mut vmm = forwarder(Forwarding::UntilSync, Contract::Exact);
    let consumed = vmm.consume(
        &mut Recorder::default(),
        &[[0x01, 0], [0x02, 0], [0x04, 31]],
    );
    assert_eq!(consumed, Consumed::Configuration { cons: 2 });
}

#[test]
fn a_guest_that_goes_on_behind_the_error() {
    // (contract, how many at a time) -> does the device still reach what was unmapped?
    for (contract, forwarding, expected) in [
        (Contract::Linux, Forwarding::UntilSync, Some(PA)),
        (Contract::Linux, Forwarding::EachCommand, None),
        (Contract::Exact, Forwarding::UntilSync, None),
        (Contract::Exact, Forwarding::EachCommand, None),
    ] {
        let mut scene = scene();
        scene.write_cd(0, Some(ASID));
        let leaf = scene.slot(0);
        let mut host = scene.host(&());
        let mut tbu = scene.guest.smmu.tbu().unwrap();
        let mut vmm = Forwarder::new(scene.viommu.clone(), forwarding, contract);
        assert_eq!(reach(&mut tbu, None, VA), Some(PA));
        scene.guest.write(leaf, &[0]);
        let commands = [TLBI, FORBIDDEN, SYNC];
        let refused = Consumed::Refused {
            cons: 1,
            errno: Errno::Io,
        };
        assert_eq!(vmm.consume(&mut host, &commands), refused);
        assert_eq!(vmm.consume(&mut host, &commands[2..]), Consumed::All);
        let reached = reach(&mut tbu, None, VA);
        assert_eq!(reached, expected, "{contract:?}, {forwarding:?}");
    }
}
