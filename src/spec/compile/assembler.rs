//! Instructions in the making: labels instead of addresses, and for each instruction the step that it comes from.

use model::Pc;
use model::program::{Binding, Instr};

/// A place in the code that may not be known yet.
pub(super) type Label = Pc;

/// How many instructions there may be; calls are written out, so a few programs can become many.
const MOST: usize = 20_000;

/// The step that an instruction comes from and what its text names.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The number of the step among all steps of all programs; none for what no step says.
    pub step: Option<usize>,
    pub bindings: Vec<Binding>,
}

#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Targets are labels until `finish`.
    pub instrs: Vec<Instr>,
    pub origins: Vec<Origin>,
    labels: Vec<Option<Pc>>,
    used: Vec<bool>,
    /// While a branch is compiled only to check it, nothing is emitted.
    pub muted: usize,
    emitted: usize,
}

impl Assembler {
    pub fn emit(&mut self, origin: &Origin, mut instr: Instr) {
        self.emitted += 1;
        if self.muted > 0 || self.is_full() {
            return;
        }
        if let Some(label) = target(&mut instr) {
            self.used[*label as usize] = true;
        }
        self.instrs.push(instr);
        self.origins.push(origin.clone());
    }

    /// An instruction that no step says.
    pub fn silent(&mut self, instr: Instr) {
        self.emit(&Origin::default(), instr);
    }

    /// A place to be decided upon by `bind`.
    pub fn label(&mut self) -> Label {
        if self.is_full() {
            return 0;
        }
        self.emitted += 1;
        self.labels.push(None);
        self.used.push(false);
        (self.labels.len() - 1) as Label
    }

    /// Puts a label here.
    pub fn bind(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label as usize) {
            *place = Some(self.instrs.len() as Pc);
        }
    }

    /// Whether something goes to a label.
    pub fn is_used(&self, label: Label) -> bool {
        self.used.get(label as usize).copied().unwrap_or(false)
    }

    /// Here.
    pub fn here(&self) -> Pc {
        self.instrs.len() as Pc
    }

    /// Whether there are too many instructions to go on.
    pub fn is_full(&self) -> bool {
        self.emitted >= MOST
    }

    /// Replaces labels by addresses.
    pub fn finish(mut self) -> (Vec<Instr>, Vec<Origin>) {
        for instr in &mut self.instrs {
            if let Some(to) = target(instr) {
                *to = self.labels[*to as usize]
                    .expect("every label that is used is bound before its entry ends");
            }
        }
        (self.instrs, self.origins)
    }
}

/// Where an instruction may go on.
fn target(instr: &mut Instr) -> Option<&mut Pc> {
    match instr {
        Instr::Require { to, .. }
        | Instr::HwqGuest { to, .. }
        | Instr::MayFail { to }
        | Instr::Cut { to, .. }
        | Instr::TakeCommand { to }
        | Instr::Next { to, .. }
        | Instr::Chunk { to }
        | Instr::ChunkFull { to }
        | Instr::ChunkEmpty { to }
        | Instr::OnError { to }
        | Instr::Branch { to, .. }
        | Instr::Jump(to) => Some(to),
        _ => None,
    }
}
