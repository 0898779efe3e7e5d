//! Calls: the callee's steps in place of the call, and what a guest is told about its request.

use model::program::{Crossing, Instr, Kind, Section};

use super::super::programs::{ParamKind, Program};
use super::super::report::Problem;
use super::super::text::ast::{Arg, Call, Name, Step, Via};
use super::super::words::{did_you_mean, one_of};
use super::assembler::Label;
use super::compiler::{Compiler, Frame, lookup};
use super::scope::{Holds, Origin as From, Var, each};

/// A call with everything looked up.
struct Request<'a> {
    callee: usize,
    params: Vec<Var>,
    /// How it crosses a boundary, if it does.
    crossing: Option<Crossing>,
    /// At every how-many-th time it is made at all; the doorbell only.
    cut: Option<u8>,
    on_refusal: Option<&'a [Step]>,
}

impl<'a> Compiler<'a> {
    /// `exit P(args)` and its like.
    pub fn call(&mut self, step: &'a Step, call: &'a Call, frame: &mut Frame<'a>) -> Option<()> {
        let on_refusal = call.on_refusal.as_deref();
        let Some(callee) = self.callee(call.via, &call.program, frame) else {
            self.block(on_refusal.unwrap_or_default(), frame);
            return None;
        };
        let params = self.arguments(&call.args, call.program.span, callee, frame)?;
        let crossing = match call.via {
            Via::Exit => Some(Crossing::Exit),
            Via::Ioctl => Some(Crossing::Ioctl),
            Via::Hypercall => Some(Crossing::Hypercall),
            Via::Call => None,
        };
        let place = call.program.span;
        self.request(
            step,
            place,
            Request {
                callee,
                params,
                crossing,
                cut: None,
                on_refusal,
            },
            frame,
        )
    }

    /// `cmdq SYNC`
    pub fn doorbell(
        &mut self,
        step: &'a Step,
        on_refusal: Option<&'a [Step]>,
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        let Some(callee) = self.parts.programs.iter().position(Program::is_doorbell) else {
            self.sink.report_once(
                Problem::at(step.span, "nobody hears the doorbell that this step rings")
                    .label("the spec has no program `vmm.doorbell`"),
            );
            return None;
        };
        let cut = Some(self.parts.axes.cut);
        let request = Request {
            callee,
            params: Vec::new(),
            crossing: Some(Crossing::Exit),
            cut,
            on_refusal,
        };
        self.request(step, step.span, request, frame)
    }

    fn request(
        &mut self,
        step: &'a Step,
        place: super::super::source::Span,
        request: Request<'a>,
        frame: &mut Frame<'a>,
    ) -> Option<()> {
        if self.stack.contains(&request.callee) {
            let programs = self.parts.programs;
            let first = self
                .stack
                .iter()
                .position(|index| *index == request.callee)
                .unwrap_or(0);
            let chain: Vec<_> = self.stack[first..]
                .iter()
                .chain([&request.callee])
                .map(|index| programs[*index].full_name())
                .collect();
            self.sink.report(
                Problem::at(
                    place,
                    format!(
                        "`{}` ends up calling itself",
                        programs[request.callee].full_name()
                    ),
                )
                .label("a program cannot call itself: calls are written out in place")
                .help(format!("the cycle is {}", chain.join(" -> "))),
            );
            return None;
        }
        let guests = frame.program.section == Section::Guest && request.crossing.is_some();
        let origin = self.origin(step, frame);
        let [after, refused, end] = [self.asm.label(), self.asm.label(), self.asm.label()];
        match request.crossing {
            Some(crossing) => self.asm.emit(&origin, Instr::Enter(crossing)),
            // Costs nothing, but the step has to be seen to be executed.
            None => {
                let next = self.asm.label();
                self.asm.emit(&origin, Instr::Jump(next));
                self.asm.bind(next);
            }
        }
        if let Some(every) = request.cut {
            self.asm.emit(&origin, Instr::Cut { every, to: after });
        }
        let lands_here = guests || request.on_refusal.is_some();
        let mut inner = self.frame(request.callee, request.params, frame.guests, frame);
        inner.doorbell |= request.cut.is_some();
        inner.refusal = if lands_here { refused } else { frame.refusal };
        inner.end = Some(end);
        if guests {
            for ask in &inner.program.asks {
                if let Some(command) = self.command(ask, true, &inner) {
                    self.asm.emit(&origin, Instr::Ask(command));
                }
            }
        }
        let touched = self.body(inner);
        self.asm.bind(end);
        if guests {
            self.asm.emit(&origin, Instr::Answer);
        }
        if self.asm.is_used(refused) || request.on_refusal.is_some() {
            self.asm.silent(Instr::Jump(after));
            self.asm.bind(refused);
            if guests {
                self.asm.emit(&origin, Instr::Refused);
            }
            match request.on_refusal {
                Some(block) => {
                    for reg in each(touched & !self.registers.used) {
                        self.asm.silent(Instr::Clear(reg));
                    }
                    self.block(block, frame);
                }
                None => self.asm.silent(Instr::Jump(frame.refusal)),
            }
        }
        self.asm.bind(after);
        Some(())
    }

    /// A frame for a called program; its `refusal` and `end` are the caller's business.
    pub fn frame(
        &self,
        callee: usize,
        mut params: Vec<Var>,
        guests: bool,
        caller: &Frame<'_>,
    ) -> Frame<'a> {
        if guests && !params.iter().any(|var| var.name == "viommu") {
            params.insert(0, Var::implicit_viommu());
        }
        Frame {
            index: callee,
            program: &self.parts.programs[callee],
            vars: params,
            refusal: caller.refusal,
            end: caller.end,
            outer: self.registers.used,
            guests,
            doorbell: caller.doorbell,
        }
    }

    /// Writes a program out; returns the registers that it used.
    pub fn body(&mut self, mut frame: Frame<'a>) -> super::scope::RegSet {
        let before = std::mem::take(&mut self.registers.touched);
        // Of a program that was not understood as a whole, every second line would seem to be wrong.
        if !self.asm.is_full() && frame.program.understood {
            self.stack.push(frame.index);
            self.block(&frame.program.steps, &mut frame);
            self.stack.pop();
        }
        let touched = self.registers.touched;
        self.registers.touched |= before;
        touched
    }

    /// The program that a call names.
    fn callee(&mut self, via: Via, name: &Name, frame: &Frame<'_>) -> Option<usize> {
        let from = frame.program.section;
        let targets: &[Section] = match (via, from) {
            (Via::Exit, Section::Guest) => &[Section::Vmm],
            (Via::Ioctl, Section::Vmm) => &[Section::Kernel],
            (Via::Hypercall, Section::Guest) => &[Section::Kernel, Section::Vmm],
            (Via::Call, Section::Guest) => &[Section::Guest],
            (Via::Call, Section::Vmm) => &[Section::Vmm],
            (Via::Call, Section::Kernel) => &[Section::Kernel],
            (Via::Call, Section::Host) => &[Section::Host],
            _ => {
                let whose = if via == Via::Ioctl {
                    "[vmm]"
                } else {
                    "[guest]"
                };
                self.sink.report(
                    Problem::at(
                        name.span,
                        format!("a [{}] program makes no `{}`", from.name(), via.word()),
                    )
                    .label(format!(
                        "only {whose} programs do; `call` calls programs of the same section"
                    )),
                );
                return None;
            }
        };
        let programs = self.parts.programs;
        if name.text == "doorbell" && targets.contains(&Section::Vmm) {
            self.sink.report(
                Problem::at(name.span, "`vmm.doorbell` is not called by its name")
                    .label("it runs at `cmdq SYNC`"),
            );
            return None;
        }
        let found = targets.iter().find_map(|section| {
            programs
                .iter()
                .position(|program| program.section == *section && program.name == name.text)
        });
        if found.is_none() {
            let names = || {
                programs
                    .iter()
                    .filter(|program| targets.contains(&program.section))
                    .map(|program| program.name.as_str())
            };
            let sections: Vec<_> = targets
                .iter()
                .map(|section| format!("[{}]", section.name()))
                .collect();
            let elsewhere = programs
                .iter()
                .find(|program| program.name == name.text && program.section != from);
            self.sink.report(
                Problem::at(
                    name.span,
                    format!("{} has no program `{}`", sections.join(" or "), name.text),
                )
                .label(match names().next() {
                    Some(_) => format!("expected {}", one_of(names())),
                    None => "there are no programs there".to_owned(),
                })
                .hint(did_you_mean(&name.text, names()))
                .hint(elsewhere.map(|program| format!("there is a `{}`", program.full_name()))),
            );
        }
        found
    }

    /// A callee's parameters, which stand for the caller's arguments.
    fn arguments(
        &mut self,
        args: &[Arg],
        place: super::super::source::Span,
        callee: usize,
        frame: &Frame<'_>,
    ) -> Option<Vec<Var>> {
        let program = &self.parts.programs[callee];
        if !program.understood {
            return None;
        }
        if args.len() != program.params.len() {
            self.sink.report(
                Problem::at(
                    place,
                    format!(
                        "`{}` takes {} arguments, not {}",
                        program.name,
                        program.params.len(),
                        args.len()
                    ),
                )
                .label(format!("expected `{}`", program.signature()))
                .also(program.span, "declared here"),
            );
            return None;
        }
        let mut vars = Vec::new();
        for (arg, (name, kind)) in args.iter().zip(&program.params) {
            let holds = match kind {
                ParamKind::Id(kind) => match self.need(arg, *kind, frame) {
                    Some(operand) => Holds::Id(operand, *kind),
                    None => Holds::Unknown,
                },
                ParamKind::Command => self.command_argument(arg, frame),
            };
            vars.push(Var {
                name: name.clone(),
                holds,
                origin: From::Param,
            });
        }
        Some(vars)
    }

    fn command_argument(&mut self, arg: &Arg, frame: &Frame<'_>) -> Holds {
        if let Arg::Name(name) = arg {
            match lookup(frame, &name.text) {
                Some(Holds::Command) => return Holds::Command,
                Some(Holds::Id(..)) => {}
                _ => {
                    self.variable(name, frame);
                    return Holds::Unknown;
                }
            }
        }
        self.sink.report(
            Problem::at(arg.span(), "expected the taken command")
                .label("`for command in queue:` takes one"),
        );
        Holds::Unknown
    }

    /// A place that ends an entry with an error, if anything goes there.
    pub fn fail(&mut self, label: Label) {
        if self.asm.is_used(label) {
            self.asm.bind(label);
            self.asm.silent(Instr::Fail);
        }
    }

    /// The kinds of a program's parameters, if a guest can make them up.
    pub fn guest_made(program: &Program) -> Option<Vec<Kind>> {
        let kind = |(_, kind): &(String, ParamKind)| match kind {
            ParamKind::Id(kind) => Some(*kind),
            ParamKind::Command => None,
        };
        program.params.iter().map(kind).collect()
    }
}
