//! The exact policy: a stated capacity and replacement, and commands that forget what they name and nothing else.
//!
//! Only its counts may be quoted as misses. A forgotten entry's place is free at once. Sets are chosen by page number modulo the number
//! of sets; products hash differently, so a preset gives a geometry, not a twin.

mod bank;
mod parts;
mod preset;

pub use bank::Replacement;
pub use preset::Preset;

use super::range::Span;
use super::{
    Caches, Leaf, Levels, Missed, Pages, Parts, Place, Route, Structures, Table, untagged,
};
use crate::access::{Access, Rights, Transaction, Translation};
use crate::context::Context;
use crate::ids::{Asid, StreamId, Vmid};
use crate::layout::Command;
use crate::mutant::{Mutant, on};
use crate::stream::Stream;
use bank::Bank;
use parts::{Counted, Walked};

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
    /// One of every ASID with this ASET.
    Global(Vmid, bool),
    /// A stage-2 translation.
    Stage2(Vmid),
}

impl Tag {
    const fn vmid(self) -> Vmid {
        match self {
            Tag::Space(vmid, _) | Tag::Global(vmid, _) | Tag::Stage2(vmid) => vmid,
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

    fn forget_tables(&mut self, dead: impl Fn(&Key) -> bool) {
        for bank in self.tables.iter_mut().flatten() {
            bank.forget(|key, _| dead(key));
        }
    }

    /// Forgets leaves that `dead` says, and tables too unless `leaf`.
    fn forget(&mut self, leaf: bool, dead: impl Fn(Tag) -> bool, span: Span) {
        // An address names the whole page of stage 1, of which an entry may be a part.
        let hit = |key: &Key, kept: &Leaf| {
            let named = match on(Mutant::PartsOfPageStay) {
                true => key.bits,
                false => kept.named_bits.max(key.bits),
            };
            dead(key.tag) && span.meets(key.page << key.bits >> named, named)
        };
        self.tlb.forget(hit);
        self.ipas.forget(hit);
        if !leaf && !on(Mutant::NhVaSparesTables) {
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
        if !on(Mutant::CfgiSteSparesCds) {
            self.contexts.forget(|&(sid, _), _| dead(sid));
        }
    }
}

impl Caches for Exact {
    const ROUTES: bool = false;

    fn route(&mut self, _: &Transaction) -> Result<Translation, Missed> {
        Err(Missed::Unknown)
    }

    fn keep_route(&mut self, _: &Transaction, _: &Route) {}

    fn resume(&mut self, _: Place, _: Access) -> Option<(&Route, Rights, impl Pages)> {
        None::<(&Route, Rights, Walked<'_>)>
    }

    fn spread_out(&self) -> bool {
        false
    }

    fn parts(
        &mut self,
    ) -> Parts<
        '_,
        impl Structures<StreamId, Stream>,
        impl Structures<(StreamId, u32), Context>,
        impl Pages,
    > {
        Parts {
            streams: Counted {
                bank: &mut self.streams,
                counts: &mut self.stes,
            },
            contexts: Counted {
                bank: &mut self.contexts,
                counts: &mut self.cds,
            },
            levels: Some(&mut self.levels),
            pages: Walked {
                preset: &self.preset,
                tlb: &mut self.tlb,
                ipas: &mut self.ipas,
                tables: &mut self.tables,
                sizes: &mut self.sizes,
                translations: &mut self.translations,
                stage2s: &mut self.stage2s,
            },
        }
    }

    fn invalidate(&mut self, command: &Command) {
        self.levels.invalidate(command);
        match *command {
            Command::CfgiSte { sid, .. } => self.forget_streams(|kept| kept == sid),
            Command::CfgiSteRange { sid, range } => {
                // In 64 bits, where range 31 is no overflow.
                let bits = u32::from(range) + u32::from(!on(Mutant::CfgiRangeIsHalf));
                self.forget_streams(|kept| u64::from(kept.0) >> bits == u64::from(sid.0) >> bits);
            }
            Command::CfgiCd { sid, ssid, .. } => {
                self.contexts.forget(|&kept, _| kept == (sid, ssid.0))
            }
            Command::CfgiCdAll { sid } => self.contexts.forget(|&(kept, _), _| kept == sid),
            Command::TlbiNhAll { vmid } => {
                let any = on(Mutant::B61NhAllAnyVmid);
                self.forget_context(|tag| {
                    let spared = on(Mutant::NhAllSparesGlobal) && matches!(tag, Tag::Global(..));
                    (any || tag.vmid() == vmid) && !matches!(tag, Tag::Stage2(_)) && !spared
                });
            }
            Command::TlbiNhAsid { vmid, asid } => {
                let any = on(Mutant::B61NhAsidAnyVmid);
                self.forget_context(|tag| match tag {
                    _ if on(Mutant::NhAsidForgetsNothing) => false,
                    Tag::Space(kept, of) => (any || kept == vmid) && of == asid,
                    _ => false,
                });
            }
            Command::TlbiNhVa {
                vmid,
                asid,
                address,
                leaf,
                hint,
            } => {
                let spared = on(Mutant::NhVaSparesGlobal);
                let dead = |tag| match tag {
                    Tag::Space(..) => tag == Tag::Space(vmid, asid),
                    Tag::Global(of, _) => of == vmid && !spared,
                    Tag::Stage2(_) => false,
                };
                self.forget(leaf, dead, Span::new(address.0, hint));
            }
            Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint,
            } => {
                let nobody = on(Mutant::B59AsidUnset);
                let dead =
                    |tag: Tag| tag.vmid() == vmid && !matches!(tag, Tag::Stage2(_)) && !nobody;
                self.forget(leaf, dead, Span::new(address.0, hint));
            }
            Command::TlbiS12Vmall { vmid } => self.forget_context(|tag| {
                let spared = on(Mutant::S12VmallSparesStage2) && matches!(tag, Tag::Stage2(_));
                tag.vmid() == vmid && !spared
            }),
            Command::TlbiS2Ipa {
                vmid,
                address,
                leaf,
                hint,
            } => self.forget(
                leaf,
                |tag| tag == Tag::Stage2(vmid) && !on(Mutant::S2IpaForgetsNothing),
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
