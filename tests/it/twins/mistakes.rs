//! The comparison notices what it is there for: known bugs and mutants of specs, and what a twin could do wrong.

use std::collections::BTreeSet;
use std::path::Path;

use engine::hypervisor::{Contract, Forwarding};
use model::OpKind;
use nestcheck::cost::Point;
use nestcheck::cost::situation;
use nestcheck::lockstep::board;
use nestcheck::spec::Spec;

use super::hypervisor::{Devices, Kind};
use super::operations::{Pair, compare, history, kinds, points};
use super::table::{TWINS, Twin, read, twin};
use super::walk::{Size, walk};
use crate::claims::base_of;
use crate::runs::{self, CORPUS, MUTANTS};

/// Bugs and mutants of a twin's spec that do the same as the twin as long as nobody moves besides and nothing fails, and why.
const UNSEEN: [(&str, &str); 16] = [
    ("lock-order", "locks: an operation alone waits for nobody"),
    (
        "lock-kept-on-failure",
        "locks: an operation alone waits for nobody",
    ),
    ("device-listed-late", LISTS),
    ("slot-learned-late", LISTS),
    ("slot-forgotten-early", LISTS),
    ("b14-asid-freed-before-flush", LISTS),
    ("b80a-slot-listed-late", LISTS),
    ("b80b-slot-forgotten-early", LISTS),
    (
        "b80d-table-scribbled",
        "where the CD table lies, not when it is written",
    ),
    (
        "asid-scope-narrowed",
        "what a call means to the guest, not what is done",
    ),
    (
        "b25-vsid-unchecked",
        "an honest guest names its own devices only",
    ),
    ("b28-converted-reported", FAILURES),
    ("b29-illegal-swallowed", FAILURES),
    ("b30-count-not-written", FAILURES),
    ("b80e-fan-out-failure-swallowed", FAILURES),
    (
        "b40-early-cfgi-refused",
        "no slot is bound before its device is attached",
    ),
];

/// Where only other threads would see it.
const LISTS: &str = "the order of software's own lists, which another thread would read meanwhile";
/// Where nothing has failed.
const FAILURES: &str = "nothing fails here; `status` has it fail";

/// The twin of the spec that a bug or mutant was made from.
fn twin_of(path: &Path) -> Option<&'static Twin> {
    let base = base_of(path).canonicalize().expect("a base");
    let mut twins = TWINS.iter();
    twins.find(|twin| Path::new(twin.spec).canonicalize().expect("a twin's spec") == base)
}

/// What differs first between a spec and somebody else's twin.
fn difference(spec: &Spec, twin: &Twin) -> Option<String> {
    kinds()
        .flat_map(|kind| points(twin).into_iter().map(move |point| (kind, point)))
        .find_map(|(kind, point)| compare(spec, twin, kind, point).err())
        .or_else(|| walk(spec, twin, Size::Two, 200).err())
}

#[test]
fn known_bugs_and_mutants_are_no_twins() {
    let mut unseen = BTreeSet::new();
    let mut seen = 0;
    for spec in [runs::specs(MUTANTS), runs::specs(CORPUS)].concat() {
        let Some(twin) = twin_of(&spec.path) else {
            println!("{}: made from no twin's spec", spec.name);
            continue;
        };
        match difference(&spec, twin) {
            Some(what) => {
                seen += 1;
                println!("{}: {}", spec.name, what.lines().next().unwrap_or(""));
            }
            None => {
                unseen.insert(spec.name);
            }
        }
    }
    let expected = UNSEEN.map(|(name, why)| {
        println!("{name}: the same; {why}");
        name.to_owned()
    });
    assert_eq!(unseen, BTreeSet::from(expected));
    assert!(seen >= 22, "only {seen} are noticed");
}

/// What is done to each array that a twin issues.
type Mistake = fn(Vec<[u64; 2]>) -> Vec<Vec<[u64; 2]>>;

fn without(opcode: u64, batch: Vec<[u64; 2]>) -> Vec<Vec<[u64; 2]>> {
    let kept = |[word0, _]: &[u64; 2]| word0 & 0xff != opcode;
    vec![batch.into_iter().filter(kept).collect()]
}

fn flipped(opcodes: &[u64], [mask0, mask1]: [u64; 2], batch: Vec<[u64; 2]>) -> Vec<Vec<[u64; 2]>> {
    let flip = |[word0, word1]: [u64; 2]| match opcodes.contains(&(word0 & 0xff)) {
        true => [word0 ^ mask0, word1 ^ mask1],
        false => [word0, word1],
    };
    vec![batch.into_iter().map(flip).collect()]
}

const MISTAKES: [(&str, Mistake); 17] = [
    ("no CFGI_STE", |batch| without(0x03, batch)),
    ("no CFGI_CD", |batch| without(0x05, batch)),
    ("no TLBI_NH_ALL", |batch| without(0x10, batch)),
    ("no TLBI_NH_ASID", |batch| without(0x11, batch)),
    ("no TLBI_NH_VA", |batch| without(0x12, batch)),
    ("no TLBI_S12_VMALL", |batch| without(0x28, batch)),
    ("no TLBI_S2_IPA", |batch| without(0x2a, batch)),
    ("no ATC_INV", |batch| without(0x40, batch)),
    ("another VMID", |batch| {
        flipped(&[0x11, 0x12], [1 << 33, 0], batch)
    }),
    ("another ASID", |batch| {
        flipped(&[0x11, 0x12], [1 << 49, 0], batch)
    }),
    ("another StreamID", |batch| {
        flipped(&[0x40, 0x05], [1 << 32, 0], batch)
    }),
    ("another SubstreamID", |batch| {
        flipped(&[0x40, 0x05], [1 << 13, 0], batch)
    }),
    ("SSV", |batch| flipped(&[0x40], [1 << 11, 0], batch)),
    ("another page", |batch| {
        flipped(&[0x12, 0x40], [0, 1 << 12], batch)
    }),
    ("another size", |batch| flipped(&[0x40], [0, 1], batch)),
    ("another order", |mut batch| {
        batch.reverse();
        vec![batch]
    }),
    ("a CMD_SYNC more", |batch| {
        batch.into_iter().map(|command| vec![command]).collect()
    }),
];

const NATIVE: Twin = twin(
    "specs/native-batched.toml",
    Kind::Native(Forwarding::UntilSync, Contract::Exact),
);

/// What differs when a twin issues something else, by its operations at two slots.
fn difference_with(
    twin: &Twin,
    alter: &mut dyn FnMut(Vec<[u64; 2]>) -> Vec<Vec<[u64; 2]>>,
) -> Option<String> {
    let point = Point { k: 2, n: 1 };
    let machine = situation::machine(&read(twin), point).expect("there is room");
    kinds().find_map(|kind| {
        let smmus = [board::smmu(), board::smmu()];
        let devices = Devices::new(&smmus[1]);
        let mut pair = Pair::new(&machine, twin, &smmus, &devices);
        let mut history = history(kind, point).into_iter();
        history.find_map(|operation| pair.both_with(operation, alter).err())
    })
}

#[test]
fn what_a_twin_could_issue_wrongly_is_noticed() {
    for twin in [
        NATIVE,
        twin("specs/strong-host-cd-host-memory.toml", Kind::StrongAsid),
    ] {
        for (name, mut mistake) in MISTAKES {
            let what = difference_with(&twin, &mut mistake);
            let what = what.unwrap_or_else(|| panic!("{:?} with {name} is the same", twin.kind));
            println!(
                "{:?}, {name}: {}",
                twin.kind,
                what.lines().next().unwrap_or("")
            );
        }
        // A CMD_SYNC less: TLBI and ATC_INV in one array.
        let mut held = Vec::new();
        let merged = difference_with(&twin, &mut |batch| {
            let is_tlbi = batch.iter().all(|[word0, _]| word0 & 0xff == 0x12);
            held.extend(batch);
            if is_tlbi {
                Vec::new()
            } else {
                vec![std::mem::take(&mut held)]
            }
        });
        let merged = merged.expect("a CMD_SYNC less is noticed");
        println!(
            "{:?}, a CMD_SYNC less: {}",
            twin.kind,
            merged.lines().next().unwrap_or("")
        );
    }
}

/// A strategy is not the twin of a spec whose calls differ, though the commands be the same.
#[test]
fn calls_are_compared_too() {
    for (spec, kind) in [
        (
            "specs/native-per-command.toml",
            Kind::Native(Forwarding::UntilSync, Contract::Exact),
        ),
        (
            "specs/native-batched.toml",
            Kind::Native(Forwarding::EachCommand, Contract::Exact),
        ),
        ("specs/native-batched.toml", Kind::StrongAsid),
        ("specs/strong-host-cd-host-memory.toml", Kind::PerHwpt),
        ("tests/twins/per-hwpt.toml", Kind::StrongAsid),
    ] {
        let twin = twin(spec, kind);
        let differ = |kind| compare(&read(&twin), &twin, kind, Point { k: 2, n: 1 }).is_err();
        assert!(differ(OpKind::Exit), "{twin:?}");
    }
}
