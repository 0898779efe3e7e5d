//! What is wrong with a state, in one sentence.

use vocab::{Asid, Device, Frame, Ipa, Page, PropertyId, Slot, Space, Viommu, Vm, Vmid};

use super::names::{asid_name, cd_word0, cd_word1, ste_word0, ste_word1, ste_word2};
use super::retrace::retrace;
use super::text;
use super::untrue::Untrue;
use crate::caches::{GLOBAL, atc_tag, cd1, descriptor_values, tag, values};
use crate::machine::Machine;
use crate::program::Start;
use crate::property::{alias, cfg, hitless, iso, s1, s2, tear};
use crate::state::State;
use crate::step::Step;

pub(super) fn violation(
    machine: &Machine,
    last: Option<(&State, Step)>,
    state: &State,
    property: PropertyId,
) -> String {
    let found = match property {
        PropertyId::S1 => old_mapping(machine, state),
        PropertyId::Cfg => old_configuration(machine, state),
        PropertyId::Iso => foreign_frame(machine, state),
        PropertyId::S2 => reclaimed_frame(machine, state),
        PropertyId::Alias => two_spaces(machine, state),
        PropertyId::Conf => {
            Some("a command on a guest's behalf named what is not that guest's".to_owned())
        }
        PropertyId::Scope => Some(
            "a guest's request was answered with success before all that it asked for was issued"
                .to_owned(),
        ),
        PropertyId::Report => last
            .and_then(|(before, step)| retrace(machine, before, step))
            .map(|told| Untrue::of(machine, &told).sentence()),
        PropertyId::Use => Some(
            "what was set up cannot be used: memory does not lead to a page that is mapped and bound"
                .to_owned(),
        ),
        PropertyId::Tear => mixture(machine, state),
        PropertyId::Hitless => disturbed(machine, state),
        PropertyId::Live => everybody_waits(machine, state),
    };
    found.unwrap_or_else(|| format!("nothing is wrong with {}", property.name()))
}

/// The first frame that a request may reach and that is among `wrong`: the slot, the page, the frame.
fn reached(
    machine: &Machine,
    state: &State,
    wrong: impl Fn(Slot, Page) -> u8,
) -> Option<(Slot, Page, Frame)> {
    (0..machine.slots())
        .map(Slot)
        .filter(|&slot| machine.may_request(state, slot))
        .flat_map(|slot| (0..machine.bounds.pages).map(move |page| (slot, Page(page))))
        .find_map(|(slot, page)| {
            let frames = machine.reach(state, slot, page) & wrong(slot, page);
            let frame = values(frames).next()?;
            Some((slot, page, Frame(frame)))
        })
}

/// `device 0 ssid 1 can reach frame 0 through its ATC at page 0`
fn reaching(machine: &Machine, state: &State, slot: Slot, page: Page, frame: Frame) -> String {
    let caches = &state.caches;
    let device = machine.device_of(slot);
    let tlb = Machine::asids_in_use(caches, slot)
        .flat_map(|(asid, _)| [asid, GLOBAL])
        .flat_map(|asid| Machine::stage_2_in_use(caches, device).map(move |(vmid, _)| (vmid, asid)))
        .find(|(vmid, asid)| caches.tlb[tag(*vmid, *asid, page)] >> frame.0 & 1 == 1)
        .map(|(vmid, asid)| format!("the TLB ({vmid} {})", asid_name(asid)));
    let atc = caches.atc[atc_tag(slot, page)] >> frame.0 & 1 == 1;
    let tlb = match machine.bypasses_stage_1(slot) && !atc {
        true => Some("stage 2 alone".to_owned()),
        false => tlb,
    };
    let through = match (tlb, atc) {
        (Some(tlb), false) => tlb,
        (Some(tlb), true) => format!("{tlb} and its ATC"),
        (None, _) => "its ATC".to_owned(),
    };
    let slot = machine.traffic_name(slot);
    format!("{slot} can reach {frame} through {through} at {page}")
}

fn old_mapping(machine: &Machine, state: &State) -> Option<String> {
    let wrong = |slot, page| !s1::granted(machine, state, slot, page);
    let (slot, page, frame) = reached(machine, state, wrong)?;
    let reaching = reaching(machine, state, slot, page, frame);
    Some(format!("{reaching}, which no space bound there grants"))
}

fn foreign_frame(machine: &Machine, state: &State) -> Option<String> {
    let wrong = |slot, _| !iso::own_frames(machine, state, slot);
    let (slot, page, frame) = reached(machine, state, wrong)?;
    let reaching = reaching(machine, state, slot, page, frame);
    let owner = owner(machine, frame).map_or("no VM".to_owned(), |vm| vm.to_string());
    let device = machine.device_of(slot);
    let served = served(machine, state, slot);
    Some(format!(
        "{reaching}; the frame is {owner}'s, and {device} serves {served}"
    ))
}

fn reclaimed_frame(machine: &Machine, state: &State) -> Option<String> {
    let wrong = |slot, _| iso::own_frames(machine, state, slot) & !s2::lent(machine, state, slot);
    let (slot, page, frame) = reached(machine, state, wrong)?;
    let reaching = reaching(machine, state, slot, page, frame);
    let owner = owner(machine, frame)?;
    Some(format!("{reaching}, which is no longer lent to {owner}"))
}

/// The VM that a frame belongs to.
fn owner(machine: &Machine, frame: Frame) -> Option<Vm> {
    (0..machine.bounds.vms)
        .map(Vm)
        .find(|&vm| (0..machine.bounds.ipas).any(|ipa| machine.frame(vm, Ipa(ipa)) == frame))
}

/// The VMs that a slot's device serves.
fn served(machine: &Machine, state: &State, slot: Slot) -> String {
    let attached = state.ghost.attached[machine.device_of(slot).index()];
    let vms = values(attached).map(|viommu| machine.vm_of(Viommu(viommu)).to_string());
    listed(vms.collect()).unwrap_or_else(|| "nobody".to_owned())
}

fn old_configuration(machine: &Machine, state: &State) -> Option<String> {
    let slots = (0..machine.slots()).map(Slot);
    let mut slots = slots.filter(|&slot| machine.may_request(state, slot));
    slots.find_map(|slot| wrong_configuration(machine, state, slot))
}

fn wrong_configuration(machine: &Machine, state: &State, slot: Slot) -> Option<String> {
    let device = machine.device_of(slot);
    let name = machine.slot_name(slot);
    if !cfg::serves(machine, state, slot) {
        let attached = state.ghost.attached[device.index()];
        let table = Machine::tables_in_use(&state.caches, device)
            .find(|viommu| attached >> viommu.0 & 1 == 0)?;
        return Some(format!(
            "an STE with the CD table of {table} may be in use for {device}, which does not serve {table}"
        ));
    }
    if !cfg::is_bound(machine, state, slot) {
        let bound = state.ghost.bound[slot.index()];
        let wrong = state.caches.cd1[slot.index()] & !descriptor_values(bound);
        let ttb = match values(wrong).next()? {
            cd1::NONE => "without TTB0".to_owned(),
            ttb => format!("with TTB0 of {}", Space(ttb - cd1::ttb(Space(0)))),
        };
        let spaces = values(bound)
            .map(|space| Space(space).to_string())
            .collect();
        let bound = match listed(spaces) {
            None => "no space is bound".to_owned(),
            Some(spaces) => format!("only {spaces} may be used"),
        };
        return Some(format!(
            "a CD {ttb} may be in use for {name}, where {bound}"
        ));
    }
    (!cfg::is_current(machine, state, slot)).then(|| {
        format!("a CD word 0 from before may still be in use for {name}: not what memory says, though nobody is changing it")
    })
}

fn two_spaces(machine: &Machine, state: &State) -> Option<String> {
    let tags = (0..machine.bounds.vmids)
        .flat_map(|vmid| (0..machine.bounds.asids).map(move |asid| (Vmid(vmid), Asid(asid))));
    tags.map(|(vmid, asid)| (vmid, asid, alias::spaces_under(machine, state, vmid, asid)))
        .find(|(.., spaces)| spaces.count_ones() > 1)
        .and_then(|(vmid, asid, spaces)| {
            let spaces = values(spaces).map(|space| Space(space).to_string());
            let spaces = listed(spaces.collect())?;
            Some(format!("{vmid} {asid} names the tables of {spaces}"))
        })
}

fn mixture(machine: &Machine, state: &State) -> Option<String> {
    let stream = (0..machine.bounds.devices).map(Device).find_map(|device| {
        let (word0, word1, word2) = tear::torn_stream(machine, state, device)?;
        let words = [ste_word0(word0), ste_word1(word1), ste_word2(word2)].join(", ");
        Some(format!(
            "an STE of {device} that is a mixture may be in use: {words}"
        ))
    });
    let descriptor = || {
        (0..machine.slots()).map(Slot).find_map(|slot| {
            let (word0, word1) = tear::torn_descriptor(machine, state, slot)?;
            let (name, words) = (machine.slot_name(slot), [cd_word0(word0), cd_word1(word1)]);
            let words = words.join(", ");
            Some(format!(
                "a CD of {name} that is a mixture may be in use: {words}"
            ))
        })
    };
    stream.or_else(descriptor)
}

fn disturbed(machine: &Machine, state: &State) -> Option<String> {
    let stream = hitless::disturbed_stream(machine, state).map(|device| {
        format!("{device}'s traffic without ssid, which bypasses stage 1, may meet an STE that does not let it through to its stage 2")
    });
    let slot = || {
        let in_use = hitless::disturbed_slot(machine, state)?;
        let (slot, space) = (machine.slot_name(in_use.slot), in_use.space);
        Some(format!(
            "{slot}'s traffic may meet an STE or a CD that does not lead to {space}, to which it is bound"
        ))
    };
    stream.or_else(slot)
}

fn everybody_waits(machine: &Machine, state: &State) -> Option<String> {
    let threads = (0..machine.threads()).filter(|&thread| !state.threads[thread].is_idle());
    let waits: Vec<_> = threads
        .map(|thread| {
            let name = machine.thread_name(thread);
            let operation = operation(machine, state, thread);
            let text = text::waiting(machine, state, thread);
            format!("{name} in {operation} waits at `{text}`")
        })
        .collect();
    match waits.is_empty() {
        true => (state.memory.locks != 0).then(|| "a lock was never given back".to_owned()),
        false => Some(waits.join("; ")),
    }
}

/// The operation or call that a thread is in.
pub(super) fn operation(machine: &Machine, state: &State, thread: usize) -> String {
    let this = &state.threads[thread];
    let entry = &machine.code.entries[this.entry as usize - 1];
    let Start::Operation(kind) = entry.start else {
        return entry.name.clone();
    };
    let params = kind.params().iter().zip(this.regs);
    let args: Vec<_> = params
        .map(|(kind, arg)| machine.name_of(*kind, arg.checked_sub(1)))
        .collect();
    format!("{}({})", entry.name, args.join(", "))
}

/// `a`, `a and b`, `a, b and c`; none for nothing.
fn listed(mut names: Vec<String>) -> Option<String> {
    names.dedup();
    let last = names.pop()?;
    Some(match names.is_empty() {
        true => last,
        false => format!("{} and {last}", names.join(", ")),
    })
}
