//! Branches, loops and returns: where the code goes on.

use model::program::{self, FixedSet, Instr, Kind};

use super::super::text::ast::{Name, Set, Step, Test};
use super::compiler::{Compiler, Frame};
use super::scope::{Holds, Origin as From, Var, each};

impl<'a> Compiler<'a> {
    /// `if x:`
    pub fn branch(
        &mut self,
        step: &'a Step,
        on: &Test,
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
        if let Test::Variable(Name { text, .. }) = on
            && text == "ats"
        {
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
        let nothing = self.asm.label();
        let branch = match on {
            Test::ChunkIsFull => Some(Instr::ChunkFull { to: nothing }),
            Test::Variable(name) => self
                .register(name, frame)
                .map(|on| Instr::Branch { on, to: nothing }),
        };
        let origin = self.origin(step, frame);
        if let Some(branch) = branch {
            self.asm.emit(&origin, branch);
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

    /// `for x in ...:`
    pub fn for_each(
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

    /// `for command in queue:`
    pub fn for_command(
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
    pub fn end_program(&mut self, step: &'a Step, frame: &Frame<'a>) -> Option<()> {
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
