//! A twin's side: the engine's hypervisor, asked by a guest's driver, over real bytes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use engine::hypervisor::{
    CdStore, Change, Contract, Counts, Errno, Forwarder, Forwarding, Host, HostQueue, Issued,
    Native, NestParent, PerHwpt, Slot as Context, SteStore, Strategy, StrongAsid, Stuck, Viommu,
    VirtualSte,
};
use engine::layout::Ste;
use engine::{
    Asid, AtcInvalidation, Endpoints, Iova, Ipa as IpaAddress, Smmu, StreamId, TimedOut, Vmid,
};
use model::caches::{cd0, cd1, ste0, ste1, ste2};
use model::state::pte;
use model::{Machine, OpKind};
use nestcheck::cost::alone::Operation;
use nestcheck::lockstep::Pace;
use nestcheck::lockstep::board::Board;
use nestcheck::lockstep::unit::{self, Memory, Unit};
use nestcheck::lockstep::{encode, map};
use vm_memory::{Bytes as _, GuestAddress};
use vocab::{Device, Ipa, Page, Slot, Space, Vm};

use super::act::{self, Act, RESERVED};
use super::programs::Done;

/// Which of the engine's strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Native(Forwarding, Contract),
    StrongAsid,
    PerHwpt,
}

/// One of them.
enum Any {
    Native(Native),
    StrongAsid(StrongAsid),
    PerHwpt(PerHwpt),
}

impl Any {
    fn new(kind: Kind, viommu: &Viommu) -> Self {
        let viommu = viommu.clone();
        match kind {
            Kind::Native(forwarding, contract) => {
                Any::Native(Native::new(Forwarder::new(viommu, forwarding, contract)))
            }
            Kind::StrongAsid => Any::StrongAsid(StrongAsid::new(viommu)),
            Kind::PerHwpt => Any::PerHwpt(PerHwpt::new(viommu)),
        }
    }

    fn strategy(&mut self) -> &mut dyn Strategy {
        match self {
            Any::Native(native) => native,
            Any::StrongAsid(strong) => strong,
            Any::PerHwpt(per_hwpt) => per_hwpt,
        }
    }

    fn translates(&mut self, vsid: StreamId, translates: bool) {
        if let Any::Native(native) = self {
            native.forwarder.translates(vsid, translates);
        }
    }
}

/// The devices behind every kind of caches, each with ATCs of its own.
pub struct Devices<'s> {
    units: RefCell<Vec<Box<dyn Unit + 's>>>,
    mute: Cell<bool>,
}

impl<'s> Devices<'s> {
    pub fn new(smmu: &'s Smmu<Memory>) -> Self {
        Devices {
            units: RefCell::new(unit::all(smmu)),
            mute: Cell::new(false),
        }
    }
}

impl Endpoints for Devices<'_> {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        if self.mute.get() {
            return Err(TimedOut);
        }
        let units = self.units.borrow();
        units.iter().for_each(|unit| unit.invalidate(invalidation));
        Ok(())
    }
}

/// What is done to what the twin issues, before it is in the queue: mistakes, to see that they are noticed, and faults.
pub type Alter<'a> = &'a mut dyn FnMut(Vec<[u64; 2]>) -> Vec<Vec<[u64; 2]>>;

/// What goes wrong, by count within one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The SMMU calls the nth command illegal.
    pub illegal: Option<usize>,
    /// No device answers what waits for the nth CMD_SYNC that has a CMD_ATC_INV in front of it.
    pub unanswered: Option<usize>,
}

/// The physical queue, whose bytes are read back.
struct Recording<'a, 'h, 's> {
    smmu: &'h Smmu<Memory>,
    devices: &'h Devices<'s>,
    queue: &'a mut HostQueue<'h, Memory, Devices<'s>>,
    /// How many entries were ever written.
    entries: &'a mut u32,
    acts: &'a RefCell<Vec<Act>>,
    faults: Faults,
    met: [usize; 2],
    alter: Alter<'a>,
}

impl Host for Recording<'_, '_, '_> {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        let mut all = Issued::default();
        for batch in (self.alter)(commands.to_vec()) {
            let issued = self.issue_one(batch)?;
            all.rejected = all.rejected.or(issued.rejected);
            all.unanswered |= issued.unanswered;
        }
        Ok(all)
    }
}

impl Recording<'_, '_, '_> {
    fn issue_one(&mut self, mut batch: Vec<[u64; 2]>) -> Result<Issued, Stuck> {
        let [commands, syncs] = &mut self.met;
        for [word0, _] in &mut batch {
            if self.faults.illegal == Some(*commands) {
                *word0 |= RESERVED;
            }
            *commands += 1;
        }
        let asks = |[word0, _]: &[u64; 2]| word0 & 0xff == 0x40;
        if batch.iter().any(asks) {
            self.devices
                .mute
                .set(self.faults.unanswered == Some(*syncs));
            *syncs += 1;
        }
        let issued = self.queue.issue(&batch);
        self.devices.mute.set(false);
        let issued = issued?;
        for place in 0..=batch.len() {
            let words = self.read(*self.entries);
            *self.entries += 1;
            // What the SMMU refuses is a CMD_SYNC now.
            let act = match issued.rejected == Some(place) {
                true => Act::of_words(batch[place], true),
                false => Act::of_words(words, !issued.unanswered),
            };
            self.acts.borrow_mut().push(act.of_leaf());
        }
        Ok(issued)
    }

    /// The bytes of an entry of the queue, as they lie in memory.
    fn read(&self, entry: u32) -> [u64; 2] {
        let entry = entry % (1 << map::COMMANDS_LOG2);
        let at = map::commands(0) + u64::from(entry) * 16;
        [at, at + 8].map(|at| self.smmu.memory().read_obj(GuestAddress(at)).unwrap())
    }
}

/// A guest, its hypervisor and its devices.
pub struct Hypervisor<'h, 's> {
    machine: &'h Machine,
    smmu: &'h Smmu<Memory>,
    devices: &'h Devices<'s>,
    viommu: Viommu,
    strategy: Any,
    parent: NestParent,
    queue: HostQueue<'h, Memory, Devices<'s>>,
    entries: u32,
    acts: RefCell<Vec<Act>>,
    /// The guest's ASIDs, the smallest free one first. From where on is not the host's business where the host has its own.
    asids: BTreeMap<Space, Asid>,
    first_asid: u16,
    bound: BTreeMap<Slot, Space>,
}

/// How a guest calls a device.
fn vsid(device: Device) -> StreamId {
    StreamId(u32::from(device.0) + 0x20)
}

/// The STE of stage 2 alone that everything is nested on.
fn parent_ste() -> Ste {
    let [word2, word3] = encode::ste_words2(ste2::new(vocab::Vmid(0), Vm(0)));
    let word0 = encode::ste_word0(Device(0), ste0::S2_TRANS);
    Ste::from_words([word0, 0, word2, word3, 0, 0, 0, 0])
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
        let mut viommu = Viommu::new(parent_ste()).expect("stage 2 alone");
        for device in (0..machine.bounds.devices).map(Device) {
            let sid = encode::sid(device);
            viommu.devices.add(vsid(device), sid).expect("a new number");
        }
        let mut hypervisor = Hypervisor {
            machine,
            smmu,
            devices,
            strategy: Any::new(kind, &viommu),
            viommu,
            parent: NestParent::new(),
            queue: HostQueue::new(smmu, devices, map::commands(0), map::COMMANDS_LOG2),
            entries: 0,
            acts: RefCell::default(),
            asids: BTreeMap::new(),
            first_asid: if kind == Kind::PerHwpt { 101 } else { 1 },
            bound: BTreeMap::new(),
        };
        for device in (0..machine.bounds.devices).map(Device) {
            let attached = hypervisor.perform(Operation {
                kind: OpKind::Attach,
                args: [device.0, 0, 0],
            });
            assert!(attached.succeeded);
        }
        hypervisor
    }

    /// Performs an operation.
    pub fn perform(&mut self, operation: Operation) -> Done {
        self.perform_with(operation, Faults::default(), &mut |batch| vec![batch])
            .0
    }

    /// The same with faults and mistakes; says also what the driver was told.
    pub fn perform_with(
        &mut self,
        operation: Operation,
        faults: Faults,
        alter: Alter<'_>,
    ) -> (Done, Result<(), Errno>) {
        let before = self.strategy.strategy().counts();
        let result = self.drive(operation, faults, alter);
        let after = self.strategy.strategy().counts();
        let less = |count: fn(&Counts) -> u64| (count(&after) - count(&before)) as u32;
        let calls = [
            less(|counts| counts.exits),
            less(|counts| counts.ioctls),
            less(|counts| counts.commands),
            less(|counts| counts.syncs),
        ];
        let done = Done {
            acts: self.acts.take(),
            calls,
            succeeded: result.is_ok(),
        };
        (done, result)
    }

    fn drive(
        &mut self,
        operation: Operation,
        faults: Faults,
        alter: Alter<'_>,
    ) -> Result<(), Errno> {
        let [first, second, third] = operation.args;
        let (slot, space) = (Slot(first), Space(first));
        match operation.kind {
            OpKind::Bind | OpKind::Replace => {
                self.allocate(Space(second));
                self.contexts(operation, faults, alter)?;
                self.bound.insert(slot, Space(second));
                self.give_back(Space(third));
            }
            OpKind::Unbind => {
                self.contexts(operation, faults, alter)?;
                self.bound.remove(&slot);
                self.give_back(Space(second));
            }
            OpKind::Map | OpKind::Unmap | OpKind::Exit => {
                if operation.kind == OpKind::Map {
                    let entry = encode::leaf(pte::new(Ipa(third), false));
                    self.put_leaf(space, Page(second), entry);
                }
                if operation.kind == OpKind::Unmap {
                    self.put_leaf(space, Page(second), 0);
                }
                self.contexts(operation, faults, alter)?;
                if operation.kind == OpKind::Exit {
                    for page in 0..self.machine.bounds.pages {
                        self.put_leaf(space, Page(page), 0);
                    }
                }
            }
            _ => self.host_operation(operation, faults, alter)?,
        }
        Ok(())
    }

    /// The guest's own allocator.
    fn allocate(&mut self, space: Space) {
        let used = |asid: &Asid| self.asids.values().any(|known| known == asid);
        let free = (self.first_asid..).map(Asid).find(|asid| !used(asid));
        self.asids
            .entry(space)
            .or_insert_with(|| free.expect("there are more ASIDs than spaces"));
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
    fn contexts(
        &mut self,
        operation: Operation,
        faults: Faults,
        alter: Alter<'_>,
    ) -> Result<(), Errno> {
        let [first, second, _] = operation.args;
        let (slot, space) = (Slot(first), Space(first));
        let context = self.context(slot);
        let all: Vec<_> = (0..self.machine.slots())
            .map(|slot| (self.context(Slot(slot)), Slot(slot)))
            .collect();
        let of = |space: Space| self.asids.get(&space).copied();
        let (machine, smmu, acts) = (self.machine, self.smmu, &self.acts);
        let mut cd = |store| store_cd(machine, smmu, acts, slot, Space(second), store);
        let mut cds = |context: Context, store| {
            let (_, slot) = all.iter().find(|(known, _)| *known == context).unwrap();
            store_cd(machine, smmu, acts, *slot, space, store);
        };
        let host = &mut Recording {
            smmu,
            devices: self.devices,
            queue: &mut self.queue,
            entries: &mut self.entries,
            acts,
            faults,
            met: [0; 2],
            alter,
        };
        let strategy = self.strategy.strategy();
        match operation.kind {
            OpKind::Bind => strategy.bind(host, context, of(Space(second)).unwrap(), &mut cd),
            OpKind::Unbind => strategy.unbind(host, context, &mut cd),
            OpKind::Replace => strategy.replace(host, context, of(Space(second)).unwrap(), &mut cd),
            // A space without an ASID is bound nowhere: there is nobody to tell.
            OpKind::Unmap => of(space).map_or(Ok(()), |asid| {
                let change = Change::Pages {
                    first: Iova(map::iova(Page(second))),
                    pages: 1,
                };
                strategy.changed(host, asid, change)
            }),
            OpKind::Exit => of(space).map_or(Ok(()), |asid| strategy.stop(host, asid, &mut cds)),
            _ => Ok(()),
        }
    }

    /// What the host asks the stage 2 for.
    fn host_operation(
        &mut self,
        operation: Operation,
        faults: Faults,
        alter: Alter<'_>,
    ) -> Result<(), Errno> {
        let [first, second, _] = operation.args;
        let (device, ipa) = (Device(first), Ipa(second));
        let sid = encode::sid(device);
        let (machine, smmu, acts) = (self.machine, self.smmu, &self.acts);
        let ste = nested(machine, &self.viommu, device);
        let ats = machine.axes.ats;
        let vmid: Vmid = self.viommu.vmid();
        let put = |at, word| put(smmu, acts, at, word);
        let leaf = map::stage_2_entry(Vm(0), ipa);
        let host = &mut Recording {
            smmu,
            devices: self.devices,
            queue: &mut self.queue,
            entries: &mut self.entries,
            acts,
            faults,
            met: [0; 2],
            alter,
        };
        match operation.kind {
            OpKind::Lend => {
                put(leaf, encode::stage_2_leaf(encode::frame(Vm(0), ipa)));
                Ok(())
            }
            OpKind::Reclaim => self
                .parent
                .unmap(host, IpaAddress(map::ipa(ipa)), 1, &mut || put(leaf, 0)),
            OpKind::Attach => {
                let words = ste.words();
                let write = &mut |store| match store {
                    SteStore::Rest => {
                        put(map::ste(device) + 8, words[1]);
                        put(map::ste(device) + 24, words[3]);
                        put(map::ste(device) + 16, words[2]);
                    }
                    SteStore::First => put(map::ste(device), words[0]),
                };
                self.strategy.translates(vsid(device), true);
                self.parent.attach(host, sid, vmid, ats, write)
            }
            OpKind::Detach => {
                self.strategy.translates(vsid(device), false);
                let abort = encode::ste_word0(device, ste0::ABORT);
                let write = &mut || put(map::ste(device), abort);
                self.parent.detach(host, sid, write)
            }
            kind => panic!("there is no twin of {kind:?}"),
        }
    }

    /// Nobody's words in a device's STE, which aborts.
    pub fn clear_ste(&self, device: u8) {
        for word in 1..4 {
            let at = map::ste(Device(device)) + word * 8;
            put(self.smmu, &RefCell::default(), at, 0);
        }
    }

    fn put_leaf(&self, space: Space, page: Page, word: u64) {
        let at = map::physical(Vm(0), map::stage_1_entry(space, page));
        put(self.smmu, &self.acts, at, word);
    }

    /// What every slot's accesses to every page come to, by every kind of caches; the first has none. Through the ATC, too, if it has one.
    pub fn accesses(&self) -> Vec<(Slot, Page, Vec<Option<u64>>)> {
        let mut all = Vec::new();
        let mut units = self.devices.units.borrow_mut();
        for slot in (0..self.machine.slots()).map(Slot) {
            for page in (0..self.machine.bounds.pages).map(Page) {
                let device = self.machine.device_of(slot);
                let (ssid, at) = (encode::ssid(self.machine, slot), Iova(map::iova(page)));
                let mut answers = Vec::new();
                for unit in units.iter_mut() {
                    let plain = unit.access(device, ssid, at);
                    answers.push(plain.ok().map(|found| found.pa.0));
                    if self.machine.axes.ats {
                        let cached = unit.through_atc(device, ssid, at);
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

/// The physical STE of a device whose guest has its CD table where the model's has.
fn nested(machine: &Machine, viommu: &Viommu, device: Device) -> Ste {
    const CONFIG: u64 = 7 << 1;
    let word0 = encode::ste_word0(device, ste0::nested(vocab::Viommu(0)));
    let word1 = encode::ste_word1(machine, ste1::new(machine.axes.ats, false));
    let ste = VirtualSte::validate([word0 & !CONFIG | 5 << 1, word1])
        .and_then(|vste| viommu.attach(encode::sid(device), &vste, true))
        .expect("the guest's STE is a common one");
    // Events of a guest are merged, which the model does not have (`arm_smmu_make_nested_domain_ste`).
    assert!(ste.word1.mev());
    Ste {
        word1: ste.word1.with_mev(false),
        ..ste
    }
}

/// A store, if it is one.
fn put(smmu: &Smmu<Memory>, acts: &RefCell<Vec<Act>>, at: u64, word: u64) {
    let there: u64 = smmu.memory().read_obj(GuestAddress(at)).unwrap();
    if there != word {
        smmu.memory().write_obj(word, GuestAddress(at)).unwrap();
        acts.borrow_mut().push(Act::Store { at, word });
    }
}

fn store_cd(
    machine: &Machine,
    smmu: &Smmu<Memory>,
    acts: &RefCell<Vec<Act>>,
    slot: Slot,
    space: Space,
    store: CdStore,
) {
    let at = act::cd(machine, slot);
    // The model counts from 0.
    let tag = |Asid(asid): Asid| vocab::Asid((asid - 1) as u8);
    let (at, word) = match store {
        CdStore::Rest => (at + 8, encode::cd_word1(cd1::ttb(space))),
        CdStore::Valid(asid) => (at, encode::cd_word0(cd0::valid(tag(asid)))),
        CdStore::Ended(asid) => (at, encode::cd_word0(cd0::epd(tag(asid)))),
        CdStore::Invalid => (at, encode::cd_word0(cd0::INVALID)),
    };
    put(smmu, acts, at, word);
}
