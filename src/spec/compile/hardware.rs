//! Steps of the hardware's queue that may end in an error, and the taken command that they are about.

use model::program::Instr;

use super::super::report::Problem;
use super::super::text::ast::{Name, Step};
use super::compiler::{Compiler, Frame};
use super::scope::Holds;

impl<'a> Compiler<'a> {
    /// An instruction of which the hardware may report an error, and what is done about it. Without `on error:` nobody hears of it.
    pub fn may_error(
        &mut self,
        step: &'a Step,
        instr: Instr,
        on_error: Option<&'a [Step]>,
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let origin = self.origin(step, frame);
        self.asm.emit(&origin, instr);
        if let Some(block) = on_error {
            let after = self.asm.label();
            self.asm.silent(Instr::OnError { to: after });
            self.block(block, frame);
            self.asm.bind(after);
        }
        Some(())
    }

    /// `hwq chunk`: a loop over what was converted. What `on error:` says is done for each command that failed.
    pub fn issue_chunk(
        &mut self,
        step: &'a Step,
        on_error: Option<&'a [Step]>,
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let origin = self.origin(step, frame);
        let [head, end] = [self.asm.label(), self.asm.label()];
        self.asm.bind(head);
        self.asm.emit(&origin, Instr::ChunkEmpty { to: end });
        self.may_error(step, Instr::HwqChunk(0), on_error, frame);
        self.asm.silent(Instr::Jump(head));
        self.asm.bind(end);
        Some(())
    }

    /// A name that must stand for the taken command.
    pub fn is_command(&mut self, name: &Name, frame: &Frame<'_>) -> Option<()> {
        match self.variable(name, frame) {
            Holds::Command => Some(()),
            Holds::Unknown => None,
            Holds::Id(..) => {
                self.sink.report(Problem::at(
                    name.span,
                    format!("`{}` is not a command", name.text),
                ));
                None
            }
        }
    }
}
