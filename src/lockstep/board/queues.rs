//! Commands are put into queues and consumed; what devices are asked to forget.

use std::cell::RefCell;

use engine::layout::{Command as Bytes, SyncSignal};
use engine::{AtcInvalidation, CommandError, CommandQueue, Endpoints, Iova, Stopped, TimedOut};
use vocab::{Page, Slot};

use super::{Board, Pace, Unexpected};
use crate::lockstep::chosen::Chosen;
use crate::lockstep::log::Line;
use crate::lockstep::unit::Unit;
use crate::lockstep::{encode, map};

/// A command queue and what software knows of it.
pub(super) struct Queue {
    pub ring: CommandQueue,
    /// Where the next command is written, with the wrap bit.
    pub prod: u32,
    /// Whether a CMD_ATC_INV waits to be consumed.
    pub asks_devices: bool,
}

impl Board<'_> {
    /// Puts a command into a queue. What makes an illegal one illegal is not the model's question; here it is an opcode from the range
    /// that is reserved (4.1.2).
    pub(super) fn issue(
        &mut self,
        queue: u8,
        command: Bytes,
        legal: bool,
    ) -> Result<(), Unexpected> {
        const RESERVED: u64 = 1 << 7;
        let [word0, word1] = command.encode();
        if legal {
            self.put(queue, [word0, word1]);
            self.queues[queue as usize].asks_devices |= matches!(command, Bytes::AtcInv { .. });
            return match self.pace {
                Pace::AtOnce => self.consume(queue, false, Stopped::Empty),
                Pace::AtSync => Ok(()),
            };
        }
        // Whatever is in front of it is consumed first, as hardware would before it meets the error.
        let place = self.put(queue, [word0 | RESERVED, word1]);
        self.consume(queue, false, Stopped::Error(CommandError::Ill))?;
        // Linux's way on: a CMD_SYNC in its place (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: __arm_smmu_cmdq_skip_err).
        self.overwrite(place, Bytes::Sync(SyncSignal::None).encode());
        self.go_on();
        self.consume(queue, false, Stopped::Empty)
    }

    pub(super) fn sync(&mut self, queue: u8, timed_out: bool) -> Result<(), Unexpected> {
        self.put(queue, Bytes::Sync(SyncSignal::None).encode());
        // Where the ATC_INVs have been consumed the devices have answered; the model allows that too.
        if timed_out && self.queues[queue as usize].asks_devices {
            self.consume(queue, true, Stopped::Error(CommandError::AtcInvSync))?;
            self.go_on();
        }
        self.consume(queue, false, Stopped::Empty)
    }

    /// Software has seen the error of a queue.
    fn go_on(&self) {
        let gerror = self.smmu.gerror();
        self.smmu.acknowledge(gerror.gerror());
    }

    /// Writes a command behind the last one; returns where it lies.
    fn put(&mut self, queue: u8, words: [u64; 2]) -> u64 {
        let base = map::commands(queue);
        let entries = 1 << map::COMMANDS_LOG2;
        let place = base + u64::from(self.queues[queue as usize].prod % entries) * 16;
        self.log.push(Line::Command {
            at: place,
            queue,
            words,
        });
        self.overwrite(place, words);
        let queue = &mut self.queues[queue as usize];
        queue.prod = (queue.prod + 1) % (2 * entries);
        queue.ring.set_prod(queue.prod);
        place
    }

    fn overwrite(&self, place: u64, [word0, word1]: [u64; 2]) {
        self.put_word(place, word0);
        self.put_word(place + 8, word1);
    }

    fn consume(&mut self, queue: u8, mute: bool, expected: Stopped) -> Result<(), Unexpected> {
        let devices = Devices {
            units: &self.units,
            mute,
            held: self.requests.as_ref(),
        };
        let of = &mut self.queues[queue as usize];
        of.asks_devices = false;
        let stopped = self.smmu.consume(&mut of.ring, &devices);
        match stopped == expected {
            true => Ok(()),
            false => Err(Unexpected(format!(
                "command queue {queue} stopped with {stopped:?}, not {expected:?}"
            ))),
        }
    }

    /// From now on what devices are asked to forget waits until it is delivered, and guests write nothing that they are not told to.
    pub fn obey(&mut self) {
        self.requests = Some(RefCell::default());
        self.scribbler = None;
    }

    /// How many requests were made so far.
    pub fn requests(&self) -> usize {
        let requests = self.requests.as_ref();
        requests.map_or(0, |requests| requests.borrow().len())
    }

    /// A request reaches its device.
    pub fn deliver(&self, unit: usize, request: usize) {
        let held = self.requests.as_ref().expect(HELD);
        self.units[unit].invalidate(&held.borrow()[request]);
    }

    /// A device drops what it has of a page.
    pub fn forget_in_atc(&self, unit: usize, slot: Slot, page: Page) {
        self.units[unit].invalidate(&AtcInvalidation {
            sid: encode::sid(self.machine.device_of(slot)),
            ssid: encode::ssid(self.machine, slot),
            global: false,
            address: Iova(self.address(slot, page)),
            span_bits: 12,
        });
    }

    /// Caches that do as they are told, with the commands consumed so far.
    pub fn chosen(&mut self, unit: usize) -> &mut Chosen {
        let chosen = self.units[unit].chosen();
        chosen.expect("a unit whose caches are told what to keep")
    }
}

/// Why nothing can be delivered.
const HELD: &str = "requests are delivered where they are held back";

/// The devices behind all units: each unit has ATCs of its own.
struct Devices<'u, 's> {
    units: &'u [Box<dyn Unit + 's>],
    /// They do not answer.
    mute: bool,
    /// Where requests wait, if they are not delivered at once.
    held: Option<&'u RefCell<Vec<AtcInvalidation>>>,
}

impl Endpoints for Devices<'_, '_> {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        if self.mute {
            return Err(TimedOut);
        }
        match self.held {
            Some(held) => held.borrow_mut().push(*invalidation),
            None => {
                let mut units = self.units.iter();
                units
                    .by_ref()
                    .for_each(|unit| unit.invalidate(invalidation));
            }
        }
        Ok(())
    }
}
