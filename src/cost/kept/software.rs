//! Everything that software can do, hardware left out.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use model::program::{Instr, ReadExpr};
use model::{Bounds, CacheMode, Code, Machine, OpKind, Pc, Setup, State, Step, limit};
use vocab::{Devices, Threat};

use crate::search::{self, Control, Limits, Outcome, System, levels};
use crate::spec::Spec;
use crate::spec::scopes::misfits;

/// More states than any shipped variant has at any point.
const MOST_STATES: u64 = 300_000;

/// The most entries that each table reaches.
pub(super) struct Largest {
    pub entries: [u32; limit::TABLES],
    /// Whether everything was visited.
    pub is_all: bool,
}

/// Visits what software can do. None where there is no room for it.
pub(super) fn largest(spec: &Spec, threat: Threat, (devices, ssids): (u8, u8)) -> Option<Largest> {
    let code = &spec.code;
    let bounds = Bounds {
        devices,
        ssids,
        asids: 2,
        vmids: 1,
        spaces: 2,
        pages: 1,
        ipas: 1,
        vms: 1,
        viommus: 1,
        guest_threads: 1,
        host_threads: 1,
        operations: operations(code),
    };
    if !misfits(&bounds, Some(code)).is_empty() {
        return None;
    }
    let setup = Setup {
        bounds,
        hardware: spec.hardware,
        axes: spec.axes,
        threat,
        devices: Devices::Driven,
        caches: CacheMode::Saturated,
    };
    let software = Software {
        machine: Machine::new(setup, code.clone()),
        reads_descriptors: reads_descriptors(code),
        largest: Default::default(),
    };
    let limits = Limits {
        max_states: Some(MOST_STATES),
        timeout: None,
    };
    let control = Control::new(limits, &NEVER, &|_| {});
    let found = levels::search(&software, 0, &control);
    Some(Largest {
        entries: software.largest.map(AtomicU32::into_inner),
        is_all: found.stopped.is_none(),
    })
}

/// The operations that can make a difference to tables. What mappings there are is nothing to all others, so that those that only map
/// are left out.
fn operations(code: &Code) -> Vec<OpKind> {
    let only_maps = |kind| {
        matches!(
            kind,
            OpKind::Map | OpKind::Unmap | OpKind::Reclaim | OpKind::Lend
        )
    };
    let matters = |kind: &OpKind| {
        let entry = code.entries.iter().find(|entry| entry.name == kind.name());
        entry.is_some_and(|entry| !only_maps(*kind) || changes_software(code, entry.pc))
    };
    OpKind::ALL.into_iter().filter(matters).collect()
}

/// Whether the program at `pc`, in which all calls are written out, changes something that software reads.
fn changes_software(code: &Code, pc: Pc) -> bool {
    let others = code.entries.iter().map(|entry| entry.pc);
    let end = others.filter(|&other| other > pc).min();
    let end = end.map_or(code.instrs.len(), usize::from);
    code.instrs[usize::from(pc)..end].iter().any(|instr| {
        matches!(
            instr,
            Instr::Insert(..)
                | Instr::Remove(..)
                | Instr::AllocAsid(_)
                | Instr::FreeAsid(_)
                | Instr::AllocVmid(_)
                | Instr::FreeVmid(_)
                | Instr::CdWord0 { .. }
        )
    })
}

/// Whether programs read descriptors in memory.
fn reads_descriptors(code: &Code) -> bool {
    let reads = |instr: &Instr| matches!(instr, Instr::Read(_, ReadExpr::CdAsid { .. }));
    code.instrs.iter().any(reads)
}

/// Too small a search to be interrupted.
static NEVER: AtomicBool = AtomicBool::new(false);

/// A machine without hardware, that notes how large its tables become.
struct Software {
    machine: Machine,
    reads_descriptors: bool,
    largest: [AtomicU32; limit::TABLES],
}

impl Software {
    fn without_hardware(&self, mut state: State) -> State {
        state.caches = Default::default();
        state.flight = Default::default();
        let memory = &mut state.memory;
        memory.cd1 = Default::default();
        if !self.reads_descriptors {
            memory.cd0 = Default::default();
        }
        (memory.ste0, memory.ste1, memory.ste2) = Default::default();
        memory.active = 0;
        state.ghost.offence = 0;
        for thread in &mut state.threads {
            thread.asked = Default::default();
            thread.owed = Default::default();
            thread.unsynced = Default::default();
            thread.notes = 0;
        }
        for (largest, rows) in self.largest.iter().zip(&state.memory.tables) {
            let entries = rows.iter().map(|row| row.count_ones()).sum();
            largest.fetch_max(entries, Ordering::Relaxed);
        }
        state
    }
}

impl System for Software {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        self.without_hardware(self.machine.initial())
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.machine.steps(state, steps);
    }

    fn apply(&self, state: &State, step: Step) -> Outcome<State> {
        match self.machine.apply(state, step) {
            model::Outcome::Blocked => Outcome::Blocked,
            model::Outcome::NotModelled(bound) => Outcome::NotModelled(bound),
            model::Outcome::Next(next, _) => {
                Outcome::Next(self.without_hardware(next), search::Seen::default())
            }
        }
    }

    fn judge(&self, _: &State, _: u16) -> u16 {
        0
    }

    fn is_idle(&self, state: &State) -> bool {
        self.machine.is_idle(state)
    }
}
