//! Which entries of the code contain a step, and so which runs its removal cannot change.
//!
//! Calls are written out in place, so that the code of an entry is all that a thread executes which began there; entries share
//! tables, locks and allocators, but no instruction.

use model::SourceStep;
use model::program::{Entry, Start};
use vocab::Threat;

use crate::spec::{Part, Spec};

/// The entries whose code contains one of some steps.
pub fn entries(spec: &Spec, removed: impl Fn(&SourceStep) -> bool) -> Vec<&Entry> {
    let code = &spec.code;
    let begins = |entry: &Entry| usize::from(entry.pc);
    let ends = |entry: &Entry| {
        let later = code.entries.iter().map(begins);
        let next = later.filter(|pc| *pc > begins(entry)).min();
        next.unwrap_or(code.instrs.len())
    };
    let contains = |entry: &&Entry| {
        let mut sources = code.source[begins(entry)..ends(entry)].iter();
        sources.any(|&source| code.steps.get(usize::from(source)).is_some_and(&removed))
    };
    code.entries.iter().filter(contains).collect()
}

/// Whether a thread may begin at an entry in a part under a threat (`model/src/step.rs`: a hostile guest makes calls and follows
/// no program; the host follows its own).
pub fn may_begin(entry: &Entry, part: &Part, threat: Threat) -> bool {
    let bounds = &part.bounds;
    match &entry.start {
        Start::Operation(kind) if kind.is_guests() => {
            threat != Threat::Hostile
                && bounds.guest_threads > 0
                && bounds.operations.contains(kind)
        }
        Start::Operation(kind) => bounds.host_threads > 0 && bounds.operations.contains(kind),
        Start::Call(_) | Start::Doorbell => threat == Threat::Hostile && bounds.guest_threads > 0,
    }
}

/// The names of the entries, by which a hostile guest's calls are told.
pub fn names(spec: &Spec) -> Vec<&str> {
    let entries = spec.code.entries.iter();
    entries.map(|entry| entry.name.as_str()).collect()
}
