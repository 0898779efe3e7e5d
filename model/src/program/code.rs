//! Everything that threads may execute, and what the author wrote of it.

use vocab::Opcode;

use super::{Instr, Kind, OpKind, Operand, Pc};

/// Where a thread begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// An operation, which a thread that follows its programs may begin.
    Operation(OpKind),
    /// A call that a hostile guest makes with any arguments; argument `i` is in register `i`.
    Call(Vec<Kind>),
    /// A hostile guest rings the doorbell with any one command in its queue.
    Doorbell,
}

/// A place at which a thread begins.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `map`, `kernel.bind`, …
    pub name: String,
    /// What kind of beginning.
    pub start: Start,
    /// The first instruction.
    pub pc: Pc,
}

/// Who performs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the variants are the sections of a spec file")]
pub enum Section {
    Guest,
    Vmm,
    Kernel,
    Host,
}

impl Section {
    /// All of them.
    pub const ALL: [Section; 4] = [Section::Guest, Section::Vmm, Section::Kernel, Section::Host];

    /// The section's name in spec files.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Guest => "guest",
            Section::Vmm => "vmm",
            Section::Kernel => "kernel",
            Section::Host => "host",
        }
    }
}

/// A step as its author wrote it; what traces and the list of unexecuted steps speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStep {
    /// Who performs it.
    pub section: Section,
    /// The program's name within the section.
    pub program: String,
    /// The line of the spec file, counted from 1.
    pub line: u32,
    /// The file the line is in.
    pub file: String,
    /// The text of the step.
    pub text: String,
}

/// What a table holds when a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableStart {
    /// Nothing.
    Empty,
    /// Every device under the vIOMMU to which it is attached, for tables from vIOMMU to device; every vIOMMU that has a device under
    /// its VM, for tables from VM to vIOMMU.
    Attached,
}

/// A software table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is looked up by.
    pub key: Kind,
    /// What its rows hold.
    pub value: Kind,
    /// What it holds when a run begins.
    pub start: TableStart,
}

/// A variable that a program text names, for traces: which register holds what kind of thing at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its name in the text of the step.
    pub name: String,
    /// Where its value is.
    pub operand: Operand,
    /// What it names.
    pub kind: Kind,
}

/// Everything that threads may execute.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The instructions.
    pub instrs: Vec<Instr>,
    /// For each instruction the step it was made from, an index into `steps`; `u16::MAX` where it stands for none.
    pub source: Vec<u16>,
    /// For each instruction the variables that its step's text names.
    pub bindings: Vec<Vec<Binding>>,
    /// The steps of all programs of the spec that some entry can reach, in the order of sections and lines.
    pub steps: Vec<SourceStep>,
    /// Where threads begin.
    pub entries: Vec<Entry>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The locks by name, and whether each VM has one of its own.
    pub locks: Vec<(String, bool)>,
    /// The guest commands that `fixup` accepts.
    pub accepts: Vec<Opcode>,
}

impl Code {
    /// The visible instructions that can be the first one behind `pc`, whatever the registers hold.
    pub(crate) fn first_visible(&self, pc: Pc) -> Vec<Instr> {
        let mut seen = vec![false; self.instrs.len()];
        let mut todo = vec![pc];
        let mut found = Vec::new();
        while let Some(pc) = todo.pop() {
            if std::mem::replace(&mut seen[pc as usize], true) {
                continue;
            }
            let instr = self.instrs[pc as usize];
            if instr.is_visible() {
                found.push(instr);
                continue;
            }
            match instr {
                Instr::Return | Instr::Fail => {}
                Instr::Jump(to) => todo.push(to),
                Instr::Cut { to, .. }
                | Instr::TakeCommand { to }
                | Instr::Next { to, .. }
                | Instr::ChunkFull { to }
                | Instr::ChunkEmpty { to }
                | Instr::OnError { to }
                | Instr::Branch { to, .. } => todo.extend([to, pc + 1]),
                _ => todo.push(pc + 1),
            }
        }
        found
    }

    /// The source step of an instruction.
    pub fn step_of(&self, pc: Pc) -> Option<usize> {
        match self.source.get(pc as usize) {
            None | Some(&u16::MAX) => None,
            Some(&step) => Some(step as usize),
        }
    }
}
