//! The physical side of a twin: memory that it stores to, a queue whose bytes are read back, and devices.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine::hypervisor::{Host, HostQueue, Issued, Stuck};
use engine::{AtcInvalidation, Endpoints, Smmu, TimedOut};
use nestcheck::lockstep::map;
use nestcheck::lockstep::unit::{self, Memory, Unit};
use vm_memory::{Bytes as _, GuestAddress};

use super::super::act::{Act, RESERVED};

/// The devices behind every kind of caches, each with ATCs of its own.
pub struct Devices<'s> {
    pub units: RefCell<Vec<Box<dyn Unit + 's>>>,
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

/// Memory, and what software has done to it and to the queue.
#[derive(Clone)]
pub struct Written<'h> {
    pub smmu: &'h Smmu<Memory>,
    acts: Rc<RefCell<Vec<Act>>>,
}

impl Written<'_> {
    /// A store, if it is one.
    pub fn put(&self, at: u64, word: u64) {
        if self.read(at) != word {
            let stored = self.smmu.memory().write_obj(word, GuestAddress(at));
            stored.expect("the map lies in memory");
            self.acts.borrow_mut().push(Act::Store { at, word });
        }
    }

    fn read(&self, at: u64) -> u64 {
        let word = self.smmu.memory().read_obj(GuestAddress(at));
        word.expect("the map lies in memory")
    }

    /// What was done since this was last asked.
    pub fn take(&self) -> Vec<Act> {
        self.acts.take()
    }
}

/// What is done to what a twin issues, before it is in the queue: mistakes, to see that they are noticed.
pub type Alter<'a> = &'a mut dyn FnMut(Vec<[u64; 2]>) -> Vec<Vec<[u64; 2]>>;

/// What goes wrong, by count within one call or operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The SMMU calls the nth command illegal.
    pub illegal: Option<usize>,
    /// No device answers what waits for the nth CMD_SYNC that has a CMD_ATC_INV in front of it.
    pub unanswered: Option<usize>,
}

/// What happens to commands on their way.
pub struct Way<'a> {
    pub faults: Faults,
    pub alter: Alter<'a>,
}

impl<'a> Way<'a> {
    /// Nothing goes wrong in hardware.
    pub fn well(alter: Alter<'a>) -> Self {
        let faults = Faults::default();
        Way { faults, alter }
    }
}

/// The physical queue.
pub struct Physical<'h, 's> {
    pub written: Written<'h>,
    pub devices: &'h Devices<'s>,
    queue: HostQueue<'h, Memory, Devices<'s>>,
    /// How many entries were ever written.
    entries: u32,
}

impl<'h, 's> Physical<'h, 's> {
    pub fn new(smmu: &'h Smmu<Memory>, devices: &'h Devices<'s>) -> Self {
        Physical {
            written: Written {
                smmu,
                acts: Rc::default(),
            },
            devices,
            queue: HostQueue::new(smmu, devices, map::commands(0), map::COMMANDS_LOG2),
            entries: 0,
        }
    }

    /// The queue for a call or an operation.
    pub fn host<'a, 'w>(&'a mut self, way: Way<'w>) -> Recording<'a, 'w, 'h, 's> {
        Recording {
            physical: self,
            way,
            met: [0; 2],
        }
    }

    /// The bytes of an entry, as they lie in memory.
    fn entry(&self, entry: u32) -> [u64; 2] {
        let entry = entry % (1 << map::COMMANDS_LOG2);
        let at = map::commands(0) + u64::from(entry) * 16;
        [at, at + 8].map(|at| self.written.read(at))
    }
}

/// The physical queue, which notes what is issued.
pub struct Recording<'a, 'w, 'h, 's> {
    physical: &'a mut Physical<'h, 's>,
    way: Way<'w>,
    /// Commands, and CMD_SYNCs with a CMD_ATC_INV in front of them, so far.
    met: [usize; 2],
}

impl Host for Recording<'_, '_, '_, '_> {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        let mut all = Issued::default();
        for batch in (self.way.alter)(commands.to_vec()) {
            let issued = self.issue_one(batch)?;
            all.rejected = all.rejected.or(issued.rejected);
            all.unanswered |= issued.unanswered;
        }
        Ok(all)
    }
}

impl Recording<'_, '_, '_, '_> {
    fn issue_one(&mut self, mut batch: Vec<[u64; 2]>) -> Result<Issued, Stuck> {
        let [commands, syncs] = &mut self.met;
        for [word0, _] in &mut batch {
            if self.way.faults.illegal == Some(*commands) {
                *word0 |= RESERVED;
            }
            *commands += 1;
        }
        let mute = &self.physical.devices.mute;
        if batch.iter().any(|[word0, _]| word0 & 0xff == 0x40) {
            mute.set(self.way.faults.unanswered == Some(*syncs));
            *syncs += 1;
        }
        let issued = self.physical.queue.issue(&batch);
        mute.set(false);
        let issued = issued?;
        // What the SMMU has refused is a CMD_SYNC in memory now.
        let given = batch.iter().copied().map(Some).chain([None]);
        for (place, given) in given.enumerate() {
            let physical = &mut *self.physical;
            let there = physical.entry(physical.entries);
            physical.entries += 1;
            let act = match given.filter(|_| issued.rejected == Some(place)) {
                Some(refused) => Act::of_words(refused, true),
                None => Act::of_words(there, !issued.unanswered),
            };
            physical.written.acts.borrow_mut().push(act.of_leaf());
        }
        Ok(issued)
    }
}
