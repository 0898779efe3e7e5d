//! What software must remember: how many entries its tables reach, as a formula in devices and slots.
//!
//! Found by visiting everything that software can do within a few bounds. Software never reads a cache, and here no SYNC waits for one: so
//! caches and commands in flight are left out of the states, and what remains is small enough to be visited for hostile guests, too, whose
//! calls a hypervisor's tables must have room for.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Fmt};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use model::program::{Instr, Kind, ReadExpr, Section};
use model::{Bounds, CacheMode, Code, Machine, OpKind, Pc, Setup, State, Step, TableMemory, limit};
use vocab::{Devices, Threat};

use super::formula::terms;
use crate::search::{self, Control, Limits, Outcome, System, levels};
use crate::spec::scopes::misfits;
use crate::spec::{Owner, Spec};

/// How large a context descriptor is, in bytes: Arm IHI 0070 G.b, 5.4 "Context Descriptor".
pub const DESCRIPTOR: u32 = 64;

/// Devices and SubstreamIDs of each: the first three determine a formula, the others verify it.
const POINTS: [(u8, u8); 5] = [(1, 1), (1, 2), (2, 1), (1, 3), (2, 2)];

/// More states than any shipped variant has at any point.
const MOST_STATES: u64 = 300_000;

/// What a variant keeps.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its tables.
    pub tables: Vec<Table>,
    /// Whose memory holds the CD tables, [`DESCRIPTOR`] bytes for each slot.
    pub descriptors: TableMemory,
    /// Whose programs write them.
    pub writers: BTreeSet<Section>,
}

/// A table that reached some size.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is looked up by.
    pub key: Kind,
    /// What its rows hold.
    pub value: Kind,
    /// Whose programs use it.
    pub owner: Owner,
    /// The most entries, all rows together, while guests follow their programs.
    pub honest: Size,
    /// The same while guests call anything with any argument. A hostile guest's own tables are its own matter.
    pub hostile: Option<Size>,
}

/// A number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// `one + d·devices + s·slots`.
    Linear {
        /// The constant.
        one: i64,
        /// For each device.
        d: i64,
        /// For each slot.
        s: i64,
    },
    /// No such formula meets all points; the largest number of all.
    AtLeast(u32),
}

/// What a spec's variant keeps.
pub fn of(spec: &Spec) -> Kept {
    let honest = sizes(spec, Threat::Honest);
    let hostile = sizes(spec, Threat::Hostile);
    let of_table = |(place, table): (usize, &model::program::Table)| Table {
        name: table.name.clone(),
        key: table.key,
        value: table.value,
        owner: spec.owners[place],
        honest: honest[place],
        hostile: (spec.owners[place] == Owner::Hypervisor).then_some(hostile[place]),
    };
    Kept {
        tables: spec.code.tables.iter().enumerate().map(of_table).collect(),
        descriptors: spec.axes.cd_table,
        writers: writers(spec),
    }
}

/// The sections whose programs write context descriptors.
fn writers(spec: &Spec) -> BTreeSet<Section> {
    let writes = |instr: &Instr| matches!(instr, Instr::CdWord0 { .. } | Instr::CdWord1 { .. });
    let code = &spec.code;
    let places = (0..code.instrs.len()).filter(|&pc| writes(&code.instrs[pc]));
    places
        .filter_map(|pc| Some(code.steps[code.step_of(pc as u16)?].section))
        .collect()
}

/// The size of each table.
fn sizes(spec: &Spec, threat: Threat) -> Vec<Size> {
    let reached: Vec<_> = POINTS
        .iter()
        .map(|&point| (point, largest(spec, threat, point)))
        .collect();
    (0..spec.code.tables.len())
        .map(|table| Size::fit(&reached, table))
        .collect()
}

/// The most entries that each table reaches.
struct Largest {
    entries: [u32; limit::TABLES],
    /// Whether everything was visited.
    is_all: bool,
}

/// Visits what software can do. None where there is no room for it.
fn largest(spec: &Spec, threat: Threat, (devices, ssids): (u8, u8)) -> Option<Largest> {
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

impl Size {
    /// Whether it is more than another somewhere within the points, or may be.
    pub fn exceeds(&self, other: &Size) -> bool {
        let at = |size: &Size, (devices, ssids): (u8, u8)| match *size {
            Size::Linear { one, d, s } => {
                one + d * i64::from(devices) + s * i64::from(devices * ssids)
            }
            Size::AtLeast(entries) => i64::from(entries),
        };
        POINTS
            .iter()
            .any(|&point| at(self, point) > at(other, point))
    }

    fn fit(reached: &[((u8, u8), Option<Largest>)], table: usize) -> Self {
        let known = || {
            reached
                .iter()
                .filter_map(|(at, found)| Some((at, found.as_ref()?)))
        };
        let entries = |found: &Largest| found.entries[table];
        let value = |devices, ssids| {
            let found = known().find(|(at, _)| **at == (devices, ssids));
            found.map(|(_, found)| i64::from(entries(found)))
        };
        let linear = || {
            let (first, more_slots, more_devices) = (value(1, 1)?, value(1, 2)?, value(2, 1)?);
            let s = more_slots - first;
            let d = more_devices - more_slots;
            Some((first - d - s, d, s))
        };
        let meets = |(one, d, s): &(i64, i64, i64)| {
            reached.iter().all(|((devices, ssids), found)| {
                let (devices, slots) = (i64::from(*devices), i64::from(devices * ssids));
                let is = found.as_ref().filter(|found| found.is_all).map(entries);
                is.map(i64::from) == Some(one + d * devices + s * slots)
            })
        };
        match linear().filter(meets) {
            Some((one, d, s)) => Size::Linear { one, d, s },
            None => Size::AtLeast(known().map(|(_, found)| entries(found)).max().unwrap_or(0)),
        }
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match *self {
            Size::Linear { one, d, s } => terms(f, &[(s, "s"), (d, "d"), (one, "")]),
            Size::AtLeast(entries) => write!(f, "≥ {entries}, no formula"),
        }
    }
}

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
            thread.issued = 0;
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

    fn judge(&self, _: &State) -> u16 {
        0
    }

    fn is_idle(&self, state: &State) -> bool {
        self.machine.is_idle(state)
    }
}
