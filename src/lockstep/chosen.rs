//! Caches that do as they are told: what an SMMU happens to cache, and when a command happens to take effect, decided from outside.
//!
//! The architecture leaves both open: anything may be fetched and dropped at any time, and a command that was consumed takes effect at
//! any moment until the CMD_SYNC behind it completes. An engine makes one choice; with these caches a test makes it any other that is
//! permitted. Looking up, keeping and matching are the engine's own [`Exact`] caches'; only the moments are chosen.

use engine::cache::{
    Caches, Exact, Missed, Pages, Parts, Place, Preset, Replacement, Route, Structures,
};
use engine::layout::Command;
use engine::{Access, Context, Rights, Stream, StreamId, Transaction, Translation};

/// More translations than a board has.
const ROOM: usize = 64;

/// Caches large enough to keep everything until they are told otherwise.
#[derive(Debug)]
pub struct Chosen {
    caches: Exact,
    /// Invalidations that were consumed and have not taken effect.
    waiting: Vec<Command>,
}

impl Chosen {
    /// Empty caches.
    pub fn new() -> Self {
        Chosen {
            caches: Exact::new(Preset::custom(ROOM, ROOM / 4, Replacement::Lru)),
            waiting: Vec::new(),
        }
    }

    /// The oldest consumed command equal to this one takes effect; false if there is none.
    pub fn take_effect(&mut self, command: &Command) -> bool {
        let Some(place) = self.waiting.iter().position(|waiting| waiting == command) else {
            return false;
        };
        let command = self.waiting.remove(place);
        self.caches.invalidate(&command);
        true
    }

    /// Drops what a command names, as caches may at any time.
    pub fn evict(&mut self, named: &Command) {
        self.caches.invalidate(named);
    }
}

impl Caches for Chosen {
    const ROUTES: bool = Exact::ROUTES;

    fn route(&mut self, transaction: &Transaction) -> Result<Translation, Missed> {
        self.caches.route(transaction)
    }

    fn keep_route(&mut self, transaction: &Transaction, route: &Route) {
        self.caches.keep_route(transaction, route);
    }

    fn resume(&mut self, place: Place, access: Access) -> Option<(&Route, Rights, impl Pages)> {
        self.caches.resume(place, access)
    }

    fn parts(
        &mut self,
    ) -> Parts<
        '_,
        impl Structures<StreamId, Stream>,
        impl Structures<(StreamId, u32), Context>,
        impl Pages,
    > {
        self.caches.parts()
    }

    fn spread_out(&self) -> bool {
        self.caches.spread_out()
    }

    fn invalidate(&mut self, command: &Command) {
        self.waiting.push(*command);
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.caches.clear();
    }
}
