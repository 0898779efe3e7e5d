//! Operations in any order: what is the same at a few points is the same wherever one operation leads to another.

use std::collections::{BTreeMap, BTreeSet};

use model::{Bounds, CacheMode, Machine, OpKind};
use nestcheck::cost::alone::Operation;
use nestcheck::lockstep::board;
use nestcheck::search::machine::machine;
use nestcheck::spec::{Part, Spec};
use vocab::Threat;

use super::hypervisor::Devices;
use super::operations::{Pair, kinds};
use super::table::{TWINS, Twin, read};

/// How much of everything there is, one vIOMMU or two of one VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Two devices with two slots each, at one vIOMMU; every operation.
    One,
    /// The same with a device for each of two vIOMMUs, which share a stage 2. No device comes or goes.
    Two,
}

impl Size {
    fn kinds(self) -> Vec<OpKind> {
        let moves = [OpKind::Attach, OpKind::Detach];
        kinds()
            .filter(|kind| self == Size::One || !moves.contains(kind))
            .collect()
    }

    fn machine(self, spec: &Spec) -> Machine {
        let viommus = if self == Size::One { 1 } else { 2 };
        let bounds = Bounds {
            devices: 2,
            ssids: 2,
            asids: 2,
            vmids: viommus,
            spaces: 2 * viommus,
            pages: 1,
            ipas: 2,
            vms: 1,
            viommus,
            guest_threads: 1,
            host_threads: 1,
            operations: self.kinds().into_iter().chain([OpKind::Destroy]).collect(),
        };
        let part = Part {
            name: "walk".to_owned(),
            bounds,
            asks: Vec::new(),
            threats: Vec::new(),
            because: None,
        };
        let (threat, devices) = (Threat::Honest, vocab::Devices::Driven);
        machine(spec, &part, threat, devices, CacheMode::Saturated)
    }
}

/// How far a walk came.
#[derive(Default)]
pub struct Walked {
    pub operations: BTreeSet<(OpKind, [u8; 3])>,
    pub situations: BTreeSet<Vec<u8>>,
    /// Whether something out of date was left.
    pub left: bool,
}

/// One operation after another, each alone, of all that may begin the one that was taken least often: there, or else anywhere.
pub fn walk(spec: &Spec, twin: &Twin, size: Size, steps: usize) -> Result<Walked, String> {
    let machine = size.machine(spec);
    let smmus = [board::smmu(), board::smmu()];
    let devices = Devices::new(&smmus[1]);
    let mut pair = Pair::new(&machine, twin, &smmus, &devices);
    let mut taken = BTreeMap::new();
    let mut walked = Walked::default();
    for step in 0..steps {
        let mut choices = pair.programs.choices(&size.kinds());
        // Who exits without being bound anywhere has a CMD_SYNC or two for nothing in the spec; the twin is not asked.
        choices.retain(|operation| {
            let space = operation.args[0] as usize;
            operation.kind != OpKind::Exit || pair.programs.state.memory.asid[space] != 0
        });
        let here = bytemuck::bytes_of(&pair.programs.state.memory).to_vec();
        let times = |operation: &Operation| {
            let operation = (operation.kind, operation.args);
            let of = |key| taken.get(&key).copied().unwrap_or(0_usize);
            (of((Some(here.clone()), operation)), of((None, operation)))
        };
        let next = choices.into_iter().min_by_key(times);
        let next = next.expect("something may always begin");
        let operation = (next.kind, next.args);
        for place in [None, Some(here.clone())] {
            *taken.entry((place, operation)).or_default() += 1;
        }
        walked.operations.insert(operation);
        walked.situations.insert(here);
        pair.both(next)
            .map_err(|what| format!("{size:?}, step {step}: {what}"))?;
    }
    walked.left = pair.left;
    Ok(walked)
}

#[test]
fn operations_are_the_same_in_any_order() {
    for twin in TWINS.iter().filter(|twin| twin.most.is_none()) {
        let spec = read(twin);
        for size in [Size::One, Size::Two] {
            let walked = walk(&spec, twin, size, 600);
            let walked = walked.unwrap_or_else(|what| panic!("{twin:?}: {what}"));
            println!(
                "{} and {:?}, {size:?}: {} operations in {} situations",
                twin.spec,
                twin.kind,
                walked.operations.len(),
                walked.situations.len()
            );
            assert_eq!(walked.left, twin.leaves.is_some(), "{}", twin.spec);
            let kinds: BTreeSet<_> = walked.operations.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds.len(), size.kinds().len(), "only {kinds:?}");
        }
    }
}
