//! No caches: every transaction reads everything anew.

use super::{Caches, Leaf, Missed, Pages, Parts, Place, Route, Space, Structures, Table};
use crate::access::{Access, Rights, Transaction, Translation};
use crate::context::Context;
use crate::fault::Fault;
use crate::ids::{StreamId, Vmid};
use crate::layout::Command;
use crate::stream::Stream;
use crate::tables::Tables;

/// Remembers nothing: the definition that caches must agree with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCaches;

impl<K, V> Structures<K, V> for NoCaches {
    fn get<'c>(
        &'c mut self,
        _: K,
        room: &'c mut Option<V>,
        fetch: impl FnOnce() -> Result<V, Fault>,
    ) -> Result<&'c V, Fault> {
        Ok(room.insert(fetch()?))
    }
}

impl Pages for NoCaches {
    type Owner = ();

    fn space(&mut self, _: Space) {}
    fn vm(&mut self, _: Vmid) {}
    fn translation(&mut self, (): (), _: u64) -> Option<Leaf> {
        None
    }
    fn keep_translation(&mut self, (): (), _: u64, _: &Leaf) {}
    fn stage2(&mut self, (): (), _: u64) -> Option<Leaf> {
        None
    }
    fn keep_stage2(&mut self, (): (), _: u64, _: &Leaf) {}
    fn table1(&mut self, (): (), _: &Tables, _: u64) -> Option<Table> {
        None
    }
    fn keep_table1(&mut self, (): (), _: &Tables, _: u64, _: &Table) {}
    fn table2(&mut self, (): (), _: &Tables, _: u64) -> Option<Table> {
        None
    }
    fn keep_table2(&mut self, (): (), _: &Tables, _: u64, _: &Table) {}
}

impl Caches for NoCaches {
    const ROUTES: bool = false;

    fn route(&mut self, _: &Transaction) -> Result<Translation, Missed> {
        Err(Missed::Unknown)
    }
    fn keep_route(&mut self, _: &Transaction, _: &Route) {}
    fn resume(&mut self, _: Place, _: Access) -> Option<(&Route, Rights, impl Pages)> {
        None::<(&Route, Rights, NoCaches)>
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
            streams: NoCaches,
            contexts: NoCaches,
            levels: None,
            pages: NoCaches,
        }
    }
    fn invalidate(&mut self, _: &Command) {}
    fn clear(&mut self) {}
}
