//! No caches: every transaction reads everything anew.

use super::{Caches, Leaf, Space, Table, TableOf};
use crate::access::{Transaction, Translation};
use crate::context::Context;
use crate::ids::{StreamId, Vmid};
use crate::layout::{Command, Granule};
use crate::stream::Stream;

/// Remembers nothing: the definition that caches must agree with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCaches;

impl Caches for NoCaches {
    fn route(&mut self, _: &Transaction) -> Option<Translation> {
        None
    }
    fn keep_route(&mut self, _: &Transaction, _: &Stream, _: Option<&Context>) {}
    fn stream(&mut self, _: StreamId) -> Option<Stream> {
        None
    }
    fn keep_stream(&mut self, _: StreamId, _: &Stream) {}
    fn context(&mut self, _: StreamId, _: u32) -> Option<Context> {
        None
    }
    fn keep_context(&mut self, _: StreamId, _: u32, _: &Context) {}
    fn translation(&mut self, _: Space, _: u64) -> Option<Leaf> {
        None
    }
    fn keep_translation(&mut self, _: Space, _: u64, _: &Leaf) {}
    fn stage2(&mut self, _: Vmid, _: u64) -> Option<Leaf> {
        None
    }
    fn keep_stage2(&mut self, _: Vmid, _: u64, _: &Leaf) {}
    fn table(&mut self, _: TableOf, _: Granule, _: u8, _: u64) -> Option<Table> {
        None
    }
    fn keep_table(&mut self, _: TableOf, _: Granule, _: u64, _: &Table) {}
    fn invalidate(&mut self, _: &Command) {}
    fn clear(&mut self) {}
}
