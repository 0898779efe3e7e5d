//! Which spec is whose twin, and which has none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::hypervisor::{Contract, Forwarding, Told};
use nestcheck::spec::Spec;

use super::hypervisor::Kind;
use crate::claims::{self, HONEST};
use crate::runs::{self, FIXED, SHIPPED};

/// A spec and the strategy that does the same.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    pub spec: &'static str,
    pub kind: Kind,
    /// With how many slots of a space at most they are compared, and why.
    pub most: Option<(u8, &'static str)>,
    /// Why it leaves what is out of date, though nobody moves besides: what its spec is violated for.
    pub leaves: Option<&'static str>,
}

const EACH: Kind = Kind::Native(Forwarding::EachCommand, Contract::Exact);
const SYNC: Kind = Kind::Native(Forwarding::UntilSync, Contract::Exact);
/// Where nothing fails, contracts do not differ.
const LINUX: Kind = Kind::Native(Forwarding::UntilSync, Contract::Linux);

pub const fn twin(spec: &'static str, kind: Kind) -> Twin {
    Twin {
        spec,
        kind,
        most: None,
        leaves: None,
    }
}

/// All pairs. A CD table in hypervisor memory is the same to a twin as one in guest memory: it says when a CD is written, not where it lies.
pub const TWINS: [Twin; 26] = [
    twin("specs/native-per-command.toml", EACH),
    twin("specs/native-per-command-no-ats.toml", EACH),
    twin("specs/native-batched.toml", SYNC),
    twin("specs/native-batched.toml", LINUX),
    twin("specs/native-batched-no-ats.toml", SYNC),
    twin("specs/corpus/fixed/early-cfgi-dropped.toml", EACH),
    Twin {
        most: Some((
            2,
            "a chunk has room for 2 commands in the model and for 63 in the twin, as in Linux; longer arrays are compared in `status`",
        )),
        ..twin("specs/corpus/fixed/array-in-chunks.toml", SYNC)
    },
    twin("specs/corpus/fixed/array-not-copied.toml", SYNC),
    twin("specs/corpus/fixed/illegal-reported.toml", SYNC),
    Twin {
        most: Some((
            1,
            "the spec clears SSV for every slot, as it says; the twin for traffic without SubstreamID only, as Linux does (arm_smmu_atc_inv_to_cmd)",
        )),
        ..twin("specs/corpus/fixed/native-ssid0.toml", SYNC)
    },
    twin("specs/strong-host-cd-guest-memory.toml", Kind::StrongAsid),
    twin(
        "specs/strong-host-cd-guest-memory-no-ats.toml",
        Kind::StrongAsid,
    ),
    twin("specs/strong-host-cd-host-memory.toml", Kind::StrongAsid),
    twin(
        "specs/strong-host-cd-host-memory-no-ats.toml",
        Kind::StrongAsid,
    ),
    twin("specs/corpus/fixed/fan-out-reported.toml", Kind::StrongAsid),
    twin(
        "specs/corpus/fixed/strong-asid-without-lock.toml",
        Kind::StrongAsid,
    ),
    Twin {
        leaves: Some(
            "nobody invalidates configuration caches: what goes stays in use (P-S1, P-CFG)",
        ),
        ..twin("specs/strong-asid-only.toml", Kind::GuestCds(Told::Asids))
    },
    Twin {
        leaves: Some("as with ATS"),
        ..twin(
            "specs/strong-asid-only-no-ats.toml",
            Kind::GuestCds(Told::Asids),
        )
    },
    Twin {
        leaves: Some("no device is told of anything (P-S1)"),
        ..twin(
            "specs/strong-guest-cd-no-atc.toml",
            Kind::GuestCds(Told::Cds),
        )
    },
    twin(
        "specs/strong-guest-cd-no-atc-no-ats.toml",
        Kind::GuestCds(Told::Cds),
    ),
    twin(
        "specs/strong-guest-cd-all-atc.toml",
        Kind::GuestCds(Told::CdsAndDevices),
    ),
    twin(
        "specs/strong-guest-cd-all-atc-no-ats.toml",
        Kind::GuestCds(Told::CdsAndDevices),
    ),
    twin(
        "specs/strong-guest-cd-trapped.toml",
        Kind::GuestCds(Told::CdsAndSlots),
    ),
    twin(
        "specs/strong-guest-cd-trapped-no-ats.toml",
        Kind::GuestCds(Told::CdsAndSlots),
    ),
    twin("tests/twins/per-hwpt.toml", Kind::PerHwpt),
    twin("tests/twins/per-hwpt-no-ats.toml", Kind::PerHwpt),
];

/// Variants and correct versions of bugs without a twin, and why.
const WITHOUT: [(&str, &str); 4] = [
    (
        "direct-queue",
        "a second hardware queue, which the engine has and its hypervisor does not",
    ),
    (
        "entry-writer",
        "it is about single stores: tests/it/writer tells them in bytes",
    ),
    (
        "s2-on-two-smmus",
        "two SMMUs; a `NestParent` is asked for its commands once for each",
    ),
    (
        "strong-host-cd-global",
        "its guest maps pages globally and flushes by page; the twin's does neither",
    ),
];

pub fn read(twin: &Twin) -> Spec {
    runs::read(Path::new(twin.spec))
}

/// What only tests need must be as right as it says, too.
#[test]
fn specs_of_twins_alone_are_as_claimed() {
    let own = TWINS.iter().filter(|twin| twin.spec.starts_with("tests/"));
    claims::check(own.map(read).collect(), |_, pair| pair == HONEST);
}

/// A variant that is added must be given a twin, or a reason.
#[test]
fn every_shipped_variant_has_a_twin_or_a_reason() {
    let twins: BTreeSet<_> = TWINS.iter().map(|twin| PathBuf::from(twin.spec)).collect();
    let mut reasons = BTreeSet::new();
    for spec in [runs::specs(SHIPPED), runs::specs(FIXED)].concat() {
        let name = spec.name.trim_end_matches("-no-ats");
        let reason = WITHOUT.iter().find(|(without, _)| *without == name);
        match reason {
            None => {
                println!("{}: compared", spec.name);
                assert!(twins.contains(&spec.path), "{} has no twin", spec.name);
            }
            Some((without, reason)) => {
                println!("{}: no twin; {reason}", spec.name);
                assert!(!twins.contains(&spec.path), "{} has a twin", spec.name);
                reasons.insert(*without);
            }
        }
    }
    assert_eq!(reasons.len(), WITHOUT.len(), "a reason is for nothing");
}
