//! Arrays of commands: how they are cut, and what is said of those that fail.

use engine::Registers;
use engine::hypervisor::{BATCH, Contract, Errno, Invalidated, LARGEST};

use super::*;

/// TLBI_NH_VA of ASID 7, of no VMID that matters; the VA numbers it.
fn tlbi(va: u64) -> [u64; 2] {
    [0x12 | 7 << 48, va]
}
const NOBODY: [u64; 2] = [0x40 | 0x99 << 32, 52];
/// TG without NUM, SCALE or TTL: Arm IHI 0070, 4.4.1.1.
const ILLEGAL: [u64; 2] = [0x12 | 7 << 48, VA | 1 << 10];

fn ended(result: Result<(), Errno>, entry_num: usize) -> Invalidated {
    Invalidated { result, entry_num }
}

fn pages(count: u64) -> Vec<[u64; 2]> {
    (0..count).map(|page| tlbi(page << 12)).collect()
}

/// What was issued, as VAs' page numbers, and how it ended.
fn run(
    contract: Contract,
    stuck_from: Option<usize>,
    entries: &[[u64; 2]],
) -> (Vec<Vec<u64>>, Invalidated) {
    let mut host = Recorder {
        stuck_from,
        ..Recorder::default()
    };
    let ended = scene().viommu.invalidate(&mut host, contract, entries);
    let issued = host.batches.iter();
    let issued = issued.map(|batch| batch.iter().map(|[_, word1]| word1 >> 12).collect());
    (issued.collect(), ended)
}

fn numbers(from: u64, to: u64) -> Vec<u64> {
    (from..to).collect()
}

#[test]
fn arrays_are_cut_into_batches_of_63() {
    assert_eq!(BATCH, 63);
    for contract in [Contract::Linux, Contract::Exact] {
        let (issued, end) = run(contract, None, &pages(130));
        assert_eq!(
            issued,
            [numbers(0, 63), numbers(63, 126), numbers(126, 130)]
        );
        assert_eq!(end, ended(Ok(()), 130));
        let (issued, end) = run(contract, None, &pages(126));
        assert_eq!(issued, [numbers(0, 63), numbers(63, 126)]);
        assert_eq!(end, ended(Ok(()), 126));
    }
}

#[test]
fn a_refused_command_hides_those_before_it_in_linux() {
    let mut entries = pages(70);
    entries.push(NOBODY);
    entries.extend(pages(3));
    let (issued, end) = run(Contract::Linux, None, &entries);
    assert_eq!(end, ended(Err(Errno::Io), 70));
    assert_eq!(issued, [numbers(0, 63)], "63 to 69 count, and were not");
    let (issued, end) = run(Contract::Exact, None, &entries);
    assert_eq!(end, ended(Err(Errno::Io), 70));
    assert_eq!(issued, [numbers(0, 63), numbers(63, 70)]);
    // At the beginning of a batch nothing is hidden.
    for contract in [Contract::Linux, Contract::Exact] {
        assert_eq!(
            run(contract, None, &[NOBODY]),
            (vec![], ended(Err(Errno::Io), 0))
        );
    }
    // Issuing what came before may fail itself.
    let (_, end) = run(Contract::Exact, Some(1), &entries);
    assert_eq!(end, ended(Err(Errno::TimedOut), 63));
}

#[test]
fn a_batch_that_gets_stuck_counts_in_linux_but_for_one() {
    let stuck = |contract, nth, count| run(contract, Some(nth), &pages(count)).1;
    let timed_out = |entry_num| ended(Err(Errno::TimedOut), entry_num);
    assert_eq!(stuck(Contract::Linux, 1, 130), timed_out(125));
    assert_eq!(stuck(Contract::Exact, 1, 130), timed_out(63));
    assert_eq!(stuck(Contract::Linux, 0, 10), timed_out(9));
    assert_eq!(stuck(Contract::Exact, 0, 10), timed_out(0));
}

#[test]
fn arrays_of_no_size_and_of_too_large_a_size() {
    let end = |contract, entries: &[[u64; 2]]| run(contract, None, entries).1;
    assert_eq!(
        end(Contract::Linux, &[]),
        ended(Err(Errno::Invalid), 0),
        "not the probe that the documentation promises"
    );
    assert_eq!(end(Contract::Exact, &[]), ended(Ok(()), 0));
    let huge = vec![tlbi(0); LARGEST + 1];
    assert_eq!(
        end(Contract::Linux, &huge),
        ended(Err(Errno::NoMemory), LARGEST + 1)
    );
    assert_eq!(end(Contract::Exact, &huge), ended(Err(Errno::NoMemory), 0));
    assert_eq!(end(Contract::Linux, &huge[1..]), ended(Ok(()), LARGEST));
}

/// After VA was unmapped: the array, how it ended, and whether the device still gets there.
fn after_unmap(contract: Contract, entries: &[[u64; 2]]) -> (Invalidated, bool) {
    let mut scene = scene();
    scene.write_cd(0, Some(ASID));
    let slot = scene.slot(0);
    let devices = Devices::default();
    let mut host = scene.host(&devices);
    let mut tbu = scene.guest.smmu.tbu().unwrap();
    assert_eq!(reach(&mut tbu, None, VA), Some(PA));
    scene.guest.write(slot, &[0]);
    assert_eq!(reach(&mut tbu, None, VA), Some(PA), "cached");
    let end = scene.viommu.invalidate(&mut host, contract, entries);
    let stale = reach(&mut tbu, None, VA) == Some(PA);
    // Whatever happened, the queue still works for others.
    let last = scene
        .viommu
        .invalidate(&mut host, Contract::Exact, &[[0x30, 0]]);
    assert_eq!(last, ended(Ok(()), 1));
    assert_eq!(reach(&mut tbu, None, VA), None);
    (end, stale)
}

#[test]
fn a_guest_that_skips_the_refused_command_keeps_a_stale_translation() {
    let entries = [tlbi(VA), NOBODY];
    let refused = ended(Err(Errno::Io), 1);
    assert_eq!(after_unmap(Contract::Linux, &entries), (refused, true));
    assert_eq!(after_unmap(Contract::Exact, &entries), (refused, false));
}

#[test]
fn a_command_that_the_smmu_refuses_is_a_success_in_linux() {
    let only = [ILLEGAL];
    assert_eq!(
        after_unmap(Contract::Linux, &only),
        (ended(Ok(()), 1), true),
        "told that it was done"
    );
    assert_eq!(
        after_unmap(Contract::Exact, &only),
        (ended(Err(Errno::Io), 0), true)
    );
    // The others of its batch are performed.
    let between = [tlbi(0), ILLEGAL, tlbi(VA)];
    assert_eq!(
        after_unmap(Contract::Linux, &between),
        (ended(Ok(()), 3), false)
    );
    assert_eq!(
        after_unmap(Contract::Exact, &between),
        (ended(Err(Errno::Io), 1), false)
    );
}

#[test]
fn a_device_that_does_not_answer_is_a_success_in_linux() {
    // No device is plugged in.
    let entries = [tlbi(VA), [0x40 | 0x21 << 32, 52], tlbi(0)];
    assert_eq!(
        after_unmap(Contract::Linux, &entries),
        (ended(Ok(()), 3), false)
    );
    assert_eq!(
        after_unmap(Contract::Exact, &entries),
        (ended(Err(Errno::TimedOut), 1), false)
    );
}

#[test]
fn the_first_of_two_failures_is_told() {
    let deaf = [0x40 | 0x21 << 32, 52];
    let end = |entries: &[_]| after_unmap(Contract::Exact, entries).0;
    assert_eq!(
        end(&[tlbi(VA), deaf, ILLEGAL]),
        ended(Err(Errno::TimedOut), 1)
    );
    assert_eq!(end(&[tlbi(VA), ILLEGAL, deaf]), ended(Err(Errno::Io), 1));
}

#[test]
fn a_queue_that_is_off_gets_stuck() {
    for (contract, entry_num) in [(Contract::Linux, 1), (Contract::Exact, 0)] {
        let scene = scene();
        let mut host = scene.host(&());
        let on = scene.guest.smmu.registers();
        scene.guest.smmu.configure(Registers {
            cmdqen: false,
            ..on
        });
        let mut end = |entries: &[_]| scene.viommu.invalidate(&mut host, contract, entries);
        let stuck = ended(Err(Errno::TimedOut), entry_num);
        assert_eq!(end(&[ILLEGAL, tlbi(0)]), stuck);
        scene.guest.smmu.configure(on);
        // The illegal command still lies there, and is nobody's now.
        assert_eq!(end(&[tlbi(0), tlbi(0)]), ended(Ok(()), 2));
    }
}
