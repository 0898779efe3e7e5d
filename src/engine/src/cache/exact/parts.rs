//! The parts of [`super::Exact`] that a translation looks things up in, each with its counters.

use super::bank::Bank;
use super::{Counts, Key, Preset, Tag};
use crate::cache::{Leaf, Pages, Space, Structures, Table};
use crate::context::Context;
use crate::fault::Fault;
use crate::ids::{StreamId, Vmid};
use crate::stream::Stream;
use crate::tables::Tables;

/// STEs or CDs.
pub(super) struct Counted<'c, K, V> {
    pub(super) bank: &'c mut Bank<K, V>,
    pub(super) counts: &'c mut Counts,
}

impl<K: Eq + Copy, V: Copy> Counted<'_, K, V> {
    fn at<'c>(
        &'c mut self,
        key: K,
        place: u64,
        room: &'c mut Option<V>,
        fetch: impl FnOnce() -> Result<V, Fault>,
    ) -> Result<&'c V, Fault> {
        let found = self.bank.get(&key, place);
        let structure = match self.counts.count(found) {
            Some(found) => found,
            None => {
                let fetched = fetch()?;
                self.bank.put(key, place, fetched);
                fetched
            }
        };
        Ok(room.insert(structure))
    }
}

impl Structures<StreamId, Stream> for Counted<'_, StreamId, Stream> {
    fn get<'c>(
        &'c mut self,
        sid: StreamId,
        room: &'c mut Option<Stream>,
        fetch: impl FnOnce() -> Result<Stream, Fault>,
    ) -> Result<&'c Stream, Fault> {
        self.at(sid, u64::from(sid.0), room, fetch)
    }
}

impl Structures<(StreamId, u32), Context> for Counted<'_, (StreamId, u32), Context> {
    fn get<'c>(
        &'c mut self,
        (sid, index): (StreamId, u32),
        room: &'c mut Option<Context>,
        fetch: impl FnOnce() -> Result<Context, Fault>,
    ) -> Result<&'c Context, Fault> {
        let place = u64::from(sid.0) ^ u64::from(index);
        self.at((sid, index), place, room, fetch)
    }
}

/// Translations and tables.
pub(super) struct Walked<'c> {
    pub(super) preset: &'c Preset,
    pub(super) tlb: &'c mut Bank<Key, Leaf>,
    pub(super) ipas: &'c mut Bank<Key, Leaf>,
    pub(super) tables: &'c mut [[Bank<Key, Table>; 3]; 2],
    pub(super) sizes: &'c mut u64,
    pub(super) translations: &'c mut Counts,
    pub(super) stage2s: &'c mut Counts,
}

impl Walked<'_> {
    fn sizes(&self) -> impl Iterator<Item = u8> + use<> {
        let sizes = *self.sizes;
        (0..64).filter(move |bits| sizes >> bits & 1 == 1)
    }

    fn ipas(&mut self) -> &mut Bank<Key, Leaf> {
        if self.preset.unified {
            self.tlb
        } else {
            self.ipas
        }
    }

    fn table(&mut self, (stage, tag): (usize, Tag), tables: &Tables, input: u64) -> Option<Table> {
        (tables.start_level + 1..=3).rev().find_map(|level| {
            let bits = tables.level(level - 1).entry_bits;
            let page = input >> bits;
            let bank = &mut self.tables[stage][usize::from(level) - 1];
            bank.get(&Key { tag, page, bits }, page)
        })
    }

    fn keep_table(
        &mut self,
        (stage, tag): (usize, Tag),
        tables: &Tables,
        input: u64,
        table: &Table,
    ) {
        let bits = tables.level(table.level - 1).entry_bits;
        let page = input >> bits;
        let bank = &mut self.tables[stage][usize::from(table.level) - 1];
        bank.put(Key { tag, page, bits }, page, *table);
    }
}

/// Whose entries, and whose are found beside them.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    own: Tag,
    global: Tag,
}

impl Pages for Walked<'_> {
    type Owner = Owner;

    fn space(&mut self, space: Space) -> Owner {
        Owner {
            own: Tag::Space(space.vmid, space.asid),
            global: Tag::Global(space.vmid, space.aset),
        }
    }

    fn vm(&mut self, vmid: Vmid) -> Owner {
        let own = Tag::Stage2(vmid);
        Owner { own, global: own }
    }

    fn translation(&mut self, space: Owner, va: u64) -> Option<Leaf> {
        let tags = [space.own, space.global];
        let found = self.sizes().find_map(|bits| {
            let page = va >> bits;
            tags.iter()
                .find_map(|&tag| self.tlb.get(&Key { tag, page, bits }, page))
        });
        self.translations.count(found)
    }

    fn keep_translation(&mut self, space: Owner, va: u64, leaf: &Leaf) {
        let tag = if leaf.global { space.global } else { space.own };
        let (page, bits) = (va >> leaf.page_bits, leaf.page_bits);
        *self.sizes |= 1 << bits;
        self.tlb.put(Key { tag, page, bits }, page, *leaf);
    }

    fn stage2(&mut self, Owner { own: tag, .. }: Owner, ipa: u64) -> Option<Leaf> {
        let mut sizes = self.sizes();
        let bank = self.ipas();
        let found = sizes.find_map(|bits| {
            let page = ipa >> bits;
            bank.get(&Key { tag, page, bits }, page)
        });
        self.stage2s.count(found)
    }

    fn keep_stage2(&mut self, Owner { own: tag, .. }: Owner, ipa: u64, leaf: &Leaf) {
        let (page, bits) = (ipa >> leaf.page_bits, leaf.page_bits);
        *self.sizes |= 1 << bits;
        self.ipas().put(Key { tag, page, bits }, page, *leaf);
    }

    fn table1(&mut self, space: Owner, tables: &Tables, va: u64) -> Option<Table> {
        self.table((0, space.own), tables, va)
    }

    fn keep_table1(&mut self, space: Owner, tables: &Tables, va: u64, table: &Table) {
        self.keep_table((0, space.own), tables, va, table);
    }

    fn table2(&mut self, vm: Owner, tables: &Tables, ipa: u64) -> Option<Table> {
        self.table((1, vm.own), tables, ipa)
    }

    fn keep_table2(&mut self, vm: Owner, tables: &Tables, ipa: u64, table: &Table) {
        self.keep_table((1, vm.own), tables, ipa, table);
    }
}
