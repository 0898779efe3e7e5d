//! The fast policy: whole contexts are forgotten in O(1).
//!
//! Entries are tagged with an *owner*, a number that stands for an address space or a VMID at a time. Forgetting a context gives it a new
//! owner number: old entries can never match again and are replaced when their place is needed. Numbers only grow, so that one
//! comparison tells whether an address space is older than the last invalidation of its VMID, or of everything.
//!
//! It may forget too much: a range of many pages, a page that stands for several entries, an address in every ASID of a VM with many.

mod config;
mod forget;
mod owners;
mod routes;
mod store;

use super::{Caches, Leaf, Levels, Space, Table, TableOf, untagged};
use crate::access::{AddressType, Transaction, Translation};
use crate::context::{Context, Inherited};
use crate::ids::{Pa, StreamId, Vmid};
use crate::layout::{Command, Granule};
use crate::stream::Stream;
use config::Config;
use owners::Owners;
use routes::{Routes, Through};
use store::{Store, Way};

/// Entries that are looked for one by one before a whole context is forgotten instead.
const PROBES: u64 = 64;
/// Address spaces of one VM that are visited one by one.
const SPACES: usize = 16;

/// Caches that forget contexts in O(1).
#[derive(Debug)]
pub struct Fast {
    tlb: Store,
    ipas: Store,
    tables: Store,
    config: Config,
    levels: Levels,
    owners: Owners,
    routes: Routes,
    over_invalidations: u64,
}

impl Default for Fast {
    /// 8,192 translations, 2,048 stage-2 translations and 2,048 tables: about 200 KiB.
    fn default() -> Self {
        Fast::new(13, 11, 11)
    }
}

impl Fast {
    /// Caches of 2^tlb translations, 2^ipas stage-2 translations and 2^tables tables (at least 8 each).
    pub fn new(tlb: u8, ipas: u8, tables: u8) -> Self {
        Fast {
            tlb: Store::new(tlb),
            ipas: Store::new(ipas),
            tables: Store::new(tables),
            config: Config::default(),
            levels: Levels::default(),
            owners: Owners::default(),
            routes: Routes::default(),
            over_invalidations: 0,
        }
    }

    /// Invalidations that forgot more than they named.
    pub const fn over_invalidations(&self) -> u64 {
        self.over_invalidations
    }

    /// Numbers are about to run out: begin anew. Looked at where a translation begins and before a command; what is kept afterwards
    /// takes a few numbers at most.
    fn make_room(&mut self) {
        if self.owners.nearly_exhausted() {
            self.clear();
        }
    }
}

#[inline(always)]
fn find(store: &Store, owner: u32, mut sizes: u64, input: u64) -> Option<(Way, u8)> {
    while sizes != 0 {
        let bits = sizes.trailing_zeros() as u8;
        if let Some(way) = store.get(input >> bits, bits, owner) {
            return Some((way, bits));
        }
        sizes &= sizes - 1;
    }
    None
}

fn leaf_of((way, bits): (Way, u8), global: bool) -> Leaf {
    Leaf {
        base: way.base(),
        page_bits: bits,
        rights: way.rights(),
        global,
        named_bits: bits,
    }
}

impl Caches for Fast {
    #[inline(always)]
    fn route(&mut self, transaction: &Transaction) -> Option<Translation> {
        if transaction.address_type == AddressType::Translated {
            return None;
        }
        let Fast {
            routes,
            config,
            owners,
            ..
        } = self;
        let route = routes.get(transaction.sid, transaction.ssid, config, owners)?;
        let input = transaction.address.0;
        let found = if let Through::Space(_) = route.through {
            // Without TBI, bits 63:56 repeat bit 55.
            let extended = ((input << 8) as i64 >> 8) as u64;
            if input != extended && !route.tbi[(input >> 55 & 1) as usize] {
                return None;
            }
            let input = untagged(input);
            match find(&self.tlb, route.owner, route.sizes, input) {
                None if route.global_sizes != 0 => {
                    find(&self.tlb, route.global_owner, route.global_sizes, input)
                }
                found => found,
            }
        } else {
            // A stage-2 input has no ignored bits: what a tag cannot hold is not found.
            if input >> 52 != 0 {
                return None;
            }
            find(&self.ipas, route.owner, route.sizes, input)
        };
        let (way, bits) = found?;
        if !way.rights().contains(route.needs(transaction.access)) {
            return None;
        }
        Some(Translation {
            pa: Pa(way.base() | (input & ((1 << bits) - 1))),
            page_bits: bits,
            rights: way.rights(),
        })
    }

    fn keep_route(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        context: Option<&Context>,
    ) {
        // A route of the present moment came from the same STE and CD.
        let Fast {
            routes,
            config,
            owners,
            ..
        } = self;
        if routes
            .get(transaction.sid, transaction.ssid, config, owners)
            .is_some()
        {
            return;
        }
        let through = match context {
            None => (Through::Stage2(self.owners.vm(stream.vmid)), [false; 2]),
            Some(context) => {
                let slot = self.owners.space(Space {
                    vmid: stream.vmid,
                    asid: context.asid,
                });
                (Through::Space(slot), context.tbi)
            }
        };
        self.routes
            .keep(transaction, stream, through, &self.config, &self.owners);
    }

    fn stream(&mut self, sid: StreamId) -> Option<Stream> {
        self.config.stream(sid)
    }

    fn keep_stream(&mut self, sid: StreamId, stream: &Stream) {
        self.config.keep_stream(sid, stream);
    }

    fn context(&mut self, sid: StreamId, index: u32) -> Option<Context> {
        self.config.context(sid, index)
    }

    fn keep_context(&mut self, sid: StreamId, index: u32, context: &Context) {
        self.config.keep_context(sid, index, context);
    }

    fn translation(&mut self, space: Space, va: u64) -> Option<Leaf> {
        self.make_room();
        let slot = self.owners.space(space);
        let (space, vm) = self.owners.fresh_space(slot)?;
        if let Some(found) = find(&self.tlb, space.owner, space.sizes, va) {
            return Some(leaf_of(found, false));
        }
        find(&self.tlb, vm.global_owner, vm.global_sizes, va).map(|found| leaf_of(found, true))
    }

    fn keep_translation(&mut self, space: Space, va: u64, leaf: &Leaf) {
        let slot = self.owners.space(space);
        let (owner, new_size) = self.owners.note_leaf(slot, leaf);
        if new_size {
            self.routes.advance();
        }
        self.tlb
            .put(va >> leaf.page_bits, leaf.page_bits, owner, Way::leaf(leaf));
    }

    fn stage2(&mut self, vmid: Vmid, ipa: u64) -> Option<Leaf> {
        self.make_room();
        let slot = self.owners.vm(vmid);
        let vm = self.owners.vm_at(slot);
        find(&self.ipas, vm.stage2_owner, vm.stage2_sizes, ipa).map(|found| leaf_of(found, false))
    }

    fn keep_stage2(&mut self, vmid: Vmid, ipa: u64, leaf: &Leaf) {
        let slot = self.owners.vm(vmid);
        let (owner, new_size) = self.owners.note_stage2(slot, leaf);
        if new_size {
            self.routes.advance();
        }
        self.ipas.put(
            ipa >> leaf.page_bits,
            leaf.page_bits,
            owner,
            Way::leaf(leaf),
        );
    }

    fn table(
        &mut self,
        of: TableOf,
        granule: Granule,
        start_level: u8,
        input: u64,
    ) -> Option<Table> {
        let owner = self.owners.table_owner(of);
        // Level 1 tables are few and near the root: not worth a probe.
        (start_level.max(1) + 1..=3).rev().find_map(|level| {
            let bits = granule.entry_bits(level - 1);
            let way = self.tables.get(input >> bits, bits, owner)?;
            Some(Table {
                level,
                base: way.base(),
                inherited: Inherited(way.low()),
            })
        })
    }

    fn keep_table(&mut self, of: TableOf, granule: Granule, input: u64, table: &Table) {
        if table.level < 2 {
            return;
        }
        let owner = self.owners.table_owner(of);
        let bits = granule.entry_bits(table.level - 1);
        self.tables
            .put(input >> bits, bits, owner, Way::table(table));
    }

    fn levels(&mut self) -> Option<&mut Levels> {
        Some(&mut self.levels)
    }

    fn invalidate(&mut self, command: &Command) {
        self.levels.invalidate(command);
        self.make_room();
        self.routes.advance();
        self.forget(command);
    }

    fn clear(&mut self) {
        self.tlb.clear();
        self.ipas.clear();
        self.tables.clear();
        self.config = Config::default();
        self.levels.clear();
        self.owners = Owners::default();
        self.routes.clear();
    }
}
