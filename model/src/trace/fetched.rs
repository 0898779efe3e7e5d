//! One fill of scheduled hardware in words: what was fetched, and what guest memory must have held for it.

use vocab::{Ipa, Space, Viommu};

use super::names;
use crate::caches::{Caches, GLOBAL, s1_bit, tag_of, values};
use crate::machine::{Machine, limit};
use crate::state::{State, descriptor, leaf, pte};

/// The cache that an entry is in, in the order in which they depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Cache {
    Ste,
    Cd,
    Ttb,
    Stage1,
    Stage2,
    Tlb,
    Atc,
}

impl Cache {
    /// What one entry of it is called.
    pub const fn entry(self) -> &'static str {
        match self {
            Cache::Ste => "STE",
            Cache::Cd => "CD",
            Cache::Ttb => "TTB0 in a TLB entry",
            Cache::Stage1 => "stage-1 TLB entry",
            Cache::Stage2 => "stage-2 TLB entry",
            Cache::Tlb => "TLB entry",
            Cache::Atc => "ATC entry",
        }
    }

    /// The cache of an entry, by the entry's name (see [`Caches::bits`]).
    pub fn of((byte, bit): (u8, u8)) -> Cache {
        match names::cache_of(&Caches::one(byte, bit)) {
            names::STE => Cache::Ste,
            names::CD => Cache::Cd,
            names::TTB => Cache::Ttb,
            names::STAGE_1 => Cache::Stage1,
            names::STAGE_2 => Cache::Stage2,
            names::TLB => Cache::Tlb,
            _ => Cache::Atc,
        }
    }
}

/// The tag and the value of an entry: `vmid 0 asid 0 page 0 -> frame 0`, `device 0: EATS=1`.
pub fn entry(machine: &Machine, (byte, bit): (u8, u8)) -> String {
    let entries = machine.entries(&Caches::one(byte, bit));
    entries
        .into_iter()
        .next()
        .map_or_else(String::new, |(_, name)| name)
}

/// What guest memory must have held for a fill, if that is not what programs wrote there last: `pte(space 0, page 0) = ipa 1`.
pub fn assumed(machine: &Machine, state: &State, (byte, bit): (u8, u8)) -> Option<String> {
    let one = Caches::one(byte, bit);
    assumed_cd(machine, state, &one).or_else(|| assumed_pte(machine, state, &one))
}

fn assumed_cd(machine: &Machine, state: &State, one: &Caches) -> Option<String> {
    let memory = &state.memory;
    let slot = (0..machine.slots()).find(|&slot| {
        let slot = slot as usize;
        one.cd0[slot] | one.cd1[slot] != 0
    })?;
    let slot = vocab::Slot(slot);
    let device = machine.device_of(slot);
    let place = slot.index();
    let wrote = |viommu: Viommu, vm| {
        let at = descriptor(viommu, slot);
        vm == machine.vm_of(viommu)
            && (values(one.cd0[place]).any(|word| word == memory.cd0[at])
                || values(one.cd1[place]).any(|word| word == memory.cd1[at]))
    };
    let mut ways = Machine::tables_in_use(&state.caches, device).flat_map(|viommu| {
        Machine::stage_2_in_use(&state.caches, device).map(move |(_, vm)| (viommu, vm))
    });
    if ways.any(|(viommu, vm)| wrote(viommu, vm)) {
        return None;
    }
    let (_, held) = machine.entries(one).into_iter().next()?;
    let held = held.split_once(": ").map_or(&*held, |(_, word)| word);
    Some(format!("cd({}) = {held}", machine.slot_name(slot)))
}

fn assumed_pte(machine: &Machine, state: &State, one: &Caches) -> Option<String> {
    let cell = one.s1.iter().position(|set| *set != 0)?;
    let (space, ipa) = (0..limit::SPACES as u8)
        .flat_map(|space| (0..limit::IPAS as u8).map(move |ipa| (Space(space), Ipa(ipa))))
        .find(|(space, ipa)| one.s1[cell] & s1_bit(*space, *ipa) != 0)?;
    let (vmid, asid, page) = tag_of(cell);
    let entry = pte::new(ipa, asid == GLOBAL);
    let own = machine.vm_of(machine.viommu_of(space));
    let reads_own = (0..machine.bounds.devices)
        .flat_map(|device| Machine::stage_2_in_use(&state.caches, vocab::Device(device)))
        .any(|used| used == (vmid, own));
    if reads_own && state.memory.pte[leaf(space, page)] == entry {
        return None;
    }
    Some(format!(
        "pte({space}, {page}) = {}",
        names::leaf_entry(entry)
    ))
}
