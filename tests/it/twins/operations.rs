//! Operations that go well: the same acts and the same costs.

use std::collections::BTreeMap;

use model::{Machine, OpKind};
use nestcheck::cost::Point;
use nestcheck::cost::alone::Operation;
use nestcheck::cost::situation::{self, measured, preparation};
use nestcheck::lockstep::{board, unit};
use nestcheck::spec::Spec;

use super::act::{settled, take_idle_syncs};
use super::hypervisor::{Alter, Devices, Hypervisor, Way};
use super::programs::{Done, Programs};
use super::table::{TWINS, Twin, read};

/// Guests' operations, and the host's that both have: a twin cleans a VMID when its last stream goes, and translates all that is attached.
pub fn kinds() -> impl Iterator<Item = OpKind> {
    let none = [OpKind::Destroy, OpKind::Translate, OpKind::Bypass];
    let all = OpKind::ALL.into_iter();
    all.filter(move |kind| !none.contains(kind))
}

/// Both sides, and what they have done so far.
pub struct Pair<'h, 's> {
    machine: &'h Machine,
    pub programs: Programs<'h>,
    pub hypervisor: Hypervisor<'h, 's>,
    may_leave: bool,
    /// Whether something out of date was left.
    pub left: bool,
}

impl<'h, 's> Pair<'h, 's> {
    pub fn new(
        machine: &'h Machine,
        twin: &Twin,
        smmus: &'h [engine::Smmu<unit::Memory>; 2],
        devices: &'h Devices<'s>,
    ) -> Self {
        Pair {
            machine,
            programs: Programs::new(machine, &smmus[0]),
            hypervisor: Hypervisor::new(machine, &smmus[1], devices, twin.kind),
            may_leave: twin.leaves.is_some(),
            left: false,
        }
    }

    /// Performs an operation on both, and says what differs.
    pub fn both(&mut self, operation: Operation) -> Result<Done, String> {
        self.both_with(operation, &mut |batch| vec![batch])
    }

    /// The same, of which only what comes of it matters.
    pub fn both_quietly(&mut self, operation: Operation) {
        let program = self.programs.perform(operation).expect("nothing fails");
        let (twin, _) = self.hypervisor.perform(operation);
        assert!(program.succeeded && twin.succeeded);
    }

    /// The same with what the twin issues altered.
    pub fn both_with(&mut self, operation: Operation, alter: Alter<'_>) -> Result<Done, String> {
        self.hypervisor.accesses();
        let mut program = self.programs.perform(operation)?;
        // A twin's VMID is clean when its last stream has gone; a spec cleans it when the vIOMMU goes.
        let attached = self.programs.state.ghost.attached;
        if operation.kind == OpKind::Detach && attached.iter().all(|&device| device == 0) {
            let destroy = Operation {
                kind: OpKind::Destroy,
                args: [0; 3],
            };
            let cleaned = self.programs.perform(destroy)?;
            program.acts.extend(cleaned.acts);
        }
        let [_, _, _, syncs] = &mut program.calls;
        *syncs -= take_idle_syncs(&mut program.acts);
        program.acts = settled(self.machine, program.acts);
        let (mut twin, _) = self.hypervisor.perform_with(operation, Way::well(alter));
        twin.acts = settled(self.machine, twin.acts);
        // What the host does for itself costs nobody an exit, and a stage 2 keeps no count of its commands.
        if !operation.kind.is_guests() {
            twin.calls = program.calls;
        }
        if program != twin {
            return Err(format!(
                "{}{:?}:\n{}",
                operation.kind.name(),
                operation.args,
                told(&program, &twin)
            ));
        }
        if operation.kind == OpKind::Detach {
            // The words that word 0 has put out of use are whatever the next user finds.
            self.programs.clear_ste(operation.args[0]);
            self.hypervisor.clear_ste(operation.args[0]);
        }
        let stale = self.hypervisor.stale();
        self.left |= !stale.is_empty();
        match stale.is_empty() || self.may_leave {
            true => Ok(twin),
            false => Err(format!("{operation:?}: {stale:?} is out of date")),
        }
    }
}

/// Both lists side by side.
fn told(program: &Done, twin: &Done) -> String {
    let mut lines = vec![format!(
        "  [exits, ioctls, commands, syncs] {:?} and {:?}, success {} and {}",
        program.calls, twin.calls, program.succeeded, twin.succeeded
    )];
    for place in 0..program.acts.len().max(twin.acts.len()) {
        let tell = |acts: &[super::act::Act]| {
            acts.get(place)
                .map_or("nothing".to_owned(), |act| format!("{act:x?}"))
        };
        let (program, twin) = (tell(&program.acts), tell(&twin.acts));
        let sign = if program == twin { ' ' } else { '!' };
        lines.push(format!("{sign} {program}\n{sign}   {twin}"));
    }
    lines.join("\n")
}

/// Everything that leads to an operation at a point, and the operation.
pub fn history(kind: OpKind, point: Point) -> Vec<Operation> {
    let mut history = preparation(kind, point);
    history.push(measured(kind, point));
    history
}

pub fn points(twin: &Twin) -> Vec<Point> {
    let slots = twin.most.map_or(2, |(slots, _)| slots.min(2));
    (1..=slots)
        .flat_map(|k| (1..=2).map(move |n| Point { k, n }))
        .collect()
}

/// Compares an operation at a point, and everything that leads to it.
pub fn compare(spec: &Spec, twin: &Twin, kind: OpKind, point: Point) -> Result<Vec<Done>, String> {
    let machine = situation::machine(spec, point)?;
    let smmus = [board::smmu(), board::smmu()];
    let devices = Devices::new(&smmus[1]);
    let mut pair = Pair::new(&machine, twin, &smmus, &devices);
    history(kind, point)
        .into_iter()
        .map(|operation| pair.both(operation))
        .collect()
}

#[test]
fn every_operation_is_the_same_to_hardware() {
    for twin in &TWINS {
        let spec = read(twin);
        let mut compared = BTreeMap::<_, usize>::new();
        for kind in kinds() {
            for point in points(twin) {
                let done = compare(&spec, twin, kind, point).unwrap_or_else(|what| {
                    panic!("{} and {:?} at {point:?}: {what}", twin.spec, twin.kind)
                });
                let acts: usize = done.iter().map(|done| done.acts.len()).sum();
                *compared.entry(kind.name()).or_default() += acts;
            }
        }
        let why = twin.most.map_or(String::new(), |(slots, why)| {
            format!("; with at most {slots} slots: {why}")
        });
        println!("{} and {:?}: {compared:?}{why}", twin.spec, twin.kind);
    }
}
