//! Fetches and walks: what hardware may add to its caches, from memory and from what may be cached already.
//!
//! Manual     Arm IHI 0070 G.b, 3.4 "Address translation", 3.9 "ATS", 3.21 "Structure access rules and update procedures".
//! Modelled   speculative fetch of everything that is reachable, word by word; walks through both stages; ATS requests.
//! Left out   the memory that holds CD tables and stage-1 tables is never reclaimed by the host (docs/limits.md).
//!
//! Every layer reads memory and the layers before it, so one pass over them all reaches the fixpoint. Both cache modes use these
//! same layers: the saturated one takes all that they offer after every step, the scheduled one takes entries one at a time.

use vocab::{
    Asid, Device, Devices, Frame, Ipa, Page, PropertyId, Slot, Space, Threat, Viommu, Vm, Vmid,
};

use crate::caches::{
    Caches, GLOBAL, atc_tag, bit, cd0, cd1, s1_bit, s1_ipas, s2_tag, ste0, ste1, ste2, tag, values,
};
use crate::machine::{Machine, TableMemory};
use crate::mutant::{Mutant, on};
use crate::property::Property;
use crate::state::{Memory, State, descriptor, leaf, pte};

/// One kind of fetch: reads memory and `from`, adds to `into`.
type Layer = fn(&Machine, &State, from: &Caches, into: &mut Caches);

/// In the order in which they depend on each other.
const LAYERS: [Layer; 7] = [
    fetch_ste,
    walk_stage_2,
    fetch_cd,
    begin_walks,
    walk_stage_1,
    combine,
    translate_for_ats,
];

/// All of memory that any layer reads: where two states agree in it, the same caches are filled alike.
pub(crate) fn read_by_hardware(memory: &Memory) -> impl PartialEq {
    let Memory { pte, cd0, cd1, .. } = *memory;
    let Memory {
        ste0, ste1, ste2, ..
    } = *memory;
    let Memory { s2, active, .. } = *memory;
    (pte, cd0, cd1, ste0, ste1, ste2, s2, active)
}

impl Machine {
    /// Everything that may be cached once all of `caches` may be: the smallest closed set that holds it.
    pub(crate) fn fill(&self, state: &State, caches: Caches) -> Caches {
        let mut filled = caches;
        for layer in LAYERS {
            let from = filled;
            layer(self, state, &from, &mut filled);
        }
        filled
    }

    /// Everything that hardware with empty caches may come to cache, if software does nothing more.
    pub fn legitimate(&self, state: &State) -> Caches {
        self.fill(state, Caches::default())
    }

    /// The entries that one fetch could add now.
    pub fn fetchable(&self, state: &State) -> Caches {
        let mut found = Caches::default();
        for layer in LAYERS {
            layer(self, state, &state.caches, &mut found);
        }
        found.minus(&state.caches)
    }

    /// Whether a device may issue requests with a slot's SubstreamID now.
    pub fn may_request(&self, state: &State, slot: Slot) -> bool {
        self.devices == Devices::Wild
            || self.threat == Threat::Hostile
            || self.bypasses_stage_1(slot)
            || state.memory.active >> slot.0 & 1 == 1
    }

    /// Whether guest memory holds anything, rather than what programs wrote.
    fn guest_memory_is_anything(&self) -> bool {
        self.threat != Threat::Honest
    }

    /// Whether descriptors hold anything.
    pub fn cds_are_anything(&self) -> bool {
        self.axes.cd_table == TableMemory::Guest && self.guest_memory_is_anything()
    }

    /// The vIOMMUs whose CD table a device's streams may be translated with.
    pub(crate) fn tables_in_use(caches: &Caches, device: Device) -> impl Iterator<Item = Viommu> {
        values(caches.ste0[device.index()]).filter_map(ste0::table)
    }

    /// The (VMID, VM) pairs whose stage 2 may be behind a device's stage 1; none while its STE points to no CD table.
    pub(crate) fn stage_2_in_use(
        caches: &Caches,
        device: Device,
    ) -> impl Iterator<Item = (Vmid, Vm)> {
        Machine::stage_2_of(caches, device, ste0::TABLES)
    }

    /// The (VMID, VM) pairs whose stage 2 a device's streams may be translated with at all, with a stage 1 or without.
    pub(crate) fn any_stage_2_in_use(
        caches: &Caches,
        device: Device,
    ) -> impl Iterator<Item = (Vmid, Vm)> {
        Machine::stage_2_of(caches, device, !bit(ste0::ABORT))
    }

    fn stage_2_of(caches: &Caches, device: Device, word0: u8) -> impl Iterator<Item = (Vmid, Vm)> {
        let translates = caches.ste0[device.index()] & word0 != 0;
        let set = caches.ste2[device.index()] & !bit(ste2::NONE);
        values(if translates { set } else { 0 }).filter_map(ste2::decode)
    }

    /// The ASIDs with which a slot's requests may look up the TLB, and whether a walk is possible with each.
    pub(crate) fn asids_in_use(caches: &Caches, slot: Slot) -> impl Iterator<Item = (Asid, bool)> {
        values(caches.cd0[slot.index()]).filter_map(cd0::decode)
    }
}

/// STEs: 64-bit words, each fetched by itself at any time (3.21: single-copy atomicity of at least 64 bits, in any order). S2VMID and
/// S2TTB are in two of them (5.2), which are one cell here: its set is that of every pair of what may be latched of either.
fn fetch_ste(machine: &Machine, state: &State, from: &Caches, into: &mut Caches) {
    let memory = &state.memory;
    for device in 0..machine.bounds.devices as usize {
        if memory.ste0[device] != ste0::ABORT
            || (machine.hardware.caches_invalid && !on(Mutant::InvalidSteNotCached))
        {
            into.ste0[device] |= bit(memory.ste0[device]);
        }
        if !on(Mutant::SteWord1NotFetched) {
            into.ste1[device] |= bit(memory.ste1[device]);
        }
        if !on(Mutant::SteWord2NotFetched) || into.ste2[device] == 0 {
            into.ste2[device] |= bit(memory.ste2[device]);
            into.ste2[device] |= ste2::pairs(from.ste2[device] | bit(memory.ste2[device]));
        }
    }
}

/// CDs: reachable through any usable STE, two words, each fetched by itself.
fn fetch_cd(machine: &Machine, state: &State, from: &Caches, into: &mut Caches) {
    for device in (0..machine.bounds.devices).map(Device) {
        for viommu in Machine::tables_in_use(from, device) {
            for (vmid, vm) in Machine::stage_2_in_use(from, device) {
                // S1ContextPtr is an intermediate address: through another VM's stage 2 it finds whatever lies there.
                let own = bit(machine.vm_of(viommu).0);
                let anything = (table_readers(from, vmid, vm) & !own != 0
                    && !on(Mutant::CdOfOwnMemoryOnly))
                    || machine.cds_are_anything();
                let slots = machine.slots_of(device);
                for slot in slots.filter(|&slot| !machine.bypasses_stage_1(slot)) {
                    if anything {
                        any_cd(machine, viommu, slot, into);
                    }
                    // What lies in its owner's memory is among it, whatever it is.
                    latch_cd(machine, state, viommu, slot, into);
                }
            }
        }
    }
}

/// The VMs whose memory is read where a table's intermediate address is fetched from: by a walk of stage 2, or by an entry that is
/// cached under the VMID.
fn table_readers(caches: &Caches, vmid: Vmid, vm: Vm) -> u8 {
    bit(vm.0) | caches.s2_tables[vmid.index()]
}

fn latch_cd(machine: &Machine, state: &State, viommu: Viommu, slot: Slot, into: &mut Caches) {
    let word0 = state.memory.cd0[descriptor(viommu, slot)];
    if word0 != cd0::INVALID || (machine.hardware.caches_invalid && !on(Mutant::InvalidCdNotCached))
    {
        into.cd0[slot.index()] |= bit(word0);
    }
    if !on(Mutant::CdWord1NotFetched) || into.cd1[slot.index()] == 0 {
        into.cd1[slot.index()] |= bit(state.memory.cd1[descriptor(viommu, slot)]);
    }
}

fn any_cd(machine: &Machine, viommu: Viommu, slot: Slot, into: &mut Caches) {
    if !on(Mutant::AnyCdIsValid) {
        into.cd0[slot.index()] |= bit(cd0::INVALID);
    }
    for asid in (0..machine.bounds.asids).map(Asid) {
        into.cd0[slot.index()] |= bit(cd0::valid(asid)) | bit(cd0::epd(asid));
    }
    into.cd1[slot.index()] |= bit(cd1::NONE);
    for space in (0..machine.bounds.spaces).map(Space) {
        if machine.viommu_of(space) == viommu {
            into.cd1[slot.index()] |= bit(cd1::ttb(space));
        }
    }
}

/// Stage 1: any pair of CD words with V=1 and EPD0=0 starts a walk, and TLB entries tagged {VMID, ASID, page} may remember from where
/// (5.4.1 "CD notes": TTB0 and EPD0 are among the fields that a TLB entry may hold, and CDs with one ASID are interchangeable).
fn begin_walks(machine: &Machine, _: &State, from: &Caches, into: &mut Caches) {
    if !machine.remembers_ttbs {
        return;
    }
    for device in (0..machine.bounds.devices).map(Device) {
        for (vmid, _) in Machine::stage_2_in_use(from, device) {
            for slot in machine.slots_of(device) {
                for (asid, walks) in Machine::asids_in_use(from, slot) {
                    for page in (0..machine.bounds.pages).map(Page) {
                        into.ttb[tag(vmid, asid, page)] |= ttbs(from, slot, walks);
                    }
                }
            }
        }
    }
}

/// The spaces at whose tables a walk for a slot may begin by what its CD says, as a bit set; none with EPD0=1.
fn ttbs(from: &Caches, slot: Slot, walks: bool) -> u8 {
    match walks || on(Mutant::Epd0Walks) {
        true => from.cd1[slot.index()] >> cd1::ttb(Space(0)),
        false => 0,
    }
}

/// A walk for a CD with V=1, from where it says, or from where one of its ASID has begun before. Its result is tagged {VMID, ASID, page}, or
/// {VMID, page} if the leaf is global.
fn walk_stage_1(machine: &Machine, state: &State, from: &Caches, into: &mut Caches) {
    // Where global entries tell all that can be reached, only P-ALIAS asks under which ASID there is something.
    let keeps_own =
        !machine.globals_tell_all || Property::of(PropertyId::Alias).is_judged(machine.threat);
    for device in (0..machine.bounds.devices).map(Device) {
        for (vmid, vm) in Machine::stage_2_in_use(from, device) {
            for slot in machine.slots_of(device) {
                for (asid, walks) in Machine::asids_in_use(from, slot) {
                    for page in (0..machine.bounds.pages).map(Page) {
                        let begun = match machine.remembers_ttbs {
                            true => ttbs(from, slot, walks) | from.ttb[tag(vmid, asid, page)],
                            // There are CDs with EPD0=0 and every table.
                            false if machine.cds_are_anything() => ttbs(from, slot, walks),
                            // Whose tables makes no difference: the CD's, or any where its word 1 names none.
                            false => match (from.cd1[slot.index()], ttbs(from, slot, true)) {
                                (0, _) => 0,
                                (_, 0) => bit(0),
                                (_, named) => named,
                            },
                        };
                        for space in values(begun).map(Space) {
                            let readers = table_readers(from, vmid, vm);
                            let vmid = if on(Mutant::Stage1WithoutVmid) {
                                Vmid(0)
                            } else {
                                vmid
                            };
                            let (own, global) =
                                stage_1_results(machine, state, space, readers, page);
                            if keeps_own {
                                into.s1[tag(vmid, asid, page)] |= own;
                            }
                            into.s1[tag(vmid, GLOBAL, page)] |= global;
                        }
                    }
                }
            }
        }
    }
}

/// What the tables of a space, read through the stage 2 of some VMs, say of a page: by leaves with nG=1, and by global ones.
fn stage_1_results(
    machine: &Machine,
    state: &State,
    space: Space,
    readers: u8,
    page: Page,
) -> (u16, u16) {
    let foreign = readers & !bit(machine.vm_of(machine.viommu_of(space)).0) != 0;
    if foreign || machine.guest_memory_is_anything() {
        let any = (0..machine.bounds.ipas).fold(0, |set, ipa| set | s1_bit(space, Ipa(ipa)));
        return (any, any);
    }
    match pte::decode(state.memory.pte[leaf(space, page)]) {
        None => (0, 0),
        Some((ipa, false)) if on(Mutant::EveryLeafGlobal) => (0, s1_bit(space, ipa)),
        Some((ipa, false)) => (s1_bit(space, ipa), 0),
        Some((ipa, true)) if on(Mutant::GlobalLeafTaggedByAsid) => (s1_bit(space, ipa), 0),
        Some((ipa, true)) => (0, s1_bit(space, ipa)),
    }
}

/// Stage 2: any usable STE starts a walk, whose result is tagged {VMID, ipa}. It begins at the STE's S2TTB, or at one that a TLB entry of
/// the same VMID remembers (5.2.1 "General properties of the STE": S2TTB is among the fields that a TLB entry may hold, and STEs with
/// one S2VMID are interchangeable).
fn walk_stage_2(machine: &Machine, state: &State, from: &Caches, into: &mut Caches) {
    for device in (0..machine.bounds.devices).map(Device) {
        let word0 = match on(Mutant::Stage2NeedsStage1) {
            true => ste0::TABLES,
            false => !bit(ste0::ABORT),
        };
        for (vmid, vm) in Machine::stage_2_of(from, device, word0) {
            for table in values(table_readers(from, vmid, vm)).map(Vm) {
                for ipa in values(state.memory.s2[table.index()]).map(Ipa) {
                    let Frame(frame) = machine.frame(table, ipa);
                    let vmid = if on(Mutant::Stage2WithoutVmid) {
                        Vmid(0)
                    } else {
                        vmid
                    };
                    into.s2[s2_tag(vmid, ipa)] |= bit(frame);
                }
            }
            if machine.bounds.vms > 1 && !on(Mutant::TableReadersForgotten) {
                into.s2_tables[vmid.index()] |= bit(vm.0);
            }
        }
    }
}

/// Combined entries: a stage-1 and a stage-2 result of the same VMID, cached as one; global if the stage-1 result is.
fn combine(machine: &Machine, _: &State, from: &Caches, into: &mut Caches) {
    for vmid in (0..machine.bounds.vmids).map(Vmid) {
        for asid in machine.asids_and_global() {
            for page in (0..machine.bounds.pages).map(Page) {
                let cell = tag(vmid, asid, page);
                if from.s1[cell] == 0
                    || (asid == GLOBAL && on(Mutant::GlobalsNotCombined))
                    || on(Mutant::StageResultsNotCombined)
                    || (asid != GLOBAL && machine.globals_tell_all)
                {
                    continue;
                }
                for ipa in values(s1_ipas(from.s1[cell])).map(Ipa) {
                    into.tlb[cell] |= from.s2[s2_tag(vmid, ipa)];
                }
            }
        }
    }
}

/// ATS: a request with EATS=1 is answered from the TLB, and the answer is tagged {StreamID, SubstreamID or none, page}. A TLB hit needs no
/// walk, so EPD0=1 does not prevent it.
fn translate_for_ats(machine: &Machine, state: &State, from: &Caches, into: &mut Caches) {
    if !machine.axes.ats {
        return;
    }
    for device in (0..machine.bounds.devices).map(Device) {
        if from.ste1[device.index()] & ste1::EATS == 0 && !on(Mutant::AtsWithoutEats) {
            continue;
        }
        for slot in machine
            .slots_of(device)
            .filter(|&slot| machine.may_request(state, slot) || on(Mutant::AtsOfIdleSlots))
        {
            for page in (0..machine.bounds.pages).map(Page) {
                into.atc[atc_tag(slot, page)] |= untranslated(machine, from, device, slot, page);
            }
        }
    }
}

/// The frames that a request of a slot which names a page may be translated to by the TLB: entries of its ASID, and global ones.
fn untranslated(machine: &Machine, caches: &Caches, device: Device, slot: Slot, page: Page) -> u8 {
    debug_assert!(
        machine.device_of(slot) == device,
        "a slot was asked for under another device"
    );
    if machine.bypasses_stage_1(slot) {
        return bypassing(machine, caches, device, page);
    }
    let mut frames = 0;
    for (asid, _) in Machine::asids_in_use(caches, slot) {
        for (vmid, _) in Machine::stage_2_in_use(caches, device) {
            frames |= caches.tlb[tag(vmid, asid, page)];
            if !on(Mutant::GlobalsNotFound) {
                frames |= caches.tlb[tag(vmid, GLOBAL, page)];
            }
        }
    }
    frames
}

/// The frames that a request without SubstreamID may be translated to where stage 1 is bypassed: the page is an intermediate one.
fn bypassing(machine: &Machine, caches: &Caches, device: Device, page: Page) -> u8 {
    let (word0, word1) = (caches.ste0[device.index()], caches.ste1[device.index()]);
    let by_s1dss =
        word0 & ste0::TABLES != 0 && (word1 & ste1::BYPASSES != 0 || on(Mutant::S1dssIgnored));
    let leads = by_s1dss || word0 & bit(ste0::S2_TRANS) != 0;
    if !leads || page.0 >= machine.bounds.ipas {
        return 0;
    }
    Machine::any_stage_2_in_use(caches, device).fold(0, |frames, (vmid, _)| {
        frames | caches.s2[s2_tag(vmid, Ipa(page.0))]
    })
}

impl Machine {
    /// Every frame that a DMA of (device, SubstreamID, page) may reach now: through the ATC, or through any CD that may be in use
    /// and the TLB. Walks are in the TLB's set already.
    pub fn reach(&self, state: &State, slot: Slot, page: Page) -> u8 {
        let caches = &state.caches;
        let device = self.device_of(slot);
        let translated = caches.ste1[device.index()] & ste1::EATS != 0
            && caches.ste0[device.index()] & !bit(ste0::ABORT) != 0;
        let through_atc = if translated && !on(Mutant::ReachWithoutAtc) {
            caches.atc[atc_tag(slot, page)]
        } else {
            0
        };
        through_atc | untranslated(self, caches, device, slot, page)
    }
}

#[cfg(test)]
mod tests;
