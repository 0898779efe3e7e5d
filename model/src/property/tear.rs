//! P-TEAR: no mixture of configurations.
//!
//! An entry is read word by word, so that a translation may begin with any combination of the words that may be latched. Which words belong
//! together software's own tables say: a space and its ASID, a vIOMMU and its VMID. A combination is a mixture if one of its words is
//! of a configuration that the entry may have now and the others are not of the same one. Words of which none is are not a mixture but
//! out of date as a whole, which is P-CFG's and P-ALIAS's question. Fields that are ignored do not count: with EPD0=1 that is TTB0, with
//! Config=0b110 the CD table and S1DSS. EATS does not either: a driver turns ATS off at the device before it changes EATS.
//!
//! Nobody need be asking: the SMMU may walk ahead with a torn entry, and what it finds is cached under tags of an honest one.

use vocab::{Device, PropertyId, Slot, Space, Viommu};

use super::{Judged, Property};
use crate::caches::{bit, cd0, cd1, ste0, ste1, values};
use crate::machine::{Machine, S1dss};
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Tear,
    claim: "no stream table entry and no context descriptor that may be in use is a mixture: with words of the configuration before an \
            update and of the one after it, in fields that both words' configurations use",
    source: "Arm IHI 0070 G.b, 3.21 \"Structure access rules and update procedures\": single-copy atomicity of 64 bits; \
             drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_write_entry",
    witness: "of some entry two versions may be in use at the same time, and one of them translates",
    broken_by: "specs/mutants/torn-first-bind.toml",
    holds: Some(|machine, state| {
        let mut devices = (0..machine.bounds.devices).map(Device);
        let mut slots = (0..machine.slots()).map(Slot);
        devices.all(|device| torn_stream(machine, state, device).is_none())
            && slots.all(|slot| torn_descriptor(machine, state, slot).is_none())
    }),
    judged: Judged::Honest,
};

/// The first combination of words 0, 1 and 2 of an STE that is a mixture.
pub(crate) fn torn_stream(
    machine: &Machine,
    state: &State,
    device: Device,
) -> Option<(u8, u8, u8)> {
    let (place, caches) = (device.index(), &state.caches);
    let serves = state.ghost.attached[place];
    if serves == 0 {
        return None;
    }
    for word0 in values(caches.ste0[place] & !bit(ste0::ABORT)) {
        // The vIOMMUs that a configuration with this word may be for.
        let table = ste0::table(word0);
        let of_word0 = table.map_or(serves, |viommu| serves & 1 << viommu.0);
        for word2 in values(caches.ste2[place]) {
            let of_word2 = viommus_of_word2(machine, state, word2) & serves;
            let is_mixture = of_word0 & of_word2 == 0 && of_word0 | of_word2 != 0;
            for word1 in values(caches.ste1[place]) {
                let aborts = machine.axes.s1dss == S1dss::Bypass
                    && table.is_some()
                    && of_word0 != 0
                    && bit(word1) & ste1::BYPASSES == 0;
                if is_mixture || aborts {
                    return Some((word0, word1, word2));
                }
            }
        }
    }
    None
}

/// The vIOMMUs whose VMID and stage 2 are a word 2.
fn viommus_of_word2(machine: &Machine, state: &State, word2: u8) -> u8 {
    (0..machine.bounds.viommus)
        .filter(|&viommu| {
            let vmid = state.memory.vmid[viommu as usize];
            vmid != 0 && machine.ste_word2(vmid, Viommu(viommu)) == word2
        })
        .fold(0, |set, viommu| set | 1 << viommu)
}

/// The first combination of words 0 and 1 of a CD that is a mixture.
pub(crate) fn torn_descriptor(machine: &Machine, state: &State, slot: Slot) -> Option<(u8, u8)> {
    let ghost = &state.ghost;
    let serves = ghost.attached[machine.device_of(slot).index()];
    let bound = ghost.bound[slot.index()];
    if bound == 0 {
        return None;
    }
    // The spaces that the slot may use now, each with its ASID.
    let mut configured = values(bound)
        .map(Space)
        .filter(|space| serves >> machine.viommu_of(*space).0 & 1 == 1)
        .filter_map(|space| Some((space, state.memory.asid[space.index()].checked_sub(1)?)));
    // A slot has one space, or two while one is replaced.
    let configured = [configured.next(), configured.next()];
    for word0 in values(state.caches.cd0[slot.index()]) {
        let Some((asid, true)) = cd0::decode(word0) else {
            continue;
        };
        for word1 in values(state.caches.cd1[slot.index()]) {
            let has_asid = |(_, of): &(Space, u8)| *of == asid.0;
            let has_table = |(space, _): &(Space, u8)| cd1::ttb(*space) == word1;
            let mut spaces = configured.iter().flatten();
            let whole = spaces.any(|c| has_asid(c) && has_table(c));
            let mut spaces = configured.iter().flatten();
            if !whole && spaces.any(|c| has_asid(c) || has_table(c)) {
                return Some((word0, word1));
            }
        }
    }
    None
}

/// The property's bit if a state puts it to the test.
pub(crate) fn witness(machine: &Machine, state: &State) -> u16 {
    let caches = &state.caches;
    let streams = (0..machine.bounds.devices as usize).any(|place| {
        caches.ste0[place] & !bit(ste0::ABORT) != 0
            && versions(&[caches.ste0[place], caches.ste1[place], caches.ste2[place]]) > 1
    });
    let descriptors = (0..machine.slots() as usize).any(|place| {
        caches.cd0[place] & !bit(cd0::INVALID) != 0
            && versions(&[caches.cd0[place], caches.cd1[place]]) > 1
    });
    match streams || descriptors {
        true => PropertyId::Tear.bit(),
        false => 0,
    }
}

/// How many combinations there are of words that may be latched.
pub(super) fn versions(words: &[u8]) -> u32 {
    words.iter().map(|set| set.count_ones()).product()
}
