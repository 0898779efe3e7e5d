//! What is different after a step, and only that.

use vocab::{Device, Devices, Frame, Page, PropertyId, Slot, Space, Threat, Viommu, Vm, Vmid};

use super::retrace::Retraced;
use super::untrue::Untrue;
use crate::caches::{Caches, values};
use crate::command::Tags;
use crate::machine::Machine;
use crate::state::{State, leaf};

pub(super) fn changes(
    machine: &Machine,
    before: &State,
    after: &State,
    told: Option<&Retraced>,
) -> Vec<String> {
    let mut changes = Vec::new();
    caches(machine, before, after, &mut changes);
    if let Some(told) = told {
        let queued = told.queued.iter();
        changes
            .extend(queued.map(|command| format!("queued {}", machine.guests_command(*command))));
        if told.passed {
            changes.push("`cmdq SYNC` is let pass: consumed without being forwarded".to_owned());
        }
        if told.reported {
            changes.push("`report`: what was taken so far is answered as handled".to_owned());
        }
    }
    legitimate(machine, before, after, &mut changes);
    if let Some(told) = told {
        offence(machine, after, told, &mut changes);
    }
    changes
}

/// What may be cached now and was not before, what no longer may, what a command in flight dooms.
fn caches(machine: &Machine, before: &State, after: &State, changes: &mut Vec<String>) {
    let mut tell = |caches: Caches, how: &dyn Fn(&str, &str) -> String| {
        let entries = machine.entries(&caches);
        changes.extend(entries.iter().map(|(cache, entry)| how(cache, entry)));
    };
    let (old, new) = (&before.caches, &after.caches);
    tell(new.minus(old), &|cache, entry| format!("{cache} + {entry}"));
    tell(old.minus(new), &|cache, entry| format!("{cache} - {entry}"));
    let (was, is) = (doomed(before), doomed(after));
    tell(is.minus(&was), &|cache, entry| {
        format!("doomed: {cache} {entry}")
    });
    tell(was.minus(&is).intersection(new), &|cache, entry| {
        format!("filled again: {cache} {entry}")
    });
}

/// What will be gone when the commands in flight have taken effect.
fn doomed(state: &State) -> Caches {
    let each = state.flight.iter().map(|entry| entry.doomed.0);
    each.fold(Caches::default(), |all, doomed| all.union(&doomed))
}

/// What may legitimately be reached now and could not before, and the reverse.
pub(super) fn legitimate(
    machine: &Machine,
    before: &State,
    after: &State,
    changes: &mut Vec<String>,
) {
    let (old, new) = (&before.ghost, &after.ghost);
    let mut tell = |old: u8, new: u8, how: &dyn Fn(u8, bool) -> String| {
        changes.extend(values(new & !old).map(|id| how(id, true)));
        changes.extend(values(old & !new).map(|id| how(id, false)));
    };
    for space in (0..machine.bounds.spaces).map(Space) {
        for page in (0..machine.bounds.pages).map(Page) {
            let place = leaf(space, page);
            tell(old.grant[place], new.grant[place], &|frame, joins| {
                let frame = Frame(frame);
                format!("{frame} is {}granted to {space} {page}", no_longer(joins))
            });
        }
    }
    for slot in (0..machine.slots()).map(Slot) {
        let name = machine.slot_name(slot);
        let place = slot.index();
        tell(old.bound[place], new.bound[place], &|space, joins| {
            format!("{name} may {}use {}", no_longer(joins), Space(space))
        });
    }
    if machine.devices == Devices::Driven && machine.threat != Threat::Hostile {
        tell(before.memory.active, after.memory.active, &|slot, joins| {
            let name = machine.slot_name(Slot(slot));
            let verb = if joins { "starts" } else { "stops" };
            format!("{name} {verb} making requests")
        });
    }
    tell(old.dead, new.dead, &|space, joins| {
        let what = if joins {
            "has exited"
        } else {
            "can be used by a new process"
        };
        format!("{} {what}", Space(space))
    });
    for vm in (0..machine.bounds.vms).map(Vm) {
        let place = vm.index();
        tell(old.lent[place], new.lent[place], &|frame, joins| {
            format!("{} is {}lent to {vm}", Frame(frame), no_longer(joins))
        });
    }
    for device in (0..machine.bounds.devices).map(Device) {
        let place = device.index();
        tell(
            old.attached[place],
            new.attached[place],
            &|viommu, joins| format!("{device} may {}serve {}", no_longer(joins), Viommu(viommu)),
        );
    }
}

fn no_longer(joins: bool) -> &'static str {
    if joins { "" } else { "no longer " }
}

/// What a step did wrong that its states do not show.
fn offence(machine: &Machine, after: &State, told: &Retraced, changes: &mut Vec<String>) {
    let offends = |property: PropertyId| after.ghost.offence & property.bit() != 0;
    if offends(PropertyId::Conf)
        && let (Some(at), Some(command)) = (&told.at, told.issued)
        && let Some(vm) = machine.vm_of_thread(told.thread)
    {
        let tags = machine.tags(command);
        let foreign = tags.minus(tags.minus(machine.foreign_tags(at, vm)));
        let foreign = owners(machine, foreign).join(" and ");
        changes.push(format!(
            "{}: {foreign} is not {vm}'s own",
            PropertyId::Conf.name()
        ));
    }
    if offends(PropertyId::Scope) {
        let owed = machine.tag_names(told.owed).join(", ");
        changes.push(format!(
            "{}: asked for and not issued: {owed}",
            PropertyId::Scope.name()
        ));
    }
    if offends(PropertyId::Report) {
        let what = Untrue::of(machine, told);
        changes.push(format!("{}: {what}", PropertyId::Report.name()));
    }
}

/// The devices and VMIDs that tags belong to.
fn owners(machine: &Machine, tags: Tags) -> Vec<String> {
    let mut owners = Vec::new();
    let shares = |other: Tags| tags.minus(other) != tags;
    for device in (0..machine.bounds.devices).map(Device) {
        let of_device = machine
            .tags(vocab::Command::CfgiSte(device))
            .union(machine.tags(vocab::Command::AtcInvAll(device)));
        if shares(of_device) {
            owners.push(device.to_string());
        }
    }
    for vmid in (0..machine.bounds.vmids).map(Vmid) {
        if shares(machine.tags(vocab::Command::TlbiS12Vmall(vmid))) {
            owners.push(vmid.to_string());
        }
    }
    owners
}
