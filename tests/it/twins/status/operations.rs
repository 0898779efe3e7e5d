//! Whole operations that fail: what the driver is told.

use std::path::Path;

use engine::hypervisor::{Contract, Errno};
use model::OpKind;
use nestcheck::cost::Point;
use nestcheck::cost::alone::Operation;
use nestcheck::cost::situation::{self, measured, preparation};
use nestcheck::lockstep::board;
use nestcheck::spec::Spec;

use super::super::act::{Act, settled};
use super::super::hypervisor::{Devices, Faults, Kind, Way};
use super::super::operations::Pair;
use super::super::programs::{Done, Fault, Told};
use super::super::table::twin;
use super::native;
use crate::runs;

/// What guests do.
const KINDS: [OpKind; 5] = [
    OpKind::Unmap,
    OpKind::Bind,
    OpKind::Unbind,
    OpKind::Replace,
    OpKind::Exit,
];

/// An operation in which one thing has failed, on either side.
struct Failure {
    operation: Operation,
    point: Point,
    fault: Fault,
    spec: Told,
    twin: Done,
    errno: Result<(), Errno>,
    /// Whether an access afterwards meets what should be gone.
    is_stale: bool,
}

impl Failure {
    /// The twin's acts without those that a spec cannot have. A kernel that looks at the queue behind each command of an array, as the
    /// spec has it, knows that one is illegal before the next is issued; a kernel that puts an array into the queue at once, as Linux and
    /// the twin do, does not, and what is behind it is performed (Arm IHI 0070, 4.1: the SMMU stops there, and goes on when told to).
    fn acts(&self) -> &[Act] {
        let acts = &self.twin.acts;
        if self.fault != Fault::Illegal || self.spec.done.succeeded {
            return acts;
        }
        let end = self.spec.done.acts.len().min(acts.len());
        let (spec, more) = acts.split_at(end);
        match more.split_last() {
            Some((Act::Sync { answered: true }, rest))
                if rest.iter().all(|act| matches!(act, Act::Command(_))) =>
            {
                spec
            }
            _ => acts,
        }
    }

    fn is_the_same(&self) -> bool {
        self.acts() == self.spec.done.acts && self.is_told_the_same()
    }

    fn is_told_the_same(&self) -> bool {
        self.twin.succeeded == self.spec.done.succeeded
    }

    fn tell(&self) -> String {
        let told = |succeeded| if succeeded { "done" } else { "failed" };
        let (Operation { kind, args }, Point { k, n }) = (self.operation, self.point);
        format!(
            "{}{args:?} at k={k} n={n}, {:?}: spec {}, twin {} ({:?}){}",
            kind.name(),
            self.fault,
            told(self.spec.done.succeeded),
            told(self.twin.succeeded),
            self.errno,
            if self.spec.is_lie { "; a lie" } else { "" },
        )
    }
}

/// Everything that may fail, once at each place.
fn failures(path: &str, kind: Kind) -> Vec<Failure> {
    let spec: Spec = runs::read(Path::new(path));
    let points = (1..=2).flat_map(|k| (1..=2).map(move |n| Point { k, n }));
    let mut failures = Vec::new();
    for (point, operation) in points.flat_map(|point| KINDS.map(|kind| (point, kind))) {
        let machine = situation::machine(&spec, point).expect("there is room");
        for nth in 0.. {
            let twin = twin("", kind);
            let smmus = [board::smmu(), board::smmu()];
            let devices = Devices::new(&smmus[1]);
            let mut pair = Pair::new(&machine, &twin, &smmus, &devices);
            for before in preparation(operation, point) {
                pair.both(before)
                    .unwrap_or_else(|what| panic!("{path}: {what}"));
            }
            let operation = measured(operation, point);
            pair.hypervisor.accesses();
            let told = pair.programs.perform_with(operation, &[nth]);
            let mut told = told.unwrap_or_else(|what| panic!("{path}: {what}"));
            let Some((fault, _)) = told.fault else {
                break;
            };
            told.done.acts = settled(&machine, told.done.acts);
            let faults = match fault {
                Fault::Illegal => Faults {
                    illegal: Some(nth),
                    ..Faults::default()
                },
                Fault::Unanswered => Faults {
                    unanswered: Some(nth),
                    ..Faults::default()
                },
                Fault::Failure => panic!("{path}: no conversion fails here"),
            };
            let alter = &mut |batch| vec![batch];
            let way = Way { faults, alter };
            let (mut done, errno) = pair.hypervisor.perform_with(operation, way);
            done.acts = settled(&machine, done.acts);
            failures.push(Failure {
                operation,
                point,
                fault,
                spec: told,
                twin: done,
                errno,
                is_stale: !pair.hypervisor.stale().is_empty(),
            });
        }
    }
    failures
}

/// What says the same: the correct version and `Exact`, the bug and `Linux`.
const SAME: [(&str, Kind, Errno); 6] = [
    (
        "specs/corpus/fixed/fan-out-reported.toml",
        Kind::StrongAsid,
        Errno::TimedOut,
    ),
    (
        "specs/corpus/fixed/illegal-reported.toml",
        native(Contract::Exact),
        Errno::Io,
    ),
    (
        "specs/corpus/b29-illegal-swallowed.toml",
        native(Contract::Linux),
        Errno::Io,
    ),
    (
        "tests/twins/unanswered-reported.toml",
        native(Contract::Exact),
        Errno::TimedOut,
    ),
    (
        "tests/twins/unanswered-swallowed.toml",
        native(Contract::Linux),
        Errno::TimedOut,
    ),
    (
        "tests/twins/per-hwpt-reported.toml",
        Kind::PerHwpt,
        Errno::TimedOut,
    ),
];

#[test]
fn a_driver_is_told_what_the_spec_says() {
    for (path, kind, errno) in SAME {
        let failures = failures(path, kind);
        let (mut lies, mut stale) = (0, 0);
        for failure in &failures {
            println!("{path} and {kind:?}: {}", failure.tell());
            assert!(
                failure.is_the_same(),
                "{path} and {kind:?}: {}\n{:x?}\n{:x?}",
                failure.tell(),
                failure.spec.done.acts,
                failure.twin.acts
            );
            if failure.twin.succeeded {
                assert!(failure.spec.is_lie || !failure.is_stale, "not done");
                lies += usize::from(failure.spec.is_lie);
                stale += usize::from(failure.is_stale);
            } else {
                assert_eq!(failure.errno, Err(errno));
            }
        }
        println!(
            "{path} and {kind:?}: {} failures, {lies} lies, {stale} of them met by a device",
            failures.len()
        );
        assert!(!failures.is_empty(), "{path}: nothing fails");
        let is_bug = kind == native(Contract::Linux);
        assert_eq!(is_bug, lies > 0 && stale > 0, "{path}: {lies}, {stale}");
    }
}

/// Where a bug's spec and `Exact` differ, or a correct one and `Linux`, it is in what is told; and there is such a place.
#[test]
fn a_bug_and_its_correct_version_are_told_apart() {
    for (path, kind) in [
        (
            "specs/corpus/fixed/illegal-reported.toml",
            native(Contract::Linux),
        ),
        (
            "specs/corpus/b29-illegal-swallowed.toml",
            native(Contract::Exact),
        ),
        (
            "tests/twins/unanswered-reported.toml",
            native(Contract::Linux),
        ),
        (
            "tests/twins/unanswered-swallowed.toml",
            native(Contract::Exact),
        ),
        (
            "specs/corpus/b80e-fan-out-failure-swallowed.toml",
            Kind::StrongAsid,
        ),
    ] {
        let failures = failures(path, kind);
        let differ = failures.iter().filter(|failure| !failure.is_the_same());
        let differ: Vec<_> = differ.collect();
        for failure in &differ {
            println!("{path} and {kind:?}: {}", failure.tell());
            assert!(!failure.is_told_the_same(), "{}", failure.tell());
        }
        assert!(!differ.is_empty(), "{path} and {kind:?} are the same");
    }
}
