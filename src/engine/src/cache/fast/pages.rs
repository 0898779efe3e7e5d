//! Translations of both kinds, tables, and whose they are.

use super::owners::Owners;
use super::store::{Pattern, Size, Store, Way};
use crate::cache::{Leaf, Pages, Space, Table};
use crate::context::Inherited;
use crate::ids::Vmid;
use crate::tables::Tables;

#[derive(Debug)]
pub(super) struct Walked {
    /// Stage-1 and combined translations.
    pub(super) tlb: Store,
    /// Stage-2 translations.
    pub(super) ipas: Store,
    pub(super) tables: Store,
    pub(super) owners: Owners,
    /// Advances with every invalidation and every new page size: what was worked out from owners and sizes at the same moment still
    /// holds. Moments begin at 1.
    pub(super) moment: u64,
}

fn leaf_of((way, size): (Way, Size), global: bool) -> Leaf {
    let bits = size.page_bits();
    Leaf {
        base: way.base(),
        page_bits: bits,
        rights: way.rights(),
        global,
        named_bits: bits,
    }
}

impl Walked {
    #[inline]
    fn table(&self, owner: u32, tables: &Tables, input: u64) -> Option<Table> {
        // Level 1 tables are few and near the root: not worth a probe.
        let mut level = 3;
        while level > tables.start_level.max(1) {
            let pattern = Pattern::new(1 << (tables.level(level - 1).entry_bits & 63), owner);
            if let Some(way) = self.tables.get(pattern.tag(input)) {
                return Some(Table {
                    level,
                    base: way.base(),
                    inherited: Inherited(way.low()),
                });
            }
            level -= 1;
        }
        None
    }

    #[inline]
    fn keep_table(&mut self, owner: u32, tables: &Tables, input: u64, table: &Table) {
        if table.level >= 2 {
            let pattern = Pattern::new(1 << (tables.level(table.level - 1).entry_bits & 63), owner);
            self.tables.put(pattern.tag(input), Way::table(table));
        }
    }
}

impl Pages for &mut Walked {
    /// The slot of a space or of a VMID, alive.
    type Owner = u32;

    #[inline]
    fn space(&mut self, space: Space) -> u32 {
        self.owners.space(space)
    }

    #[inline]
    fn vm(&mut self, vmid: Vmid) -> u32 {
        self.owners.vm(vmid)
    }

    #[inline]
    fn translation(&mut self, space: u32, va: u64) -> Option<Leaf> {
        let (space, vm) = self.owners.fresh_space(space)?;
        if let Some(found) = self.tlb.find(space.owner, space.sizes, va) {
            return Some(leaf_of(found, false));
        }
        self.tlb
            .find(vm.global_owner, vm.global_sizes, va)
            .map(|found| leaf_of(found, true))
    }

    #[inline]
    fn keep_translation(&mut self, space: u32, va: u64, leaf: &Leaf) {
        let (owner, new_size) = self.owners.note_leaf(space, leaf);
        self.moment += u64::from(new_size);
        let pattern = Pattern::new(1 << (leaf.page_bits & 63), owner);
        self.tlb.put(pattern.tag(va), Way::leaf(leaf));
    }

    #[inline]
    fn stage2(&mut self, vm: u32, ipa: u64) -> Option<Leaf> {
        let vm = self.owners.vm_at(vm);
        self.ipas
            .find(vm.stage2_owner, vm.stage2_sizes, ipa)
            .map(|found| leaf_of(found, false))
    }

    #[inline]
    fn keep_stage2(&mut self, vm: u32, ipa: u64, leaf: &Leaf) {
        let (owner, new_size) = self.owners.note_stage2(vm, leaf);
        self.moment += u64::from(new_size);
        let pattern = Pattern::new(1 << (leaf.page_bits & 63), owner);
        self.ipas.put(pattern.tag(ipa), Way::leaf(leaf));
    }

    #[inline]
    fn table1(&mut self, space: u32, tables: &Tables, va: u64) -> Option<Table> {
        self.table(self.owners.space_at(space).walk, tables, va)
    }

    #[inline]
    fn keep_table1(&mut self, space: u32, tables: &Tables, va: u64, table: &Table) {
        self.keep_table(self.owners.space_at(space).walk, tables, va, table);
    }

    #[inline]
    fn table2(&mut self, vm: u32, tables: &Tables, ipa: u64) -> Option<Table> {
        self.table(self.owners.vm_at(vm).stage2_walk, tables, ipa)
    }

    #[inline]
    fn keep_table2(&mut self, vm: u32, tables: &Tables, ipa: u64, table: &Table) {
        self.keep_table(self.owners.vm_at(vm).stage2_walk, tables, ipa, table);
    }
}
