//! The fast policy: whole contexts are forgotten in O(1).
//!
//! Entries are tagged with an *owner*, a number that stands for an address space or a VMID at a time. Forgetting a context gives it a new
//! owner number: old entries can never match again and are replaced when their place is needed. Numbers only grow, so that one
//! comparison tells whether an address space is older than the last invalidation of its VMID, or of everything.
//!
//! It may forget too much: a range of many pages, a page that stands for several entries, an address in every ASID of a VM with many.

mod forget;
mod owners;
mod pages;
mod routes;
mod store;
mod structures;

use super::{Caches, Levels, Missed, Pages, Parts, Place, Route, Structures};
use crate::access::{Access, AddressType, Rights, Transaction, Translation};
use crate::context::Context;
use crate::ids::{Pa, StreamId};
use crate::layout::Command;
use crate::mutant::{Mutant, on};
use crate::stream::Stream;
use owners::Owners;
use pages::{Opened, Walked};
use routes::Routes;
use store::Store;
use structures::{Contexts, Streams};

/// Entries that are looked for one by one before a whole context is forgotten instead.
const PROBES: u64 = 64;
/// Address spaces of one VM that are visited one by one.
const SPACES: usize = 16;

/// Tables of level 3 from which on reading ahead pays: 2 MiB of 4 KiB tables, more than a core of today's servers has to itself.
const SPREAD: u64 = 512;

/// Caches that forget contexts in O(1).
#[derive(Debug)]
pub struct Fast {
    pages: Walked,
    routes: Routes,
    streams: Streams,
    contexts: Contexts,
    levels: Levels,
    spread: u64,
    over_invalidations: u64,
}

impl Default for Fast {
    /// 8,192 translations, 2,048 stage-2 translations and 2,048 tables: about 200 KiB. Room for configuration is 300 KiB more, of which a
    /// stream in use takes 3.
    fn default() -> Self {
        Fast::new(13, 11, 11)
    }
}

impl Fast {
    /// Caches of 2^tlb translations, 2^ipas stage-2 translations and 2^tables tables (at least 8 each).
    pub fn new(tlb: u8, ipas: u8, tables: u8) -> Self {
        Fast {
            pages: Walked {
                tlb: Store::new(tlb),
                ipas: Store::new(ipas),
                tables: Store::new(tables),
                owners: Owners::default(),
                moment: 1,
                last_tables: 0,
            },
            routes: Routes::default(),
            streams: Streams::default(),
            contexts: Contexts::default(),
            levels: Levels::default(),
            spread: SPREAD,
            over_invalidations: 0,
        }
    }

    /// Has [`crate::Burst::translate_all`] read ahead once so many tables of level 3 have been met, in place of 512: as many as a
    /// processor's caches do not hold.
    #[must_use]
    pub const fn read_ahead_from(mut self, tables: u64) -> Self {
        self.spread = tables;
        self
    }

    /// Invalidations that forgot more than they named.
    pub const fn over_invalidations(&self) -> u64 {
        self.over_invalidations
    }

    /// Numbers are about to run out: begin anew. Looked at where a translation begins and before a command; what is kept afterwards
    /// takes a few numbers at most.
    fn make_room(&mut self) {
        if self.pages.owners.nearly_exhausted() {
            self.clear();
        }
    }
}

impl Caches for Fast {
    const ROUTES: bool = true;

    #[inline(always)]
    fn route(&mut self, transaction: &Transaction) -> Result<Translation, Missed> {
        if transaction.address_type == AddressType::Translated {
            return Err(Missed::Unknown);
        }
        let Fast { pages, routes, .. } = self;
        let Some((route, place)) = routes.get(transaction, pages) else {
            return Err(Missed::Unknown);
        };
        let input = transaction.address.0;
        let (way, size) = route.find(pages, input);
        // One right is needed, so that having some of it is having it.
        if !way.rights().meets(route.needs(transaction.access)) {
            return Err(Missed::Absent(place));
        }
        Ok(Translation {
            pa: Pa(way.base() | size.offset(input)),
            page_bits: size.page_bits(),
            rights: way.rights(),
        })
    }

    fn keep_route(&mut self, transaction: &Transaction, route: &Route) {
        self.routes.keep(transaction, route, &mut self.pages);
    }

    #[inline]
    fn resume(&mut self, place: Place, access: Access) -> Option<(&Route, Rights, impl Pages)> {
        let (route, needs, owned) = self.routes.at(place, access, &self.pages)?;
        let pages = Opened {
            walked: &mut self.pages,
            owned: Some(owned),
        };
        Some((route, needs, pages))
    }

    fn spread_out(&self) -> bool {
        self.pages.last_tables >= self.spread
    }

    #[inline]
    fn parts(
        &mut self,
    ) -> Parts<
        '_,
        impl Structures<StreamId, Stream>,
        impl Structures<(StreamId, u32), Context>,
        impl Pages,
    > {
        self.make_room();
        Parts {
            streams: &mut self.streams,
            contexts: &mut self.contexts,
            levels: Some(&mut self.levels),
            pages: Opened {
                walked: &mut self.pages,
                owned: None,
            },
        }
    }

    fn invalidate(&mut self, command: &Command) {
        self.levels.invalidate(command);
        self.make_room();
        self.pages.moment += u64::from(!on(Mutant::RouteOutlivesInvalidation));
        self.forget(command);
    }

    fn clear(&mut self) {
        let pages = &mut self.pages;
        pages.tlb.clear();
        pages.ipas.clear();
        pages.tables.clear();
        pages.owners = Owners::default();
        pages.moment += 1;
        pages.last_tables = 0;
        // Slots mean nothing after this.
        self.routes.clear();
        self.streams = Streams::default();
        self.contexts = Contexts::default();
        self.levels.clear();
    }
}
