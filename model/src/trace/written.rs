//! What software has made of memory between two states, in words: how an operation that is told in one piece is told.

use vocab::{Asid, Device, Ipa, Page, Slot, Space, Viommu, Vm, Vmid};

use super::names::{cd_word0, cd_word1, leaf_entry, ste_word0, ste_word1, ste_word2};
use crate::machine::Machine;
use crate::state::{Memory, State, descriptor, leaf};

/// Every word that the SMMU reads and every ASID and VMID that differs, with what it holds afterwards.
pub fn written(machine: &Machine, before: &State, after: &State) -> Vec<String> {
    let (old, new) = (&before.memory, &after.memory);
    let mut written = Vec::new();
    let mut tell = |differs: bool, text: String| {
        if differs {
            written.push(text);
        }
    };
    for space in (0..machine.bounds.spaces).map(Space) {
        for page in (0..machine.bounds.pages).map(Page) {
            let place = leaf(space, page);
            let value = leaf_entry(new.pte[place]);
            tell(
                old.pte[place] != new.pte[place],
                format!("pte({space}, {page}) = {value}"),
            );
        }
        let place = space.index();
        let value = id(new.asid[place], Asid);
        tell(
            old.asid[place] != new.asid[place],
            format!("asid({space}) = {value}"),
        );
    }
    for viommu in (0..machine.bounds.viommus).map(Viommu) {
        for slot in (0..machine.slots()).map(Slot) {
            descriptors(machine, (old, new), viommu, slot, &mut tell);
        }
        let place = viommu.index();
        let value = id(new.vmid[place], Vmid);
        tell(
            old.vmid[place] != new.vmid[place],
            format!("vmid({viommu}) = {value}"),
        );
    }
    for device in (0..machine.bounds.devices).map(Device) {
        let place = device.index();
        let words = [
            (old.ste0[place], new.ste0[place], ste_word0(new.ste0[place])),
            (old.ste1[place], new.ste1[place], ste_word1(new.ste1[place])),
            (old.ste2[place], new.ste2[place], ste_word2(new.ste2[place])),
        ];
        for (old, new, text) in words {
            tell(old != new, format!("ste({device}) = {text}"));
        }
    }
    for vm in (0..machine.bounds.vms).map(Vm) {
        let (old, new) = (old.s2[vm.index()], new.s2[vm.index()]);
        for ipa in (0..machine.bounds.ipas).map(Ipa) {
            let has = |set: u8| set >> ipa.0 & 1 == 1;
            let value = match has(new) {
                true => machine.frame(vm, ipa).to_string(),
                false => "none".to_owned(),
            };
            tell(has(old) != has(new), format!("s2({vm}, {ipa}) = {value}"));
        }
    }
    written
}

fn descriptors(
    machine: &Machine,
    (old, new): (&Memory, &Memory),
    viommu: Viommu,
    slot: Slot,
    tell: &mut impl FnMut(bool, String),
) {
    let at = descriptor(viommu, slot);
    let (name, of) = (machine.slot_name(slot), machine.of_viommu(viommu));
    let mut words = Vec::new();
    if old.cd0[at] != new.cd0[at] {
        words.push(cd_word0(new.cd0[at]));
    }
    if old.cd1[at] != new.cd1[at] {
        words.push(cd_word1(new.cd1[at]));
    }
    tell(
        !words.is_empty(),
        format!("cd({name}){of} = {}", words.join(", ")),
    );
}

/// An id as memory holds it.
fn id<T: std::fmt::Display>(stored: u8, of: impl Fn(u8) -> T) -> String {
    stored
        .checked_sub(1)
        .map_or("none".to_owned(), |id| of(id).to_string())
}
