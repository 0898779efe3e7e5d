//! An array that cannot be copied: nothing of it is looked at, and the count says that all of it was handled.

use std::path::Path;

use engine::hypervisor::{Consumed, Contract, Errno, Forwarder, Forwarding, LARGEST};
use model::OpKind;
use nestcheck::cost::Point;
use nestcheck::cost::situation::{self, measured, preparation};
use nestcheck::lockstep::board;
use vocab::{Command, Slot};

use super::super::hypervisor::{Devices, Faults, Hypervisor};
use super::super::programs::{Fault, Programs, Told};
use super::native;
use crate::runs;

/// An unmap whose second array, the ATC_INVs', is not copied, by a spec.
fn told(path: &str) -> Told {
    let spec = runs::read(Path::new(path));
    let point = Point { k: 1, n: 1 };
    let machine = situation::machine(&spec, point).expect("there is room");
    let smmu = board::smmu();
    let mut programs = Programs::new(&machine, &smmu);
    for before in preparation(OpKind::Unmap, point) {
        programs.perform(before).expect("nothing fails yet");
    }
    let unmap = measured(OpKind::Unmap, point);
    let told = programs.perform_with(unmap, &[1]);
    let told = told.expect("an unmap can be performed");
    let (fault, behind) = told.fault.expect("a call may fail");
    assert_eq!(fault, Fault::Failure);
    // The store, the TLBI and its CMD_SYNC are in front of it, and nothing is behind.
    assert_eq!((behind, told.done.acts.len()), (3, 3), "{path}");
    told
}

#[test]
fn a_count_that_was_not_written_is_believed_by_the_bug_alone() {
    let right = told("specs/corpus/fixed/array-not-copied.toml");
    let bug = told("specs/corpus/b30-count-not-written.toml");
    assert_eq!((right.done.succeeded, right.is_lie), (false, false));
    assert_eq!((bug.done.succeeded, bug.is_lie), (true, true));

    let spec = runs::read(Path::new("specs/corpus/fixed/array-not-copied.toml"));
    let machine = situation::machine(&spec, Point { k: 1, n: 1 }).expect("there is room");
    let smmu = board::smmu();
    let devices = Devices::new(&smmu);
    for (contract, count) in [(Contract::Exact, 0), (Contract::Linux, LARGEST + 1)] {
        let mut hypervisor = Hypervisor::new(&machine, &smmu, &devices, native(contract));
        let command = hypervisor.guests(Command::CfgiCd(Slot(0)));
        let entries = vec![command; LARGEST + 1];
        let (failed, acts) = hypervisor.ioctl(contract, &entries, Faults::default());
        assert_eq!(failed.result, Err(Errno::NoMemory));
        assert_eq!(failed.entry_num, count, "{contract:?}");
        assert!(acts.is_empty());
        // A VMM that believes the count moves CONS by it, and tells the guest of success where nothing is left.
        let believed = failed.entry_num == entries.len();
        let spec = if believed { &bug } else { &right };
        assert_eq!(believed, spec.done.succeeded);
        println!("{contract:?}: ENOMEM, entry_num {count}; believed, it says {believed}");
        // The engine's VMM does not, as OpenVMM does not: the guest is told at the first.
        let mut forwarder =
            Forwarder::new(hypervisor.viommu().clone(), Forwarding::UntilSync, contract);
        forwarder.translates(hypervisor.vsid(), true);
        let refused = Consumed::Refused {
            cons: 0,
            errno: Errno::NoMemory,
        };
        let consumed = hypervisor.consume(&mut forwarder, &entries);
        assert_eq!(consumed, (refused, Vec::new()));
    }
}
