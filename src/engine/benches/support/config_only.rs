//! Caches for the walk that reads everything.

use engine::cache::{Caches, Fast, Missed, NoCaches, Pages, Parts, Place, Route, Structures};
use engine::layout::Command;
use engine::{Access, Context, Rights, Stream, StreamId, Transaction, Translation};

/// Remembers what STEs and CDs say and nothing else: every translation reads all 24 descriptors.
pub struct ConfigOnly(pub Fast);

impl Caches for ConfigOnly {
    const ROUTES: bool = true;

    fn route(&mut self, transaction: &Transaction) -> Result<Translation, Missed> {
        self.0.route(transaction)
    }
    fn keep_route(&mut self, transaction: &Transaction, route: &Route) {
        self.0.keep_route(transaction, route);
    }
    fn resume(&mut self, place: Place, access: Access) -> Option<(&Route, Rights, impl Pages)> {
        let (route, needs, _) = self.0.resume(place, access)?;
        Some((route, needs, NoCaches))
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
        let Parts {
            streams,
            contexts,
            levels,
            ..
        } = self.0.parts();
        Parts {
            streams,
            contexts,
            levels,
            pages: NoCaches,
        }
    }
    fn invalidate(&mut self, command: &Command) {
        self.0.invalidate(command);
    }
    fn clear(&mut self) {
        self.0.clear();
    }
}
