//! Steps in words: who, what, and only what changed. And what is wrong with a state, in one sentence.
//!
//! A story is made to be checked by hand against the manual and the spec file: a step reads as its author wrote it, with what its
//! variables hold in their place; a cache is named with its tag and what it holds. Nothing here decides anything: it retraces
//! a step that was taken.

mod actor;
mod changes;
mod deed;
mod end;
mod fetched;
mod names;
mod retrace;
mod text;
mod untrue;
mod waits;
mod written;

use vocab::{Command, PropertyId, Slot};

use crate::caches::Caches;
use crate::command::decode;
use crate::machine::Machine;
use crate::program::{Section, SourceStep, Start};
use crate::state::State;
use crate::step::Step;
pub use actor::{Actor, actor};
pub use deed::{Deed, deed};
pub use fetched::{Cache, assumed, entry};
use retrace::Retraced;
pub use waits::{Wait, waits};
pub use written::written;

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who moves.
    pub who: String,
    /// What is done.
    pub what: String,
    /// What is different afterwards.
    pub changes: Vec<String>,
}

/// Tells a step that led from one state to another.
pub fn describe(machine: &Machine, before: &State, step: Step, after: &State) -> Line {
    let retraced = retrace::retrace(machine, before, step);
    let (who, what) = match (step, &retraced) {
        (Step::Fill(byte, bit), _) => {
            (keeper(machine, byte, bit), format!("caches {}", kind(byte)))
        }
        (Step::Evict(byte, bit), _) => {
            (keeper(machine, byte, bit), format!("drops {}", kind(byte)))
        }
        (Step::TakeEffect(place), _) => ("smmu".to_owned(), takes_effect(machine, before, place)),
        (Step::Begin { thread, .. } | Step::Go { thread, .. }, Some(retraced)) => (
            actor::of_section(machine, thread as usize, retraced.section).to_string(),
            action(machine, step, retraced, after),
        ),
        (Step::Begin { thread, .. } | Step::Go { thread, .. }, None) => {
            (machine.thread_name(thread as usize), "goes on".to_owned())
        }
    };
    let changes = changes::changes(machine, before, after, retraced.as_ref());
    Line { who, what, changes }
}

/// Says what is wrong with a state that violates a property; of P-LIVE, where everybody waits. What a guest was told only the
/// `last` step knows, taken in a state.
pub fn violation(
    machine: &Machine,
    last: Option<(&State, Step)>,
    state: &State,
    property: PropertyId,
) -> String {
    end::violation(machine, last, state, property)
}

/// The step of a program that a thread's step is from, with its file and line; none for hardware's.
pub fn source<'a>(machine: &'a Machine, before: &State, step: Step) -> Option<&'a SourceStep> {
    let told = retrace::retrace(machine, before, step)?;
    let pc = told.at?.threads[told.thread].pc;
    Some(&machine.code.steps[machine.code.step_of(pc)?])
}

/// The operation or call that a step begins: `unmap(space 0, page 0)`.
pub fn begun(machine: &Machine, step: Step) -> String {
    beginning(machine, step)
}

/// What may legitimately be reached after several steps and could not before, and the reverse.
pub fn promised(machine: &Machine, before: &State, after: &State) -> Vec<String> {
    let mut promised = Vec::new();
    changes::legitimate(machine, before, after, &mut promised);
    promised
}

/// How the operation or call of a thread ended, if it did in this step.
pub fn ended(machine: &Machine, before: &State, step: Step) -> Option<bool> {
    retrace::retrace(machine, before, step)?.ended
}

/// `guest 0`, or `guest 0.1` for the second thread of a VM that has several.
pub fn thread_name(machine: &Machine, thread: usize) -> String {
    machine.thread_name(thread)
}

/// Whether a step said of what was taken of an array so far that it is handled.
pub fn reported(machine: &Machine, before: &State, step: Step) -> bool {
    retrace::retrace(machine, before, step).is_some_and(|told| told.reported)
}

/// A slot's traffic: `device 0 ssid 1`, or `device 0 without ssid` where CD 0 is for such traffic.
pub fn traffic_name(machine: &Machine, slot: Slot) -> String {
    machine.traffic_name(slot)
}

/// A command as it is in a hardware queue: `TLBI_NH_VA(vmid 0, asid 0, page 0)`.
pub fn command(machine: &Machine, command: Command) -> String {
    machine.issued_command(command)
}

/// What a thread does: what it begins, the step, how it ends.
fn action(machine: &Machine, step: Step, retraced: &Retraced, after: &State) -> String {
    let mut what = Vec::new();
    if let Step::Begin { .. } = step {
        what.push(beginning(machine, step));
    }
    if let Some(at) = &retraced.at {
        let pc = at.threads[retraced.thread].pc;
        if let (Some(Section::Vmm | Section::Kernel), Step::Go { .. }) = (retraced.section, step) {
            what.extend(machine.program_of(pc));
        }
        what.push(match retraced.waits {
            true => format!("waits at `{}`", text::waiting(machine, at, retraced.thread)),
            false => text::performed(machine, retraced, at, after),
        });
    }
    let end = match retraced.ended {
        None => "",
        Some(true) => "; returns",
        Some(false) => "; fails",
    };
    what.join(": ") + end
}

/// `unmap(space 0, page 0)`
fn beginning(machine: &Machine, step: Step) -> String {
    let Step::Begin {
        entry,
        args,
        viommu,
        command,
        ..
    } = step
    else {
        return String::new();
    };
    let entry = &machine.code.entries[entry as usize];
    let kinds = match &entry.start {
        Start::Operation(kind) => kind.params(),
        Start::Call(kinds) => kinds,
        Start::Doorbell => &[],
    };
    let args: Vec<_> = kinds
        .iter()
        .zip(args)
        .map(|(kind, arg)| machine.name_of(*kind, arg.checked_sub(1)))
        .collect();
    let name = &entry.name;
    match (&entry.start, decode(command)) {
        (Start::Operation(_), _) => format!("{name}({})", args.join(", ")),
        (_, command) => {
            let with = command.map_or(String::new(), |command| {
                format!(" with {}", machine.guests_command(command))
            });
            let on = if machine.bounds.viommus > machine.bounds.vms {
                format!(" on viommu {}", viommu.saturating_sub(1))
            } else {
                String::new()
            };
            match entry.start {
                Start::Doorbell => format!("{name}{with}{on}"),
                _ => format!("{name}({}){with}{on}", args.join(", ")),
            }
        }
    }
}

/// Whose cache an entry is in.
fn keeper(machine: &Machine, byte: u8, bit: u8) -> String {
    match machine.atc_device(&Caches::one(byte, bit)) {
        Some(device) => device.to_string(),
        None => "smmu".to_owned(),
    }
}

/// What kind of entry it is.
fn kind(byte: u8) -> &'static str {
    match names::cache_of(&Caches::one(byte, 0)) {
        names::STE => "a word of an STE",
        names::CD => "a word of a CD",
        names::TTB => "TTB0 in a TLB entry",
        names::STAGE_1 => "a stage-1 TLB entry",
        names::STAGE_2 => "a stage-2 TLB entry",
        names::TLB => "a TLB entry",
        _ => "an ATC entry",
    }
}

fn takes_effect(machine: &Machine, before: &State, place: u8) -> String {
    let command: Option<Command> = before.flight[place as usize].command();
    match command {
        Some(command) => format!("{} takes effect", machine.issued_command(command)),
        None => "nothing takes effect".to_owned(),
    }
}

#[cfg(test)]
mod tests;
