//! What is known while a program is compiled, and how its names and arguments are looked up.

use model::Axes;
use model::program::Binding;

use super::super::axes::AxesRead;
use super::super::programs::Program;
use super::super::report::Sink;
use super::super::tables::TableRead;
use super::super::text::ast::Step;
use super::assembler::{Assembler, Label, Origin};
use super::scope::{Holds, RegSet, Registers, Var};

/// What programs are compiled against.
pub(crate) struct Parts<'a> {
    pub axes: &'a AxesRead,
    pub tables: &'a [TableRead],
    pub programs: &'a [Program],
    /// For each program the number of its first step among all.
    pub first_steps: Vec<usize>,
}

/// Who shares a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockOf {
    Guest,
    Vmm,
    Host,
}

pub(super) struct Compiler<'a> {
    pub parts: &'a Parts<'a>,
    pub sink: &'a mut Sink,
    pub asm: Assembler,
    pub registers: Registers,
    pub locks: Vec<(LockOf, String)>,
    /// The programs that are being written out, the outermost first.
    pub stack: Vec<usize>,
}

/// A program that is being written out.
pub(super) struct Frame<'a> {
    pub index: usize,
    pub program: &'a Program,
    pub vars: Vec<Var>,
    /// Where a refusal goes.
    pub refusal: Label,
    /// Where `return` goes; none if it ends the operation.
    pub end: Option<Label>,
    /// The registers that belong to the callers.
    pub outer: RegSet,
    /// Whether it runs on behalf of a guest, and so has a vIOMMU.
    pub guests: bool,
    /// Whether it runs at the doorbell, and so has the guest's queue.
    pub doorbell: bool,
}

impl<'a> Compiler<'a> {
    pub fn axes(&self) -> Axes {
        self.parts.axes.axes
    }

    /// A step as the origin of instructions.
    pub fn origin(&self, step: &Step, frame: &Frame<'_>) -> Origin {
        let mut bindings: Vec<Binding> = Vec::new();
        for name in &step.names {
            if let Some(Holds::Id(operand, kind)) = lookup(frame, &name.text)
                && !bindings.iter().any(|known| known.name == name.text)
            {
                bindings.push(Binding {
                    name: name.text.clone(),
                    operand,
                    kind,
                });
            }
        }
        Origin {
            step: Some(self.parts.first_steps[frame.index] + step.line),
            bindings,
        }
    }
}

/// What a name stands for.
pub(super) fn lookup(frame: &Frame<'_>, name: &str) -> Option<Holds> {
    frame
        .vars
        .iter()
        .rev()
        .find(|var| var.name == name)
        .map(|var| var.holds)
}
