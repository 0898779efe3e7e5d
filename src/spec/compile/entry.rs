//! Where threads begin, and the code as a whole.

use model::program::{Code, Crossing, Entry, Instr, Kind, SourceStep, Start};
use model::{OpKind, StepSet};

use super::super::axes::AxesRead;
use super::super::programs::Program;
use super::super::report::{Problem, Sink};
use super::super::source::{Files, Span};
use super::super::tables::TableRead;
use super::super::text::ast::Via;
use super::assembler::Assembler;
use super::compiler::{Compiler, Frame, LockOf, Parts};
use super::reach;
use super::scope::{Registers, Var};

/// Compiles every program that an operation or a hostile guest reaches.
///
/// After an error the code has its entries, tables and locks, against which scopes are checked, but no instructions.
pub(crate) fn compile(
    axes: &AxesRead,
    tables: &[TableRead],
    programs: &[Program],
    whole: Span,
    files: &Files,
    sink: &mut Sink,
) -> Code {
    let errors = sink.count();
    let mut first_steps = vec![0];
    for program in programs {
        first_steps.push(first_steps[first_steps.len() - 1] + program.lines.len());
    }
    if errors == 0 {
        // A line that could not be understood may be the very one that calls or locks.
        reach::check_programs(programs, sink);
        reach::check_locks(programs, sink);
    }
    let parts = Parts {
        axes,
        tables,
        programs,
        first_steps,
    };
    let mut compiler = Compiler {
        parts: &parts,
        sink,
        asm: Assembler::default(),
        registers: Registers::with_params(0),
        locks: Vec::new(),
        stack: Vec::new(),
    };
    let mut entries = Vec::new();
    for op in OpKind::ALL {
        if let Some(index) = programs
            .iter()
            .position(|program| program.operation == Some(op))
        {
            entries.push(compiler.operation(op, index));
        }
    }
    for (index, via) in reach::guest_calls(programs) {
        entries.extend(compiler.hostile_call(index, via));
    }
    if let Some(index) = programs.iter().position(Program::is_doorbell) {
        entries.push(compiler.hostile_doorbell(index));
    }
    let Compiler {
        asm, locks, sink, ..
    } = compiler;
    if asm.is_full() {
        sink.report(
            Problem::at(
                whole,
                "the programs are too large once their calls are written out",
            )
            .help("a program that calls another twice contains it twice"),
        );
    }
    let mut code = Code {
        entries,
        tables: tables.iter().map(|table| table.table.clone()).collect(),
        locks: locks
            .into_iter()
            .map(|(of, name)| (name, of != LockOf::Host))
            .collect(),
        accepts: axes.accepts.clone().unwrap_or_default(),
        ..Code::default()
    };
    if sink.count() == errors {
        finish(&mut code, asm, &parts, files, sink);
    }
    code
}

impl<'a> Compiler<'a> {
    fn operation(&mut self, op: OpKind, index: usize) -> Entry {
        let program = &self.parts.programs[index];
        let params = Self::params(program);
        self.registers = Registers::with_params(params.len());
        let pc = self.asm.here();
        let fail = self.asm.label();
        let guests = op.is_guests();
        let outermost = Frame {
            index,
            program,
            vars: Vec::new(),
            refusal: fail,
            end: None,
            outer: self.registers.used,
            guests,
            doorbell: false,
        };
        let frame = self.frame(index, params, guests, &outermost);
        self.body(frame);
        self.asm.silent(Instr::Return);
        self.fail(fail);
        Entry {
            name: op.name().to_owned(),
            start: Start::Operation(op),
            pc,
        }
    }

    /// A call that a hostile guest makes; it asks for nothing, so nothing is owed to it.
    fn hostile_call(&mut self, index: usize, via: Via) -> Option<Entry> {
        let program = &self.parts.programs[index];
        // What needs a command cannot be called by a guest; that was reported where the guest tries.
        let kinds: Vec<Kind> = Self::guest_made(program)?;
        if kinds.len() > 3 {
            self.sink.report(
                Problem::at(
                    program.span,
                    "a program that guests call takes at most 3 parameters",
                )
                .label(format!("this one takes {}", kinds.len())),
            );
            return None;
        }
        let crossing = if via == Via::Hypercall {
            Crossing::Hypercall
        } else {
            Crossing::Exit
        };
        let pc = self.guest_made_entry(index, crossing, false);
        Some(Entry {
            name: program.full_name(),
            start: Start::Call(kinds),
            pc,
        })
    }

    fn hostile_doorbell(&mut self, index: usize) -> Entry {
        let pc = self.guest_made_entry(index, Crossing::Exit, true);
        Entry {
            name: self.parts.programs[index].full_name(),
            start: Start::Doorbell,
            pc,
        }
    }

    fn guest_made_entry(&mut self, index: usize, crossing: Crossing, doorbell: bool) -> model::Pc {
        let program = &self.parts.programs[index];
        let params = Self::params(program);
        self.registers = Registers::with_params(params.len());
        let pc = self.asm.here();
        let (refused, end) = (self.asm.label(), self.asm.label());
        let outermost = Frame {
            index,
            program,
            vars: Vec::new(),
            refusal: refused,
            end: Some(end),
            outer: self.registers.used,
            guests: true,
            doorbell,
        };
        self.asm.silent(Instr::Enter(crossing));
        let frame = self.frame(index, params, true, &outermost);
        self.body(frame);
        self.asm.bind(end);
        self.asm.silent(Instr::Answer);
        self.asm.silent(Instr::Return);
        if self.asm.is_used(refused) {
            self.asm.bind(refused);
            self.asm.silent(Instr::Refused);
            self.asm.silent(Instr::Fail);
        }
        pc
    }

    fn params(program: &Program) -> Vec<Var> {
        let params = program.params.iter().enumerate();
        params
            .map(|(index, (name, kind))| Var::entry_param(index, name, *kind))
            .collect()
    }
}

/// Numbers the steps that instructions come from, in the order of sections and lines.
fn finish(code: &mut Code, asm: Assembler, parts: &Parts<'_>, files: &Files, sink: &mut Sink) {
    let (instrs, origins) = asm.finish();
    let mut numbers = vec![None; parts.first_steps[parts.programs.len()]];
    for step in origins.iter().filter_map(|origin| origin.step) {
        numbers[step] = Some(0);
    }
    for (program, first) in parts.programs.iter().zip(&parts.first_steps) {
        for (line, number) in program.lines.iter().zip(&mut numbers[*first..]) {
            if number.is_none() {
                continue;
            }
            if code.steps.len() == StepSet::CAPACITY {
                let message = format!("the programs have more than {} steps", StepSet::CAPACITY);
                sink.report(
                    Problem::at(line.span, message).label("this is the first one too many"),
                );
                return;
            }
            *number = Some(code.steps.len() as u16);
            code.steps.push(SourceStep {
                section: program.section,
                program: program.name.clone(),
                line: files.line(line.span),
                file: files.get(line.span.file).path.clone(),
                text: line.text.clone(),
            });
        }
    }
    code.source = origins
        .iter()
        .map(|origin| {
            origin
                .step
                .and_then(|step| numbers[step])
                .unwrap_or(u16::MAX)
        })
        .collect();
    code.bindings = origins.into_iter().map(|origin| origin.bindings).collect();
    code.instrs = instrs;
}
