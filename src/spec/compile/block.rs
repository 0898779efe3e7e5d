//! Steps, one after another: what each becomes.

use model::program::{self, FixedSet, Instr, Kind, Operand, ReadExpr, Reg};

use super::super::report::Problem;
use super::super::text::ast::{Action, Arg, Expr, Name, Row, Set, Step, Word0};
use super::access;
use super::compiler::{Compiler, Frame};
use super::scope::{Holds, Origin as From, Var, each};

impl<'a> Compiler<'a> {
    /// A block; its variables end with it.
    pub fn block(&mut self, steps: &'a [Step], frame: &mut Frame<'a>) {
        let before = frame.vars.len();
        for step in steps {
            access::check(self, step, frame);
            // What is wrong has been reported; the other steps are still looked at.
            let _ = self.step(step, frame);
        }
        let goes_on = !matches!(
            steps.last().map(|step| &step.action),
            Some(Action::Return | Action::Refuse)
        );
        self.drop_variables(before, goes_on, frame);
    }

    /// Ends the variables that came after the first few; their registers are cleared if somebody comes by here.
    fn drop_variables(&mut self, keep: usize, clear: bool, frame: &mut Frame<'a>) {
        for var in frame.vars.drain(keep..).rev() {
            if let Some(reg) = var.own_register() {
                self.registers.free(reg);
                if clear {
                    self.asm.silent(Instr::Clear(reg));
                }
            }
        }
    }

    fn step(&mut self, step: &'a Step, frame: &mut Frame<'a>) -> Option<()> {
        let instr = match &step.action {
            Action::If {
                on,
                negated,
                then,
                otherwise,
            } => return self.branch(step, on, *negated, then, otherwise, frame),
            Action::For(name, set, body) => return self.for_each(step, name, set, body, frame),
            Action::ForCommand(body) => return self.for_command(step, body, frame),
            Action::Let(name, expr) => return self.assign(step, name, expr, frame),
            Action::Call(call) => return self.call(step, call, frame),
            Action::CmdqSync { on_refusal } => {
                return self.doorbell(step, on_refusal.as_deref(), frame);
            }
            Action::Return => return self.end_program(step, frame),
            Action::Pte { space, page, ipa } => {
                let space = self.need(space, Kind::Space, frame);
                let page = self.need(page, Kind::Page, frame);
                let ipa = self.maybe(ipa, Kind::Ipa, frame);
                Instr::Pte {
                    space: space?,
                    page: page?,
                    ipa: ipa?,
                }
            }
            Action::CdWord0(slot, value) => {
                let (viommu, slot) = self.cd(slot, frame)?;
                let value = match value {
                    Word0::Invalid => program::Word0::Invalid,
                    Word0::Valid(asid) => {
                        program::Word0::Valid(self.need(asid, Kind::Asid, frame)?)
                    }
                    Word0::Epd(asid) => program::Word0::Epd(self.need(asid, Kind::Asid, frame)?),
                };
                Instr::CdWord0 {
                    viommu,
                    slot,
                    value,
                }
            }
            Action::CdWord1(slot, space) => {
                let (viommu, slot) = self.cd(slot, frame)?;
                Instr::CdWord1 {
                    viommu,
                    slot,
                    ttb: self.maybe(space, Kind::Space, frame)?,
                }
            }
            Action::SteWord0(device, viommu) => {
                let device = self.need(device, Kind::Device, frame);
                let table = self.maybe(viommu, Kind::Viommu, frame);
                Instr::SteWord0 {
                    device: device?,
                    table: table?,
                }
            }
            Action::SteWord1(device, eats) => Instr::SteWord1 {
                device: self.need(device, Kind::Device, frame)?,
                eats: *eats,
            },
            Action::SteWord2(device, viommu) => {
                let device = self.need(device, Kind::Device, frame);
                let viommu = self.maybe(viommu, Kind::Viommu, frame);
                Instr::SteWord2 {
                    device: device?,
                    viommu: viommu?,
                }
            }
            Action::S2 { vm, ipa, present } => {
                let vm = self.need(vm, Kind::Vm, frame);
                let ipa = self.need(ipa, Kind::Ipa, frame);
                Instr::S2 {
                    vm: vm?,
                    ipa: ipa?,
                    present: *present,
                }
            }
            Action::Insert(row, value) => self
                .entry(row, value, frame)
                .map(|(row, value)| Instr::Insert(row, value))?,
            Action::Remove(row, value) => self
                .entry(row, value, frame)
                .map(|(row, value)| Instr::Remove(row, value))?,
            Action::Require(row, value) => {
                let (row, value) = self.entry(row, value, frame)?;
                Instr::Require {
                    row,
                    value,
                    to: frame.refusal,
                }
            }
            Action::AllocAsid(space) => Instr::AllocAsid(self.need(space, Kind::Space, frame)?),
            Action::FreeAsid(space) => Instr::FreeAsid(self.need(space, Kind::Space, frame)?),
            Action::AllocVmid(viommu) => {
                Instr::AllocVmid(self.need(viommu, Kind::Viommu, frame)?)
            }
            Action::FreeVmid(viommu) => Instr::FreeVmid(self.need(viommu, Kind::Viommu, frame)?),
            Action::Wait(row) => Instr::Wait(self.row(row, frame)?.0),
            Action::Lock(name) => Instr::Lock(self.lock(name, frame)),
            Action::Unlock(name) => Instr::Unlock(self.lock(name, frame)),
            Action::Cmdq(command) => Instr::Cmdq(self.command(command, true, frame)?),
            Action::Hwq(queue, command) => Instr::Hwq(*queue, self.command(command, false, frame)?),
            Action::HwqSync(queue) => Instr::Sync(*queue),
            Action::HwqGuest {
                queue,
                fixup,
                command,
            } => {
                match self.variable(command, frame) {
                    Holds::Command => {}
                    Holds::Unknown => return None,
                    Holds::Id(..) => {
                        self.sink.report(Problem::at(
                            command.span,
                            format!("`{}` is not a command", command.text),
                        ));
                        return None;
                    }
                }
                Instr::HwqGuest {
                    queue: *queue,
                    fixup: *fixup,
                    to: frame.refusal,
                }
            }
            Action::Refuse => Instr::Jump(frame.refusal),
            Action::MayFail => Instr::MayFail { to: frame.refusal },
        };
        let origin = self.origin(step, frame);
        self.asm.emit(&origin, instr);
        Some(())
    }

    /// `none` or an argument of a kind; the outer option is whether it could be looked up.
    fn maybe(
        &mut self,
        arg: &Option<Arg>,
        kind: Kind,
        frame: &Frame<'_>,
    ) -> Option<Option<Operand>> {
        match arg {
            None => Some(None),
            Some(arg) => self.need(arg, kind, frame).map(Some),
        }
    }

    fn entry(
        &mut self,
        row: &Row,
        value: &Arg,
        frame: &Frame<'_>,
    ) -> Option<(program::Row, Operand)> {
        let (row, kind) = self.row(row, frame)?;
        Some((row, self.need(value, kind, frame)?))
    }

    /// A context descriptor: which, and in whose table.
    fn cd(&mut self, slot: &Arg, frame: &Frame<'_>) -> Option<(Operand, Operand)> {
        let operand = self.need(slot, Kind::Slot, frame)?;
        let viommu = self.viommu(slot.span(), "a CD lies in the table of a vIOMMU", frame)?;
        Some((viommu, operand))
    }

    fn lock(&mut self, name: &Name, frame: &Frame<'_>) -> u8 {
        let key = (access::lock_of(frame.program.section), name.text.clone());
        let known = self.locks.iter().position(|lock| *lock == key);
        let index = known.unwrap_or_else(|| {
            self.locks.push(key);
            self.locks.len() - 1
        });
        // More locks than a byte can number are more than any scope has room for; see scopes.rs.
        index.min(u8::MAX as usize) as u8
    }

    fn assign(
        &mut self,
        step: &'a Step,
        name: &Name,
        expr: &Expr,
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let read = match expr {
            Expr::Asid(space) => self
                .need(space, Kind::Space, frame)
                .map(|space| (ReadExpr::Asid(space), Kind::Asid)),
            Expr::CdAsid(slot) => self
                .cd(slot, frame)
                .map(|(viommu, slot)| (ReadExpr::CdAsid { viommu, slot }, Kind::Asid)),
            Expr::One(row) => self
                .row(row, frame)
                .map(|(row, value)| (ReadExpr::One(row), value)),
            Expr::Empty(row) => self
                .row(row, frame)
                .map(|(row, _)| (ReadExpr::Empty(row), Kind::Flag)),
            Expr::Has(row, value) => self
                .entry(row, value, frame)
                .map(|(row, value)| (ReadExpr::Has(row, value), Kind::Flag)),
        };
        let into = self.let_variable(name, read.map(|(_, kind)| kind), frame);
        let origin = self.origin(step, frame);
        self.asm.emit(&origin, Instr::Read(into?, read?.0));
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
            None => self.must_be_new(name, frame),
        }
        self.new_variable(name, kind, From::Let, frame)
    }

    fn new_variable(
        &mut self,
        name: &Name,
        kind: Option<Kind>,
        origin: From,
        frame: &mut Frame<'a>,
    ) -> Option<Reg> {
        let reg = kind.and_then(|_| self.take_register(name.span));
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

    fn branch(
        &mut self,
        step: &'a Step,
        on: &Name,
        negated: bool,
        then: &'a [Step],
        otherwise: &'a [Step],
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        // Where the register holds something, and where it holds nothing.
        let (some, none) = if negated {
            (otherwise, then)
        } else {
            (then, otherwise)
        };
        if on.text == "ats" {
            let (runs, never) = if self.axes().ats {
                (some, none)
            } else {
                (none, some)
            };
            self.block(runs, frame);
            // The other branch is compiled for its errors only.
            self.asm.muted += 1;
            self.block(never, frame);
            self.asm.muted -= 1;
            return Some(());
        }
        let register = self.register(on, frame);
        let origin = self.origin(step, frame);
        let nothing = self.asm.label();
        if let Some(on) = register {
            self.asm.emit(&origin, Instr::Branch { on, to: nothing });
        }
        self.block(some, frame);
        if none.is_empty() {
            self.asm.bind(nothing);
            return Some(());
        }
        let end = self.asm.label();
        self.asm.silent(Instr::Jump(end));
        self.asm.bind(nothing);
        self.block(none, frame);
        self.asm.bind(end);
        Some(())
    }

    fn for_each(
        &mut self,
        step: &'a Step,
        name: &Name,
        set: &Set,
        body: &'a [Step],
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let fixed = |set, kind| Some((Load::Fixed(set), kind));
        let load = match set {
            Set::Row(row) => self
                .row(row, frame)
                .map(|(row, value)| (Load::Row(row), value)),
            Set::Pages => fixed(FixedSet::Pages, Kind::Page),
            Set::Viommus(vm) => self
                .need(vm, Kind::Vm, frame)
                .and_then(|vm| fixed(FixedSet::Viommus(vm), Kind::Viommu)),
            Set::Slots(device) => self
                .need(device, Kind::Device, frame)
                .and_then(|device| fixed(FixedSet::Slots(device), Kind::Slot)),
        };
        self.must_be_new(name, frame);
        let outside = frame.vars.len();
        let set = self.take_register(name.span);
        let variable = self.new_variable(name, load.map(|(_, kind)| kind), From::Loop, frame);
        let origin = self.origin(step, frame);
        let end = self.asm.label();
        let head = self.asm.label();
        if let (Some(from), Some(into), Some((load, _))) = (set, variable, load) {
            self.asm.emit(
                &origin,
                match load {
                    Load::Row(row) => Instr::ReadSet(from, row),
                    Load::Fixed(set) => Instr::LoadSet(from, set),
                },
            );
            self.asm.bind(head);
            self.asm.emit(
                &origin,
                Instr::Next {
                    from,
                    into,
                    to: end,
                },
            );
        }
        self.block(body, frame);
        if self.asm.is_used(end) {
            self.asm.silent(Instr::Jump(head));
        }
        self.asm.bind(end);
        self.drop_variables(outside, true, frame);
        if let Some(set) = set {
            self.asm.silent(Instr::Clear(set));
            self.registers.free(set);
        }
        Some(())
    }

    fn for_command(
        &mut self,
        step: &'a Step,
        body: &'a [Step],
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let outside = frame.vars.len();
        let origin = self.origin(step, frame);
        let (head, end) = (self.asm.label(), self.asm.label());
        self.asm.bind(head);
        self.asm.emit(&origin, Instr::TakeCommand { to: end });
        frame.vars.push(Var {
            name: "command".to_owned(),
            holds: Holds::Command,
            origin: From::Loop,
        });
        self.block(body, frame);
        self.asm.silent(Instr::Jump(head));
        self.asm.bind(end);
        frame.vars.truncate(outside);
        Some(())
    }

    /// `return`: the machine clears the registers of an operation, but those of a called program must be cleared here.
    fn end_program(&mut self, step: &'a Step, frame: &Frame<'a>) -> Option<()> {
        let origin = self.origin(step, frame);
        let Some(end) = frame.end else {
            self.asm.emit(&origin, Instr::Return);
            return Some(());
        };
        for reg in each(self.registers.used & !frame.outer) {
            self.asm.silent(Instr::Clear(reg));
        }
        self.asm.emit(&origin, Instr::Jump(end));
        Some(())
    }
}

/// How a loop gets its set.
#[derive(Clone, Copy)]
enum Load {
    Row(program::Row),
    Fixed(FixedSet),
}
