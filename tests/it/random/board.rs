//! The SMMU with its queues and devices, as software and devices use it.

use engine::layout::{Command, Event, SyncSignal};
use engine::{
    AtcInvalidation, CommandError, CommandQueue, Endpoints, EventQueue, Registers, Smmu, Stopped,
    StreamTableFormat, TimedOut,
};
use vm_memory::{Bytes, GuestAddress};

use super::alter::Alteration;
use super::coverage::Coverage;
use super::shape::STREAM_BITS;
use super::unit::{self, Unit};
use super::words;
use super::world::{Memory, World};

/// The main queue and two enhanced ones.
pub const QUEUES: usize = 3;
const COMMANDS_LOG2: u8 = 7;
const COMMANDS: u64 = 0x1000;
const EVENTS: u64 = 0x10_0000;
/// Log2 of the event queue's records.
const EVENTS_LOG2: u8 = 6;
/// PROD.EN of an enhanced queue.
const ENABLED: u32 = 1 << 31;
/// CONS.ERR, and ERRACK of PROD.
const ERR: u32 = 1 << 23;

struct Queue {
    ring: CommandQueue,
    base: u64,
    prod: u32,
    /// Commands since the queue was last empty.
    waiting: u32,
}

pub struct Board<'s> {
    smmu: &'s Smmu<Memory>,
    queues: Vec<Queue>,
    pub units: Vec<Box<dyn Unit + 's>>,
    late: bool,
    alteration: Option<Alteration>,
    events_read: u32,
}

impl<'s> Board<'s> {
    pub fn new(smmu: &'s Smmu<Memory>, world: &World, alteration: Option<Alteration>) -> Self {
        let queue = |number: usize| {
            let base = COMMANDS + ((16 << COMMANDS_LOG2) * number as u64);
            let ring = match number {
                0 => CommandQueue::new(base, COMMANDS_LOG2),
                _ => {
                    let mut ring = CommandQueue::enhanced(base, COMMANDS_LOG2);
                    ring.set_prod(ENABLED);
                    ring
                }
            };
            Queue {
                ring,
                base,
                prod: 0,
                waiting: 0,
            }
        };
        smmu.set_event_queue(EventQueue::new(EVENTS, EVENTS_LOG2));
        smmu.configure(Registers {
            smmuen: true,
            atschk: true,
            cmdqen: true,
            eventqen: true,
            recinvsid: true,
            strtab_base: world.stream_table,
            strtab_log2size: STREAM_BITS,
            strtab_format: match world.shape.split() {
                None => StreamTableFormat::Linear,
                Some(split) => StreamTableFormat::TwoLevel { split },
            },
            ..Registers::RESET
        });
        Board {
            smmu,
            queues: (0..QUEUES).map(queue).collect(),
            units: unit::all(smmu),
            late: world.shape.late,
            alteration,
            events_read: 0,
        }
    }

    /// Puts a command into a queue; it is consumed at once, or with the next CMD_SYNC.
    pub fn command(
        &mut self,
        queue: usize,
        command: Command,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let Some(command) = self
            .alteration
            .map_or(Some(command), |alteration| alteration.alter(command))
        else {
            return Ok(());
        };
        let words = words::command(&command);
        self.put(queue, words);
        coverage.accepted(words);
        if self.late && self.queues[queue].waiting < (1 << COMMANDS_LOG2) - 8 {
            return Ok(());
        }
        self.consume(queue, false, Stopped::Empty)
    }

    /// CMD_SYNC, and the wait for it. With `mute` devices do not answer CMD_ATC_INV; then the error is noted and the wait goes on.
    pub fn sync(
        &mut self,
        queue: usize,
        mute: bool,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        if self.alteration == Some(Alteration::NoSync) && !mute {
            return Ok(());
        }
        let words = words::command(&Command::Sync(SyncSignal::None));
        self.put(queue, words);
        coverage.accepted(words);
        if mute {
            self.consume(queue, true, Stopped::Error(CommandError::AtcInvSync))?;
            coverage.timeouts += 1;
            self.acknowledge(queue);
        }
        self.consume(queue, false, Stopped::Empty)
    }

    /// A CMD_ATC_INV that nobody answers, and its CMD_SYNC.
    pub fn time_out(
        &mut self,
        queue: usize,
        command: Command,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let words = words::command(&command);
        self.put(queue, words);
        coverage.accepted(words);
        if !self.late {
            self.consume(queue, true, Stopped::Empty)?;
        }
        self.sync(queue, true, coverage)
    }

    /// A command that has to be refused, and Linux's way on: another command in its place (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c,
    /// `__arm_smmu_cmdq_skip_err`; there a CMD_SYNC, here one that completes nothing).
    pub fn illegal(
        &mut self,
        queue: usize,
        words: [u64; 2],
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        const PREFETCH_CONFIG: u64 = 0x01;
        self.consume(queue, false, Stopped::Empty)?;
        let place = self.put(queue, words);
        self.consume(queue, false, Stopped::Error(CommandError::Ill))?;
        coverage.refused(words);
        self.store(place, [PREFETCH_CONFIG, 0]);
        self.acknowledge(queue);
        self.consume(queue, false, Stopped::Empty)
    }

    fn acknowledge(&mut self, queue: usize) {
        let it = &mut self.queues[queue];
        if queue == 0 {
            self.smmu.acknowledge(self.smmu.gerror().gerror());
        } else {
            it.ring.set_prod(it.prod | it.ring.cons() & ERR | ENABLED);
        }
    }

    fn put(&mut self, queue: usize, words: [u64; 2]) -> u64 {
        let entries = 1 << COMMANDS_LOG2;
        let it = &self.queues[queue];
        let place = it.base + u64::from(it.prod % entries) * 16;
        self.store(place, words);
        let it = &mut self.queues[queue];
        it.prod = (it.prod + 1) % (2 * entries);
        it.waiting += 1;
        // ERRACK stays as it is.
        let acknowledged = if queue == 0 {
            0
        } else {
            it.ring.cons() & ERR | ENABLED
        };
        it.ring.set_prod(it.prod | acknowledged);
        place
    }

    fn store(&self, place: u64, words: [u64; 2]) {
        for (word, at) in words.into_iter().zip([place, place + 8]) {
            self.smmu
                .memory()
                .write_obj(word, GuestAddress(at))
                .expect("queues lie in memory");
        }
    }

    fn consume(&mut self, queue: usize, mute: bool, expected: Stopped) -> Result<(), String> {
        let devices = Devices {
            units: &self.units,
            mute,
        };
        let stopped = self.smmu.consume(&mut self.queues[queue].ring, &devices);
        if stopped == Stopped::Empty {
            self.queues[queue].waiting = 0;
        }
        match stopped == expected {
            true => Ok(()),
            false => Err(format!(
                "command queue {queue} stopped with {stopped:?}, not {expected:?}"
            )),
        }
    }

    /// Records since the last look, read and given back.
    pub fn recorded(&mut self) -> Vec<[u64; 4]> {
        let prod = self.smmu.event_queue(EventQueue::prod);
        let entries = 1 << EVENTS_LOG2;
        let mut records = Vec::new();
        while self.events_read != prod & !(1 << 31) {
            let at = EVENTS + u64::from(self.events_read % entries) * Event::SIZE;
            let word = |word: u64| self.smmu.memory().read_obj(GuestAddress(at + word * 8));
            records.push([0, 1, 2, 3].map(|at| word(at).expect("the event queue lies in memory")));
            self.events_read = (self.events_read + 1) % (2 * entries);
        }
        if !records.is_empty() {
            // An overflow is acknowledged: OVACKFLG = OVFLG.
            self.smmu
                .set_event_queue_cons(self.events_read | prod & 1 << 31);
        }
        records
    }

    /// How many records fit into the queue, and whether one was lost.
    pub fn event_queue(&self) -> (usize, bool) {
        (
            1 << EVENTS_LOG2,
            self.smmu.event_queue(EventQueue::overflowed),
        )
    }
}

struct Devices<'u, 's> {
    units: &'u [Box<dyn Unit + 's>],
    mute: bool,
}

impl Endpoints for Devices<'_, '_> {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        if self.mute {
            return Err(TimedOut);
        }
        self.units
            .iter()
            .for_each(|unit| unit.invalidate(invalidation));
        Ok(())
    }
}
