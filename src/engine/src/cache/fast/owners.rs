//! Owner numbers: which entries are still somebody's.
//!
//! Numbers only grow. A space's number must be larger than its VM's `stage1` mark, and that larger than the mark of everything: an
//! invalidation of a VM, or of all, sets a mark and is done. Whoever is found below a mark gets a new number.

mod hash;
mod renew;

use super::store::OWNER_BITS;
use crate::cache::Space;
use crate::ids::{Asid, Vmid};
use crate::mutant::{Mutant, on};
use hash::Map;

/// One address space.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpaceSlot {
    vm: u32,
    /// Tags its translations.
    pub(super) owner: u32,
    /// Tags its tables.
    walk: u32,
    /// Page sizes that it has had entries of.
    pub(super) sizes: u64,
    /// Some page of it stands for several entries.
    pub(super) fractured: bool,
}

/// One VMID.
#[derive(Debug, Default)]
pub(super) struct Vm {
    /// Mark: stage-1 numbers below are dead.
    stage1: u32,
    /// Its global translations, by ASET.
    pub(super) globals: [Globals; 2],
    /// Tags its stage-2 translations.
    pub(super) stage2_owner: u32,
    pub(super) stage2_sizes: u64,
    /// Tags its stage-2 tables.
    pub(super) stage2_walk: u32,
    spaces: Vec<u32>,
}

/// Global translations of a VMID and an ASET.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Globals {
    /// Tags them.
    pub(super) owner: u32,
    pub(super) sizes: u64,
    pub(super) fractured: bool,
}

/// What is to be known of a space, or of a VM's stage 2, while one transaction is translated.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    pub(super) slot: u32,
    /// Tags its translations.
    pub(super) pages: u32,
    /// Tags its tables.
    pub(super) tables: u32,
    /// Page sizes that it has had entries of.
    pub(super) sizes: u64,
    /// Some page of it stands for several entries.
    pub(super) fractured: bool,
    /// Which global translations it sees.
    pub(super) aset: bool,
}

impl Owner {
    /// Nobody.
    pub(super) const NONE: Owner = Owner {
        slot: 0,
        pages: 0,
        tables: 0,
        sizes: 0,
        fractured: false,
        aset: false,
    };
}

/// Numbers, and who has them.
#[derive(Debug, Default)]
pub(super) struct Owners {
    last: u32,
    /// Mark: every number below is dead.
    everything: u32,
    vms: Vec<Vm>,
    spaces: Vec<SpaceSlot>,
    vm_of: Map<u16>,
    space_of: Map<u32>,
    /// The VMID and the space that were last found alive.
    last_vm: Last<u16>,
    last_space: Last<u32>,
}

/// What was last looked up, where it is, and up to which number that is known: while no number has been handed out since, whatever was
/// alive still is.
#[derive(Clone, Copy, Debug, Default)]
struct Last<K> {
    key: K,
    slot: u32,
    number: u32,
}

impl<K: PartialEq> Last<K> {
    /// Nothing is known while `number` is 0: no number is.
    #[inline]
    fn get(&self, key: K, number: u32) -> Option<u32> {
        (self.key == key && self.number == number && number != 0).then_some(self.slot)
    }
}

/// At most so many numbers are handed out between two looks at [`Owners::nearly_exhausted`].
const RESERVE: u32 = 64;
/// Spaces beyond which everything is forgotten: bounds what a guest that walks through its ASIDs makes us keep.
const MOST_SPACES: usize = 1 << 17;

impl Owners {
    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Whether tags cannot hold many more numbers.
    pub(super) fn nearly_exhausted(&self) -> bool {
        self.last > (1 << OWNER_BITS) - 1 - RESERVE || self.spaces.len() > MOST_SPACES
    }

    pub(super) fn known_vm(&self, vmid: Vmid) -> Option<u32> {
        self.vm_of.get(&vmid.0).copied()
    }

    const fn key(vmid: Vmid, asid: Asid) -> u32 {
        (vmid.0 as u32) << 16 | asid.0 as u32
    }

    pub(super) fn known_space(&self, vmid: Vmid, asid: Asid) -> Option<u32> {
        self.space_of.get(&Self::key(vmid, asid)).copied()
    }

    /// The slot of a VMID, alive.
    #[inline(always)]
    pub(super) fn vm(&mut self, vmid: Vmid) -> u32 {
        match self.last_vm.get(vmid.0, self.last) {
            Some(slot) => slot,
            None => self.look_up_vm(vmid),
        }
    }

    /// The slot of a space, alive.
    #[inline(always)]
    pub(super) fn space(&mut self, space: Space) -> u32 {
        match self
            .last_space
            .get(Self::key(space.vmid, space.asid), self.last)
        {
            Some(slot) => slot,
            None => self.look_up_space(space),
        }
    }

    #[cold]
    fn look_up_vm(&mut self, vmid: Vmid) -> u32 {
        let slot = self.known_vm(vmid).unwrap_or_else(|| {
            let slot = self.vms.len() as u32;
            self.vms.push(Vm::default());
            self.vm_of.insert(vmid.0, slot);
            slot
        });
        if self.stage2_is_stale(slot) {
            self.renew_stage2(slot);
        }
        self.last_vm = Last {
            key: vmid.0,
            slot,
            number: self.last,
        };
        slot
    }

    #[cold]
    fn look_up_space(&mut self, space: Space) -> u32 {
        let key = Self::key(space.vmid, space.asid);
        let slot = match self.known_space(space.vmid, space.asid) {
            Some(slot) => slot,
            None => {
                let vm = self.vm(space.vmid);
                let slot = self.spaces.len() as u32;
                self.spaces.push(SpaceSlot {
                    vm,
                    owner: 0,
                    walk: 0,
                    sizes: 0,
                    fractured: false,
                });
                self.vms[vm as usize].spaces.push(slot);
                self.space_of.insert(key, slot);
                slot
            }
        };
        if self.space_is_stale(slot) {
            self.renew_space(slot);
        }
        let vm = self.spaces[slot as usize].vm;
        if self.global_is_stale(vm) {
            self.renew_global(vm);
        }
        self.last_space = Last {
            key,
            slot,
            number: self.last,
        };
        slot
    }

    #[inline]
    pub(super) fn vm_at(&self, slot: u32) -> &Vm {
        &self.vms[slot as usize]
    }

    /// A space and its VM.
    #[inline]
    pub(super) fn space_at(&self, slot: u32) -> (&SpaceSlot, &Vm) {
        let space = &self.spaces[slot as usize];
        (space, &self.vms[space.vm as usize])
    }

    pub(super) fn spaces_of(&self, vm: u32) -> &[u32] {
        &self.vms[vm as usize].spaces
    }

    pub(super) fn space_is_stale(&self, slot: u32) -> bool {
        let space = &self.spaces[slot as usize];
        space.owner <= self.vms[space.vm as usize].stage1.max(self.everything)
    }

    pub(super) fn global_is_stale(&self, vm: u32) -> bool {
        let vm = &self.vms[vm as usize];
        let spared = on(Mutant::NhAllSparesGlobal);
        // Both are renewed together.
        vm.globals[0].owner <= self.everything.max(if spared { 0 } else { vm.stage1 })
    }

    pub(super) fn stage2_is_stale(&self, vm: u32) -> bool {
        let owner = self.vms[vm as usize].stage2_owner;
        match on(Mutant::NsnhAllSparesStage2) {
            true => owner == 0,
            false => owner <= self.everything,
        }
    }

    /// A space, alive.
    #[inline(always)]
    pub(super) fn open_space(&mut self, space: Space) -> Owner {
        let (slot, aset) = (self.space(space), space.aset);
        let space = &self.spaces[slot as usize];
        Owner {
            slot,
            pages: space.owner,
            tables: space.walk,
            sizes: space.sizes,
            fractured: space.fractured,
            aset,
        }
    }

    /// A VM's stage 2, alive.
    #[inline(always)]
    pub(super) fn open_vm(&mut self, vmid: Vmid) -> Owner {
        let slot = self.vm(vmid);
        let vm = &self.vms[slot as usize];
        Owner {
            slot,
            pages: vm.stage2_owner,
            tables: vm.stage2_walk,
            sizes: vm.stage2_sizes,
            fractured: false,
            aset: false,
        }
    }

    /// Notes a translation of a living space, and says whose it is and whether it has a new size.
    #[inline(never)]
    pub(super) fn note_leaf(
        &mut self,
        of: Owner,
        page_bits: u8,
        global: bool,
        is_fractured: bool,
    ) -> (u32, bool) {
        let space = &mut self.spaces[of.slot as usize];
        let (owner, sizes, fractured) = if global {
            let globals = &mut self.vms[space.vm as usize].globals[usize::from(of.aset)];
            (globals.owner, &mut globals.sizes, &mut globals.fractured)
        } else {
            (space.owner, &mut space.sizes, &mut space.fractured)
        };
        *fractured |= is_fractured;
        let before = *sizes;
        *sizes |= 1 << page_bits;
        (owner, *sizes != before)
    }

    /// Notes a stage-2 translation of a living VM.
    #[inline(never)]
    pub(super) fn note_stage2(&mut self, slot: u32, page_bits: u8) {
        self.vms[slot as usize].stage2_sizes |= 1 << page_bits;
    }
}
