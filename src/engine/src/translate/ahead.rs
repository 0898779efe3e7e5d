//! Looking ahead: the descriptors that several walks will end with are read one after the other, before the walks themselves, so that
//! they come from memory at the same time.
//!
//! Nothing is decided, remembered or refused here. Whatever is unusual is left to the walk.

use vm_memory::GuestMemoryBackend;

use super::Translator;
use crate::access::Transaction;
use crate::cache::{Caches, Pages, Place, Route, Space, untagged};
use crate::layout::Descriptor;
use crate::tables::Entry;

impl<M: GuestMemoryBackend, C: Caches> Translator<'_, '_, M, C> {
    /// Reads stage 1's last descriptor, if its table is remembered.
    #[inline]
    pub(crate) fn ahead1(&mut self, transaction: &Transaction, place: Place) -> Option<u64> {
        let (Route { stream, context }, _, mut pages) =
            self.caches.resume(place, transaction.access)?;
        let (context, va) = (context.as_ref()?, transaction.address.0);
        let tables = &context.region(va).ok()??.tables;
        let space = pages.space(Space::of(stream, context));
        let table = pages.table1(space, tables, untagged(va))?;
        let level = tables.level(table.level);
        self.memory
            .near(level.descriptor_at(table.base, untagged(va)))
    }

    /// Reads stage 2's last descriptor for the page that a stage-1 descriptor leads to.
    #[inline]
    pub(crate) fn ahead2(
        &mut self,
        transaction: &Transaction,
        place: Place,
        descriptor: u64,
    ) -> Option<u64> {
        let (Route { stream, context }, _, mut pages) =
            self.caches.resume(place, transaction.access)?;
        let (context, va) = (context.as_ref()?, transaction.address.0);
        let level = context.region(va).ok()??.tables.level(3);
        let Entry::Leaf(base) = level.entry(Descriptor::from_bits(descriptor)) else {
            return None;
        };
        let stage2 = stream.stage2.as_ref()?;
        let (tables, ipa) = (&stage2.tables, base | (va & (level.unit - 1)));
        if !tables.hold(ipa) {
            return None;
        }
        let vm = pages.vm(stage2.vmid);
        let table = pages.table2(vm, tables, ipa)?;
        let level = tables.level(table.level);
        self.memory.near(level.descriptor_at(table.base, ipa))
    }
}
