//! Who may do what: which sections' programs may take which steps.

use model::S1dss;
use model::program::Section;

use super::super::axes::Writer;
use super::super::report::Problem;
use super::super::text::ast::{Action, Expr, SteWord0, Step};
use super::compiler::{Compiler, Frame, LockOf};

/// Reports a step that the section's programs may not take.
pub(super) fn check(compiler: &mut Compiler<'_>, step: &Step, frame: &Frame<'_>) {
    let section = frame.program.section;
    let guest = section == Section::Guest;
    let problem = match &step.action {
        Action::CdWord0(..) | Action::CdWord1(..) => match (compiler.parts.axes.writer, guest) {
            (Writer::Guest, false) => Some((
                "the guest writes this CD table",
                "`writer = \"guest\"`: only [guest] programs write `cd(...)`",
            )),
            (Writer::Hypervisor, true) => Some((
                "the hypervisor writes this CD table",
                "`writer = \"hypervisor\"`: only [vmm], [kernel] and [host] programs write `cd(...)`",
            )),
            _ => None,
        },
        Action::SteWord0(..) | Action::SteWord1 { .. } | Action::SteWord2(..) if guest => Some((
            "a guest cannot write the host's stream table",
            "only [vmm], [kernel] and [host] programs do",
        )),
        Action::SteWord0(_, SteWord0::S2Trans) | Action::SteWord1 { bypass: true, .. }
            if compiler.parts.axes.axes.s1dss != S1dss::Bypass =>
        {
            Some((
                "no traffic bypasses stage 1 in this variant",
                "say `s1dss = \"bypass\"` in [axes]: then there is traffic without SubstreamID that does",
            ))
        }
        Action::S2 { .. } if guest => Some((
            "a guest cannot write stage 2",
            "only [vmm], [kernel] and [host] programs do",
        )),
        Action::AllocVmid(_) | Action::FreeVmid(_) if guest => Some((
            "a guest does not know of VMIDs",
            "only [vmm], [kernel] and [host] programs allocate them",
        )),
        Action::Let(_, Expr::Asid(_)) | Action::AllocAsid(_) | Action::FreeAsid(_) if !guest => {
            Some((
                "which ASID a space has is known to the guest's driver only",
                "only [guest] programs ask or allocate; others are told, or read a table of their own",
            ))
        }
        Action::Cmdq(_) | Action::CmdqSync { .. } if !guest => Some((
            "`cmdq` is the guest's queue",
            "the host's is `hwq`; the guest's commands are taken with `for command in queue:`",
        )),
        Action::Hwq(0, _)
        | Action::HwqSync { queue: 0, .. }
        | Action::HwqGuest { queue: 0, .. }
        | Action::HwqChunk { .. }
            if !matches!(section, Section::Kernel | Section::Host) =>
        {
            Some((
                "`hwq` is the host's queue",
                "only [kernel] and [host] programs issue commands on it",
            ))
        }
        Action::Chunk(_) | Action::HwqGuest { fixup: true, .. }
            if compiler.parts.axes.accepts.is_none() =>
        {
            Some((
                "what does `fixup` accept?",
                "[axes] lacks `accepts = [...]`",
            ))
        }
        Action::Report if !frame.doorbell => Some((
            "nobody is told here how much was handled",
            "only `vmm.doorbell`, and what it calls, handles a guest's queue",
        )),
        Action::ForCommand(_) if !frame.doorbell => Some((
            "there is no queue here",
            "only `vmm.doorbell`, and what it calls, has the guest's queue",
        )),
        _ => None,
    };
    if let Some((message, label)) = problem {
        compiler
            .sink
            .report(Problem::at(step.span, message).label(label));
    }
}

/// Who shares the locks of a section's programs.
pub(super) fn lock_of(section: Section) -> LockOf {
    match section {
        Section::Guest => LockOf::Guest,
        Section::Vmm => LockOf::Vmm,
        Section::Kernel | Section::Host => LockOf::Host,
    }
}
