//! Translations of both kinds, tables, and whose they are.

use super::owners::{Owner, Owners};
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
    /// Tables of level 3 that were remembered, those that have been forgotten since among them.
    pub(super) last_tables: u64,
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
    #[inline(always)]
    fn table(&self, owner: u32, tables: &Tables, input: u64) -> Option<Table> {
        // Level 1 tables are few and near the root: not worth a probe.
        let mut level = 3;
        while level > tables.start_level.max(1) {
            let pattern = Pattern::new(tables.level(level - 1).unit, owner);
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

    #[inline(always)]
    fn keep_table(&mut self, owner: u32, tables: &Tables, input: u64, table: &Table) {
        if table.level >= 2 {
            self.last_tables += u64::from(table.level == 3);
            let pattern = Pattern::new(tables.level(table.level - 1).unit, owner);
            self.tables.put(pattern.tag(input), Way::table(table));
        }
    }
}

/// The owners that a route leads to, of a space and of its VM's stage 2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) space: Owner,
    pub(super) vm: Owner,
}

/// What is remembered, for one translation.
pub(super) struct Opened<'c> {
    pub(super) walked: &'c mut Walked,
    /// The owners, where they need not be looked for.
    pub(super) owned: Option<&'c Owned>,
}

impl Pages for Opened<'_> {
    type Owner = Owner;

    #[inline(always)]
    fn space(&mut self, space: Space) -> Owner {
        match self.owned {
            Some(owned) => owned.space,
            None => self.walked.owners.open_space(space),
        }
    }

    #[inline(always)]
    fn vm(&mut self, vmid: Vmid) -> Owner {
        match self.owned {
            Some(owned) => owned.vm,
            None => self.walked.owners.open_vm(vmid),
        }
    }

    #[inline(always)]
    fn translation(&mut self, space: Owner, va: u64) -> Option<Leaf> {
        let aset = space.aset;
        let (space, vm) = self.walked.owners.space_at(space.slot);
        if let Some(found) = self.walked.tlb.find(space.owner, space.sizes, va) {
            return Some(leaf_of(found, false));
        }
        let globals = &vm.globals[usize::from(aset)];
        self.walked
            .tlb
            .find(globals.owner, globals.sizes, va)
            .map(|found| leaf_of(found, true))
    }

    #[inline(always)]
    fn keep_translation(&mut self, space: Owner, va: u64, leaf: &Leaf) {
        let (bits, fractured) = (leaf.page_bits, leaf.fractured());
        let unit = 1 << (bits & 63);
        let usual = !leaf.global && space.sizes & unit != 0 && (space.fractured || !fractured);
        let owner = if usual {
            space.pages
        } else {
            let (owner, new_size) =
                self.walked
                    .owners
                    .note_leaf(space, bits, leaf.global, fractured);
            self.walked.moment += u64::from(new_size);
            owner
        };
        let pattern = Pattern::new(unit, owner);
        self.walked.tlb.put(pattern.tag(va), Way::leaf(leaf));
    }

    #[inline(always)]
    fn stage2(&mut self, vm: Owner, ipa: u64) -> Option<Leaf> {
        self.walked
            .ipas
            .find(vm.pages, vm.sizes, ipa)
            .map(|found| leaf_of(found, false))
    }

    #[inline(always)]
    fn keep_stage2(&mut self, vm: Owner, ipa: u64, leaf: &Leaf) {
        let unit = 1 << (leaf.page_bits & 63);
        if vm.sizes & unit == 0 {
            self.walked.moment += 1;
            self.walked.owners.note_stage2(vm.slot, leaf.page_bits);
        }
        let pattern = Pattern::new(unit, vm.pages);
        self.walked.ipas.put(pattern.tag(ipa), Way::leaf(leaf));
    }

    #[inline(always)]
    fn table1(&mut self, space: Owner, tables: &Tables, va: u64) -> Option<Table> {
        self.walked.table(space.tables, tables, va)
    }

    #[inline(always)]
    fn keep_table1(&mut self, space: Owner, tables: &Tables, va: u64, table: &Table) {
        self.walked.keep_table(space.tables, tables, va, table);
    }

    #[inline(always)]
    fn table2(&mut self, vm: Owner, tables: &Tables, ipa: u64) -> Option<Table> {
        self.walked.table(vm.tables, tables, ipa)
    }

    #[inline(always)]
    fn keep_table2(&mut self, vm: Owner, tables: &Tables, ipa: u64, table: &Table) {
        self.walked.keep_table(vm.tables, tables, ipa, table);
    }
}
