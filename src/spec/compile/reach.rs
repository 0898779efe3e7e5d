//! What nothing leads to: programs that nobody calls, locks that nobody takes.

use std::collections::{BTreeMap, BTreeSet};

use model::program::{OpKind, Section};

use super::super::programs::Program;
use super::super::report::{Problem, Sink};
use super::super::text::ast::{Action, Call, Via, walk};
use super::super::words::did_you_mean;
use super::access::lock_of;
use super::compiler::LockOf;

/// The programs that a program calls, whether or not an axis leaves the call out; and how.
fn callees<'a>(programs: &'a [Program], index: usize) -> Vec<(usize, Via)> {
    let from = programs[index].section;
    let mut found = Vec::new();
    let find = |section: Section, name: &str| {
        programs
            .iter()
            .position(|program| program.section == section && program.name == name)
    };
    walk(
        &programs[index].steps,
        &mut |step: &'a _| match &step.action {
            Action::CmdqSync { .. } => found.extend(
                programs
                    .iter()
                    .position(Program::is_doorbell)
                    .map(|at| (at, Via::Exit)),
            ),
            Action::Call(Call { via, program, .. }) => {
                let at = match via {
                    Via::Exit => find(Section::Vmm, &program.text),
                    Via::Ioctl => find(Section::Kernel, &program.text),
                    Via::Hypercall => {
                        find(Section::Kernel, &program.text).or(find(Section::Vmm, &program.text))
                    }
                    Via::Call => find(from, &program.text),
                };
                found.extend(at.map(|at| (at, *via)));
            }
            _ => {}
        },
    );
    found
}

/// The programs that guests call by exit or hypercall, each once, in the order of programs; the doorbell apart.
pub(super) fn guest_calls(programs: &[Program]) -> BTreeMap<usize, Via> {
    let mut calls = BTreeMap::new();
    for (index, _) in programs
        .iter()
        .enumerate()
        .filter(|(_, program)| program.section == Section::Guest)
    {
        for (callee, via) in callees(programs, index) {
            if via != Via::Call && !programs[callee].is_doorbell() {
                calls.entry(callee).or_insert(via);
            }
        }
    }
    calls
}

/// The programs that some operation leads to, operations included.
pub(crate) fn reached(programs: &[Program]) -> BTreeSet<usize> {
    let mut reached: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<usize> = (0..programs.len())
        .filter(|index| programs[*index].operation.is_some())
        .collect();
    while let Some(index) = open.pop() {
        if reached.insert(index) {
            open.extend(
                callees(programs, index)
                    .into_iter()
                    .map(|(callee, _)| callee),
            );
        }
    }
    reached
}

/// Reports programs that no operation leads to.
pub(super) fn check_programs(programs: &[Program], sink: &mut Sink) {
    let reached = reached(programs);
    for (index, program) in programs.iter().enumerate() {
        if reached.contains(&index) {
            continue;
        }
        let operations = OpKind::ALL
            .iter()
            .filter(|op| op.is_guests() == (program.section == Section::Guest));
        let hint = match program.section {
            Section::Guest | Section::Host => {
                did_you_mean(&program.name, operations.map(|op| op.name()))
            }
            Section::Vmm => did_you_mean(&program.name, ["doorbell"]),
            Section::Kernel => None,
        };
        sink.report(
            Problem::at(
                program.span,
                format!("nothing calls `{}`", program.full_name()),
            )
            .label("it is no operation, and no operation leads to it")
            .hint(hint),
        );
    }
}

/// Reports locks that are let go of and never taken: a name that was misspelt.
pub(super) fn check_locks(programs: &[Program], sink: &mut Sink) {
    let mut locked: Vec<(LockOf, &str)> = Vec::new();
    for program in programs {
        walk(&program.steps, &mut |step| {
            if let Action::Lock(name) = &step.action {
                locked.push((lock_of(program.section), &name.text));
            }
        });
    }
    for program in programs {
        let of = lock_of(program.section);
        walk(&program.steps, &mut |step| {
            if let Action::Unlock(name) = &step.action
                && !locked.contains(&(of, &name.text))
            {
                let known = locked
                    .iter()
                    .filter(|(owner, _)| *owner == of)
                    .map(|(_, name)| *name);
                sink.report(
                    Problem::at(name.span, format!("nothing locks `{}`", name.text))
                        .hint(did_you_mean(&name.text, known))
                        .help("[guest] and [vmm] programs have locks of their own, [kernel] and [host] programs share theirs"),
                );
            }
        });
    }
}
