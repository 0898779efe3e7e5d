//! An operation as a guest's driver, or the host, asks for it.

use engine::hypervisor::{CdStore, Change, Errno, Slot as Context, SteStore};
use engine::{Asid, Iova, Ipa as IpaAddress};
use model::OpKind;
use model::caches::ste0;
use model::state::pte;
use nestcheck::cost::alone::Operation;
use nestcheck::lockstep::{encode, map};
use vocab::{Device, Ipa, Page, Slot, Space, Vm};

use super::super::act::viommu_of;
use super::Hypervisor;
use super::queue::Way;
use super::words::{nested, store_cd, vsid};

impl Hypervisor<'_, '_> {
    pub(super) fn drive(&mut self, operation: Operation, way: Way<'_>) -> Result<(), Errno> {
        let [first, second, third] = operation.args;
        let (slot, space) = (Slot(first), Space(first));
        match operation.kind {
            OpKind::Bind | OpKind::Replace => {
                self.allocate(Space(second));
                self.contexts(operation, way)?;
                self.bound.insert(slot, Space(second));
                self.give_back(Space(third));
            }
            OpKind::Unbind => {
                self.contexts(operation, way)?;
                self.bound.remove(&slot);
                self.give_back(Space(second));
            }
            OpKind::Map => {
                let entry = encode::leaf(pte::new(Ipa(third), false));
                self.put_leaf(space, Page(second), entry);
            }
            OpKind::Unmap => {
                self.put_leaf(space, Page(second), 0);
                self.contexts(operation, way)?;
            }
            OpKind::Exit => {
                self.contexts(operation, way)?;
                for page in 0..self.machine.bounds.pages {
                    self.put_leaf(space, Page(page), 0);
                }
            }
            _ => self.host_operation(operation, way)?,
        }
        Ok(())
    }

    /// The guest's own allocator.
    fn allocate(&mut self, space: Space) {
        let of = |space| self.machine.viommu_of(space);
        let used = |asid: &Asid| {
            let mut known = self.asids.iter();
            known.any(|(&other, known)| known == asid && of(other) == of(space))
        };
        let free = (self.first_asid..).map(Asid).find(|asid| !used(asid));
        let free = free.expect("there are more ASIDs than spaces");
        self.asids.entry(space).or_insert(free);
    }

    fn give_back(&mut self, space: Space) {
        if !self.bound.values().any(|bound| *bound == space) {
            self.asids.remove(&space);
        }
    }

    fn context(&self, slot: Slot) -> Context {
        Context {
            vsid: vsid(self.machine.device_of(slot)),
            ssid: encode::ssid(self.machine, slot),
            ats: self.machine.axes.ats,
        }
    }

    /// What the driver asks the strategy for.
    fn contexts(&mut self, operation: Operation, way: Way<'_>) -> Result<(), Errno> {
        let [first, second, _] = operation.args;
        let (slot, space, other) = (Slot(first), Space(first), Space(second));
        let context = self.context(slot);
        let slots = (0..self.machine.slots()).map(Slot);
        let all: Vec<_> = slots.map(|slot| (self.context(slot), slot)).collect();
        let of = |space: Space| self.asids.get(&space).copied();
        let (asid, others) = (of(space), of(other));
        let (machine, written) = (self.machine, self.physical.written.clone());
        let cd = &mut |store| store_cd(machine, &written, slot, other, store);
        let cds = &mut |context: Context, store: CdStore| {
            let (_, slot) = all.iter().find(|(known, _)| *known == context).unwrap();
            store_cd(machine, &written, *slot, space, store);
        };
        let host = &mut self.physical.host(way);
        let viommu = match operation.kind {
            OpKind::Unmap | OpKind::Exit => machine.viommu_of(space),
            _ => viommu_of(machine, machine.device_of(slot)),
        };
        let strategy = self.strategies[viommu.index()].strategy();
        match operation.kind {
            OpKind::Bind => strategy.bind(host, context, others.unwrap(), cd),
            OpKind::Unbind => strategy.unbind(host, context, cd),
            OpKind::Replace => strategy.replace(host, context, others.unwrap(), cd),
            // A space without an ASID is bound nowhere: there is nobody to tell.
            OpKind::Unmap => asid.map_or(Ok(()), |asid| {
                let change = Change::Pages {
                    first: Iova(map::iova(Page(second))),
                    pages: 1,
                };
                strategy.changed(host, asid, change)
            }),
            OpKind::Exit => asid.map_or(Ok(()), |asid| strategy.stop(host, asid, cds)),
            kind => panic!("{kind:?} is not about contexts"),
        }
    }

    /// What the host asks the stage 2 for.
    fn host_operation(&mut self, operation: Operation, way: Way<'_>) -> Result<(), Errno> {
        let [first, second, _] = operation.args;
        let (device, ipa) = (Device(first), Ipa(second));
        let (sid, at) = (encode::sid(device), map::ste(device));
        let leaf = map::stage_2_entry(Vm(0), ipa);
        let written = self.physical.written.clone();
        let host = &mut self.physical.host(way);
        let place = viommu_of(self.machine, device).index();
        let (viommu, strategy) = (&self.viommus[place], &mut self.strategies[place]);
        match operation.kind {
            OpKind::Lend => {
                let entry = encode::stage_2_leaf(encode::frame(Vm(0), ipa));
                written.put(leaf, entry);
                Ok(())
            }
            OpKind::Reclaim => {
                let clear = &mut || written.put(leaf, 0);
                self.parent.unmap(host, IpaAddress(map::ipa(ipa)), 1, clear)
            }
            OpKind::Attach => {
                let words = nested(self.machine, viommu, device).words();
                let write = &mut |store| match store {
                    SteStore::Rest => {
                        for word in [1, 3, 2] {
                            written.put(at + word as u64 * 8, words[word]);
                        }
                    }
                    SteStore::First => written.put(at, words[0]),
                };
                let (vmid, ats) = (viommu.vmid(), self.machine.axes.ats);
                strategy.attached(vsid(device), true, ats);
                self.parent.attach(host, sid, vmid, ats, write)
            }
            OpKind::Detach => {
                strategy.attached(vsid(device), false, false);
                let abort = encode::ste_word0(device, ste0::ABORT);
                self.parent
                    .detach(host, sid, &mut || written.put(at, abort))
            }
            kind => panic!("there is no twin of {kind:?}"),
        }
    }
}
