//! What software must remember: how many entries its tables reach, as a formula in devices and slots.
//!
//! Found by visiting everything that software can do within a few bounds. Software never reads a cache, and here no SYNC waits for one: so
//! caches and commands in flight are left out of the states, and what remains is small enough to be visited for hostile guests, too, whose
//! calls a hypervisor's tables must have room for.

mod size;
mod software;

use std::collections::BTreeSet;

use model::TableMemory;
use model::program::{Instr, Kind, Section};
use vocab::Threat;

use crate::spec::{Owner, Spec};
use size::POINTS;
pub use size::Size;
use software::largest;

/// How large a context descriptor is, in bytes: Arm IHI 0070 G.b, 5.4 "Context Descriptor".
pub const DESCRIPTOR: u32 = 64;

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
