//! Steps, one after another: what each becomes.

use model::program::{self, Instr, Kind, Operand};

use super::super::text::ast::{Action, Arg, Name, Row, SteWord0, Step, Word0};
use super::access;
use super::compiler::{Compiler, Frame};

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
            Action::Pte {
                space,
                page,
                ipa,
                global,
            } => {
                let space = self.need(space, Kind::Space, frame);
                let page = self.need(page, Kind::Page, frame);
                let ipa = self.maybe(ipa, Kind::Ipa, frame);
                Instr::Pte {
                    space: space?,
                    page: page?,
                    ipa: ipa?,
                    global: *global,
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
            Action::SteWord0(device, value) => {
                let device = self.need(device, Kind::Device, frame);
                let value = match value {
                    SteWord0::Abort => program::SteWord0::Abort,
                    SteWord0::S2Trans => program::SteWord0::S2Trans,
                    SteWord0::Nested(viommu) => {
                        program::SteWord0::Nested(self.need(viommu, Kind::Viommu, frame)?)
                    }
                };
                Instr::SteWord0 {
                    device: device?,
                    value,
                }
            }
            Action::SteWord1 {
                device,
                eats,
                bypass,
            } => Instr::SteWord1 {
                device: self.need(device, Kind::Device, frame)?,
                eats: *eats,
                bypass: *bypass,
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
            Action::HwqSync { queue, on_error } => {
                let sync = Instr::Sync(*queue);
                return self.may_error(step, sync, on_error.as_deref(), frame);
            }
            Action::HwqChunk { on_error } => {
                return self.issue_chunk(step, on_error.as_deref(), frame);
            }
            Action::Chunk(command) => {
                self.is_command(command, frame)?;
                Instr::Chunk { to: frame.refusal }
            }
            Action::Report => Instr::Report,
            Action::HwqGuest {
                queue,
                fixup,
                command,
                on_error,
            } => {
                self.is_command(command, frame)?;
                let forward = Instr::HwqGuest {
                    queue: *queue,
                    fixup: *fixup,
                    to: frame.refusal,
                };
                return self.may_error(step, forward, on_error.as_deref(), frame);
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

    pub fn entry(
        &mut self,
        row: &Row,
        value: &Arg,
        frame: &Frame<'_>,
    ) -> Option<(program::Row, Operand)> {
        let (row, kind) = self.row(row, frame)?;
        Some((row, self.need(value, kind, frame)?))
    }

    /// A context descriptor: which, and in whose table.
    pub fn cd(&mut self, slot: &Arg, frame: &Frame<'_>) -> Option<(Operand, Operand)> {
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
}
