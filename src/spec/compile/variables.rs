//! The variables of a program: how they come, and what is left when they go.

use model::program::{Instr, Kind, Operand, ReadExpr, Reg};

use super::super::report::Problem;
use super::super::source::Span;
use super::super::text::ast::{Expr, Name, Step};
use super::compiler::{Compiler, Frame};
use super::scope::{Holds, Origin as From, Var};

impl<'a> Compiler<'a> {
    /// Ends the variables that came after the first few; their registers are cleared if somebody comes by here.
    pub fn drop_variables(&mut self, keep: usize, clear: bool, frame: &mut Frame<'a>) {
        for var in frame.vars.drain(keep..).rev() {
            if let Some(reg) = var.own_register() {
                self.registers.free(reg);
                if clear {
                    self.asm.silent(Instr::Clear(reg));
                }
            }
        }
    }

    /// `let x = ...`
    pub fn assign(
        &mut self,
        step: &'a Step,
        name: &Name,
        expr: &Expr,
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let read = match expr {
            Expr::DeviceOf(command) => {
                let found = self.is_command(command, frame);
                found.map(|()| (None, Kind::Device))
            }
            Expr::Asid(space) => self
                .need(space, Kind::Space, frame)
                .map(|space| (Some(ReadExpr::Asid(space)), Kind::Asid)),
            Expr::CdAsid(slot) => self
                .cd(slot, frame)
                .map(|(viommu, slot)| (Some(ReadExpr::CdAsid { viommu, slot }), Kind::Asid)),
            Expr::One(row) => self
                .row(row, frame)
                .map(|(row, value)| (Some(ReadExpr::One(row)), value)),
            Expr::Empty(row) => self
                .row(row, frame)
                .map(|(row, _)| (Some(ReadExpr::Empty(row)), Kind::Flag)),
            Expr::Has(row, value) => self
                .entry(row, value, frame)
                .map(|(row, value)| (Some(ReadExpr::Has(row, value)), Kind::Flag)),
        };
        let into = self.let_variable(name, read.map(|(_, kind)| kind), frame);
        let origin = self.origin(step, frame);
        let into = into?;
        self.asm.emit(
            &origin,
            match read?.0 {
                Some(what) => Instr::Read(into, what),
                None => Instr::DeviceOfCommand(into),
            },
        );
        Some(())
    }

    /// The register of a `let`: a new one, or that of an earlier `let` of the name.
    fn let_variable(
        &mut self,
        name: &Name,
        kind: Option<Kind>,
        frame: &mut Frame<'a>,
    ) -> Option<Reg> {
        let earlier = frame
            .vars
            .iter()
            .rev()
            .find(|var| var.name == name.text && var.origin == From::Let);
        match earlier.map(|var| var.holds) {
            Some(Holds::Id(Operand::Reg(reg), known)) if kind.is_none_or(|kind| kind == known) => {
                return Some(reg);
            }
            Some(Holds::Unknown) => return None,
            Some(_) => {
                self.sink.report(
                    Problem::at(
                        name.span,
                        format!("`{}` names another kind of thing already", name.text),
                    )
                    .help("a variable keeps its kind: choose another name"),
                );
                return None;
            }
            None => {}
        }
        self.new_variable(name, kind, From::Let, frame)
    }

    /// A variable with a register of its own; one that was reported has none, and what is done with it is not judged.
    pub fn new_variable(
        &mut self,
        name: &Name,
        kind: Option<Kind>,
        origin: From,
        frame: &mut Frame<'a>,
    ) -> Option<Reg> {
        let reg = match self.is_new(name, frame) {
            true => kind.and_then(|_| self.take_register(name.span)),
            false => None,
        };
        let holds = match (reg, kind) {
            (Some(reg), Some(kind)) => Holds::Id(Operand::Reg(reg), kind),
            _ => Holds::Unknown,
        };
        frame.vars.push(Var {
            name: name.text.clone(),
            holds,
            origin,
        });
        reg
    }

    /// A register for a new variable.
    pub fn take_register(&mut self, place: Span) -> Option<Reg> {
        let reg = self.registers.take();
        if reg.is_none() {
            self.sink.report(
                Problem::at(
                    place,
                    "too many variables are alive here: there is no register left",
                )
                .help("a variable lives to the end of its block; a loop takes two registers"),
            );
        }
        reg
    }

    /// A name that is to stand for something new must be free.
    fn is_new(&mut self, name: &Name, frame: &Frame<'_>) -> bool {
        let taken = frame
            .vars
            .iter()
            .any(|var| var.name == name.text && var.origin != From::Implicit);
        if taken {
            self.sink.report(
                Problem::at(
                    name.span,
                    format!("there is a variable `{}` already", name.text),
                )
                .help(
                    "choose another name; only a `let` may give a variable of a `let` a new value",
                ),
            );
        }
        !taken
    }
}
