//! A twin's side: the engine's hypervisor, asked by a guest's driver, over real bytes.

mod ask;
mod kind;
mod queue;
mod words;

use std::collections::BTreeMap;

use engine::hypervisor::{
    Consumed, Contract, Counts, DATA_ARM_SMMUV3, Errno, Forwarder, Invalidated, NestParent,
    UserArray, Viommu,
};
use engine::{Access, Asid, Iova, Smmu, StreamId};
use model::{Machine, OpKind};
use nestcheck::cost::alone::Operation;
use nestcheck::lockstep::Pace;
use nestcheck::lockstep::board::Board;
use nestcheck::lockstep::unit::Memory;
use nestcheck::lockstep::{encode, map};
use vocab::{Device, Page, Slot, Space, Vm};

use super::act::{Act, viommu_of};
use super::programs::Done;
use kind::Any;
pub use kind::Kind;
use queue::Physical;
pub use queue::{Alter, Devices, Faults, Way};
use words::{VIRTUAL, vsid};

/// A guest, its hypervisor and its devices.
pub struct Hypervisor<'h, 's> {
    machine: &'h Machine,
    physical: Physical<'h, 's>,
    /// The vIOMMUs of the VM, and for each what the guest drives it by.
    viommus: Vec<Viommu>,
    strategies: Vec<Any>,
    parent: NestParent,
    /// The guest's ASIDs, the smallest free one first. From where on is not the host's business where the host has its own.
    asids: BTreeMap<Space, Asid>,
    first_asid: u16,
    bound: BTreeMap<Slot, Space>,
}

impl<'h, 's> Hypervisor<'h, 's> {
    /// In the model's initial state.
    pub fn new(
        machine: &'h Machine,
        smmu: &'h Smmu<Memory>,
        devices: &'h Devices<'s>,
        kind: Kind,
    ) -> Self {
        drop(Board::new(machine, smmu, Pace::AtOnce, Vec::new()));
        let all = (0..machine.bounds.devices).map(Device);
        let viommu = |id| {
            let mut viommu = Viommu::new(words::parent(id)).expect("stage 2 alone");
            for device in all
                .clone()
                .filter(|&device| viommu_of(machine, device) == id)
            {
                let added = viommu.devices.add(vsid(device), encode::sid(device));
                added.expect("a new number");
            }
            viommu
        };
        let viommus: Vec<_> = (0..machine.bounds.viommus)
            .map(|id| viommu(vocab::Viommu(id)))
            .collect();
        let mut hypervisor = Hypervisor {
            machine,
            physical: Physical::new(smmu, devices),
            strategies: viommus.iter().map(|it| Any::new(kind, it)).collect(),
            viommus,
            parent: NestParent::new(),
            asids: BTreeMap::new(),
            first_asid: if kind == Kind::PerHwpt { 101 } else { 1 },
            bound: BTreeMap::new(),
        };
        for device in all {
            let attach = Operation {
                kind: OpKind::Attach,
                args: [device.0, 0, 0],
            };
            assert!(hypervisor.perform(attach).0.succeeded);
        }
        hypervisor
    }

    /// Performs an operation; says also what the driver is told.
    pub fn perform(&mut self, operation: Operation) -> (Done, Result<(), Errno>) {
        self.perform_with(operation, Way::well(&mut |batch| vec![batch]))
    }

    /// The same with faults and mistakes.
    pub fn perform_with(
        &mut self,
        operation: Operation,
        way: Way<'_>,
    ) -> (Done, Result<(), Errno>) {
        let before = self.calls();
        let result = self.drive(operation, way);
        let after = self.calls();
        let calls = std::array::from_fn(|count| after[count] - before[count]);
        let done = Done {
            acts: self.physical.written.take(),
            calls,
            succeeded: result.is_ok(),
        };
        (done, result)
    }

    /// Exits, ioctls, commands and CMD_SYNCs so far.
    fn calls(&mut self) -> [u32; 4] {
        let mut calls = [0; 4];
        for strategy in &mut self.strategies {
            let Counts {
                exits,
                ioctls,
                commands,
                syncs,
            } = strategy.strategy().counts();
            for (sum, more) in calls.iter_mut().zip([exits, ioctls, commands, syncs]) {
                *sum += more as u32;
            }
        }
        calls
    }

    /// A command as the guest writes it, who knows neither its VMID nor its devices' StreamIDs.
    pub fn guests(&self, command: vocab::Command) -> [u64; 2] {
        const VMID: u64 = 0xffff << 32;
        let [word0, word1] = encode::command(self.machine, command).encode();
        match word0 & 0xff {
            0x05 | 0x40 => [word0 + (u64::from(VIRTUAL) << 32), word1],
            // Leaf=0, as its driver says.
            _ => [word0 & !VMID, word1 & !1],
        }
    }

    /// The guest's VMM makes one call, IOMMU_HWPT_INVALIDATE on its first vIOMMU.
    pub fn ioctl(
        &mut self,
        contract: Contract,
        entries: &[[u64; 2]],
        faults: Faults,
    ) -> (Invalidated, Vec<Act>) {
        let words = entries.iter().flatten();
        let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        let array = UserArray {
            data: Some(&bytes),
            data_type: DATA_ARM_SMMUV3,
            entry_len: 16,
            entry_num: entries.len() as u32,
        };
        let alter = &mut |batch| vec![batch];
        let host = &mut self.physical.host(Way { faults, alter });
        let invalidated = self.viommus[0].hwpt_invalidate(host, contract, &array);
        (invalidated, self.physical.written.take())
    }

    /// A VMM of its own consumes what the guest has written, and a CMD_SYNC.
    pub fn consume(
        &mut self,
        forwarder: &mut Forwarder,
        commands: &[[u64; 2]],
    ) -> (Consumed, Vec<Act>) {
        let commands = [commands, &[[0x46, 0]]].concat();
        let alter = &mut |batch| vec![batch];
        let host = &mut self.physical.host(Way::well(alter));
        let consumed = forwarder.consume(host, &commands);
        (consumed, self.physical.written.take())
    }

    /// The first.
    pub fn viommu(&self) -> &Viommu {
        &self.viommus[0]
    }

    /// How the guest calls its first device.
    pub fn vsid(&self) -> StreamId {
        vsid(Device(0))
    }

    /// The guest has the device no longer.
    pub fn destroy_vdevice(&mut self, device: Device) {
        let removed = self.viommus[0].devices.remove(vsid(device));
        removed.expect("it was added");
    }

    /// A guest's page goes, and nobody is told.
    pub fn clear_leaf(&self, space: Space, page: Page) {
        self.put_leaf(space, page, 0);
        self.physical.written.take();
    }

    /// Nobody's words in a device's STE, which aborts.
    pub fn clear_ste(&self, device: u8) {
        for word in 1..4 {
            let at = map::ste(Device(device)) + word * 8;
            self.physical.written.put(at, 0);
        }
        self.physical.written.take();
    }

    fn put_leaf(&self, space: Space, page: Page, word: u64) {
        let at = map::physical(Vm(0), map::stage_1_entry(space, page));
        self.physical.written.put(at, word);
    }

    /// What every slot's accesses to every page come to, by every kind of caches; the first has none. Through the ATC, too, if it has one.
    pub fn accesses(&self) -> Vec<(Slot, Page, Vec<Option<u64>>)> {
        let mut all = Vec::new();
        let mut units = self.physical.devices.units.borrow_mut();
        for slot in (0..self.machine.slots()).map(Slot) {
            for page in (0..self.machine.bounds.pages).map(Page) {
                let device = self.machine.device_of(slot);
                let (ssid, at) = (encode::ssid(self.machine, slot), Iova(map::iova(page)));
                let mut answers = Vec::new();
                for unit in units.iter_mut() {
                    let plain = unit.access(device, ssid, at, Access::READ);
                    answers.push(plain.ok().map(|found| found.pa.0));
                    if self.machine.axes.ats {
                        let cached = unit.through_atc(device, ssid, at, Access::READ);
                        answers.push(cached.ok().map(|found| found.pa.0));
                    }
                }
                all.push((slot, page, answers));
            }
        }
        all
    }

    /// The accesses that come to something else than memory says.
    pub fn stale(&self) -> Vec<(Slot, Page)> {
        let accesses = self.accesses().into_iter();
        let stale = accesses.filter(|(_, _, answers)| answers.iter().any(|it| *it != answers[0]));
        stale.map(|(slot, page, _)| (slot, page)).collect()
    }
}
