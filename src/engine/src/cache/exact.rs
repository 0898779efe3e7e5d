//! The exact policy: a stated capacity and replacement, and commands that forget what they name and nothing else.
//!
//! Only its counts may be quoted as misses. A forgotten entry's place is free at once. Sets are chosen by page number modulo the number
//! of sets; products hash differently, so a preset gives a geometry, not a twin.

mod bank;
mod preset;

pub use bank::Replacement;
pub use preset::Preset;

use super::range::Span;
use super::{Caches, Leaf, Levels, Space, Table, TableOf, untagged};
use crate::access::{Transaction, Translation};
use crate::context::Context;
use crate::ids::{Asid, StreamId, Vmid};
use crate::layout::{Command, Granule};
use crate::stream::Stream;
use bank::Bank;

/// Look-ups that found something, and that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Found.
    pub hits: u64,
    /// Not found.
    pub misses: u64,
}

impl Counts {
    fn count<T>(&mut self, found: Option<T>) -> Option<T> {
        match found {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        found
    }
}

/// Whose entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    /// A stage-1 or combined translation of one ASID.
    Space(Vmid, Asid),
    /// One of every ASID.
    Global(Vmid),
    /// A stage-2 translation.
    Stage2(Vmid),
}

impl Tag {
    const fn vmid(self) -> Vmid {
        match self {
            Tag::Space(vmid, _) | Tag::Global(vmid) | Tag::Stage2(vmid) => vmid,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    tag: Tag,
    page: u64,
    bits: u8,
}

/// Caches of a stated geometry.
#[derive(Debug)]
pub struct Exact {
    preset: Preset,
    tlb: Bank<Key, Leaf>,
    ipas: Bank<Key, Leaf>,
    tables: [[Bank<Key, Table>; 3]; 2],
    streams: Bank<StreamId, Stream>,
    contexts: Bank<(StreamId, u32), Context>,
    levels: Levels,
    /// Page sizes that were ever kept, smallest first: a look-up tries each.
    sizes: u64,
    /// Of translations: look-ups of a device address.
    pub translations: Counts,
    /// Of stage-2 translations: of table and CD addresses too.
    pub stage2s: Counts,
    /// Of STEs.
    pub stes: Counts,
    /// Of CDs.
    pub cds: Counts,
}

impl Exact {
    /// Empty caches.
    pub fn new(preset: Preset) -> Self {
        let tables = |stage: usize| [0, 1, 2].map(|level| Bank::new(preset.tables[stage][level]));
        Exact {
            preset,
            tlb: Bank::new(Some(preset.tlb)),
            ipas: Bank::new(preset.ipas),
            tables: [tables(0), tables(1)],
            streams: Bank::new(preset.config),
            contexts: Bank::new(preset.config),
            levels: Levels::default(),
            sizes: 0,
            translations: Counts::default(),
            stage2s: Counts::default(),
            stes: Counts::default(),
            cds: Counts::default(),
        }
    }

    /// The geometry.
    pub const fn preset(&self) -> &Preset {
        &self.preset
    }

    /// Translations kept, of both kinds.
    pub fn len(&self) -> usize {
        self.tlb.len() + self.ipas.len()
    }

    /// Whether no translation is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sizes(&self) -> impl Iterator<Item = u8> + use<> {
        let sizes = self.sizes;
        (0..64).filter(move |bits| sizes >> bits & 1 == 1)
    }

    fn table_bank(&mut self, of: TableOf, level: u8) -> (&mut Bank<Key, Table>, Tag) {
        let (stage, tag) = match of {
            TableOf::Stage1(space) => (0, Tag::Space(space.vmid, space.asid)),
            TableOf::Stage2(vmid) => (1, Tag::Stage2(vmid)),
        };
        (&mut self.tables[stage][usize::from(level) - 1], tag)
    }

    fn forget_tables(&mut self, dead: impl Fn(&Key) -> bool) {
        for bank in self.tables.iter_mut().flatten() {
            bank.forget(|key, _| dead(key));
        }
    }

    /// Forgets leaves that `dead` says, and tables too unless `leaf`.
    fn forget(&mut self, leaf: bool, dead: impl Fn(Tag) -> bool, span: Span) {
        // An address names the whole page of stage 1, of which an entry may be a part.
        let hit = |key: &Key, kept: &Leaf| {
            let named = kept.named_bits.max(key.bits);
            dead(key.tag) && span.meets(key.page << key.bits >> named, named)
        };
        self.tlb.forget(hit);
        self.ipas.forget(hit);
        if !leaf {
            self.forget_tables(|key| dead(key.tag) && span.meets(key.page, key.bits));
        }
    }

    fn forget_context(&mut self, dead: impl Fn(Tag) -> bool) {
        self.tlb.forget(|key, _| dead(key.tag));
        self.ipas.forget(|key, _| dead(key.tag));
        self.forget_tables(|key| dead(key.tag));
    }

    fn forget_streams(&mut self, dead: impl Fn(StreamId) -> bool) {
        self.streams.forget(|&sid, _| dead(sid));
        self.contexts.forget(|&(sid, _), _| dead(sid));
    }
}

impl Caches for Exact {
    fn route(&mut self, _: &Transaction) -> Option<Translation> {
        None
    }

    fn keep_route(&mut self, _: &Transaction, _: &Stream, _: Option<&Context>) {}

    fn stream(&mut self, sid: StreamId) -> Option<Stream> {
        let found = self.streams.get(&sid, u64::from(sid.0));
        self.stes.count(found)
    }

    fn keep_stream(&mut self, sid: StreamId, stream: &Stream) {
        self.streams.put(sid, u64::from(sid.0), *stream);
    }

    fn context(&mut self, sid: StreamId, index: u32) -> Option<Context> {
        let place = u64::from(sid.0) ^ u64::from(index);
        let found = self.contexts.get(&(sid, index), place);
        self.cds.count(found)
    }

    fn keep_context(&mut self, sid: StreamId, index: u32, context: &Context) {
        let place = u64::from(sid.0) ^ u64::from(index);
        self.contexts.put((sid, index), place, *context);
    }

    fn translation(&mut self, space: Space, va: u64) -> Option<Leaf> {
        let tags = [Tag::Space(space.vmid, space.asid), Tag::Global(space.vmid)];
        let found = self.sizes().find_map(|bits| {
            let page = va >> bits;
            tags.iter()
                .find_map(|&tag| self.tlb.get(&Key { tag, page, bits }, page))
        });
        self.translations.count(found)
    }

    fn keep_translation(&mut self, space: Space, va: u64, leaf: &Leaf) {
        let tag = if leaf.global {
            Tag::Global(space.vmid)
        } else {
            Tag::Space(space.vmid, space.asid)
        };
        let (page, bits) = (va >> leaf.page_bits, leaf.page_bits);
        self.sizes |= 1 << bits;
        self.tlb.put(Key { tag, page, bits }, page, *leaf);
    }

    fn stage2(&mut self, vmid: Vmid, ipa: u64) -> Option<Leaf> {
        let tag = Tag::Stage2(vmid);
        let bank = if self.preset.unified {
            &mut self.tlb
        } else {
            &mut self.ipas
        };
        let sizes = self.sizes;
        let found = (0..64)
            .filter(|bits| sizes >> bits & 1 == 1)
            .find_map(|bits| {
                let page = ipa >> bits;
                bank.get(&Key { tag, page, bits }, page)
            });
        self.stage2s.count(found)
    }

    fn keep_stage2(&mut self, vmid: Vmid, ipa: u64, leaf: &Leaf) {
        let (page, bits) = (ipa >> leaf.page_bits, leaf.page_bits);
        self.sizes |= 1 << bits;
        let key = Key {
            tag: Tag::Stage2(vmid),
            page,
            bits,
        };
        let bank = if self.preset.unified {
            &mut self.tlb
        } else {
            &mut self.ipas
        };
        bank.put(key, page, *leaf);
    }

    fn table(
        &mut self,
        of: TableOf,
        granule: Granule,
        start_level: u8,
        input: u64,
    ) -> Option<Table> {
        (start_level + 1..=3).rev().find_map(|level| {
            let bits = granule.entry_bits(level - 1);
            let page = input >> bits;
            let (bank, tag) = self.table_bank(of, level);
            bank.get(&Key { tag, page, bits }, page)
        })
    }

    fn keep_table(&mut self, of: TableOf, granule: Granule, input: u64, table: &Table) {
        let bits = granule.entry_bits(table.level - 1);
        let page = input >> bits;
        let (bank, tag) = self.table_bank(of, table.level);
        bank.put(Key { tag, page, bits }, page, *table);
    }

    fn levels(&mut self) -> Option<&mut Levels> {
        Some(&mut self.levels)
    }

    fn invalidate(&mut self, command: &Command) {
        self.levels.invalidate(command);
        match *command {
            Command::CfgiSte { sid, .. } => self.forget_streams(|kept| kept == sid),
            Command::CfgiSteRange { sid, range } => {
                // In 64 bits, where range 31 is no overflow.
                let bits = u32::from(range) + 1;
                self.forget_streams(|kept| u64::from(kept.0) >> bits == u64::from(sid.0) >> bits);
            }
            Command::CfgiCd { sid, ssid, .. } => {
                self.contexts.forget(|&kept, _| kept == (sid, ssid.0))
            }
            Command::CfgiCdAll { sid } => self.contexts.forget(|&(kept, _), _| kept == sid),
            Command::TlbiNhAll { vmid } => {
                self.forget_context(|tag| tag.vmid() == vmid && !matches!(tag, Tag::Stage2(_)));
            }
            Command::TlbiNhAsid { vmid, asid } => {
                self.forget_context(|tag| tag == Tag::Space(vmid, asid))
            }
            Command::TlbiNhVa {
                vmid,
                asid,
                address,
                leaf,
                hint,
            } => {
                let dead = |tag| tag == Tag::Space(vmid, asid) || tag == Tag::Global(vmid);
                self.forget(leaf, dead, Span::new(address.0, hint));
            }
            Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint,
            } => {
                let dead = |tag: Tag| tag.vmid() == vmid && !matches!(tag, Tag::Stage2(_));
                self.forget(leaf, dead, Span::new(address.0, hint));
            }
            Command::TlbiS12Vmall { vmid } => self.forget_context(|tag| tag.vmid() == vmid),
            Command::TlbiS2Ipa {
                vmid,
                address,
                leaf,
                hint,
            } => self.forget(
                leaf,
                |tag| tag == Tag::Stage2(vmid),
                Span::new(untagged(address.0), hint),
            ),
            Command::TlbiNsnhAll => self.forget_context(|_| true),
            _ => {}
        }
    }

    fn clear(&mut self) {
        self.forget_context(|_| true);
        self.forget_streams(|_| true);
        self.levels.clear();
    }
}
