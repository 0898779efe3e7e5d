//! Real bytes: guest memory, an SMMU and its queues, on which the model's steps of software are performed as stores and commands.

use std::cell::RefCell;

use engine::layout::{Command as Bytes, Event, SyncSignal};
use engine::{
    AtcInvalidation, AtcMiss, CommandError, CommandQueue, Endpoints, EventQueue, Features, Iova,
    Registers, Smmu, Stopped, StreamTableFormat, TimedOut,
};
use model::state::{Memory as Words, descriptor, leaf};
use model::trace::Deed;
use model::{Machine, State, limit};
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryMmap};
use vocab::{Device, Frame, Ipa, Page, Slot, Space, Viommu, Vm};

use super::answer::{self, Answer, Asked};
use super::chosen::Chosen;
use super::log::Line;
use super::scribble::Scribbler;
use super::unit::{Memory, Unit};
use super::{encode, map};

/// When the SMMU consumes commands. It may do so at any time before the CMD_SYNC behind them completes; these are the extremes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As soon as they are in the queue.
    AtOnce,
    /// When CMD_SYNC is.
    AtSync,
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Pace::AtOnce => "at once",
            Pace::AtSync => "at CMD_SYNC",
        })
    }
}

/// An SMMU over zeroed memory, switched off.
pub fn smmu() -> Smmu<Memory> {
    let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), map::SIZE as usize)])
        .expect("a megabyte of memory can be had");
    Smmu::new(memory, Features::all())
}

/// The SMMU and everything around it.
pub struct Board<'s> {
    machine: &'s Machine,
    smmu: &'s Smmu<Memory>,
    pace: Pace,
    queues: Vec<Queue>,
    events_read: u32,
    scribbler: Option<Scribbler>,
    /// What memory holds, as far as the model knows its words.
    held: Words,
    /// Requests to devices that were made and not delivered, if they are not delivered at once.
    requests: Option<RefCell<Vec<AtcInvalidation>>>,
    log: Vec<Line>,
    /// The units, each of which sees the same commands.
    pub units: Vec<Box<dyn Unit + 's>>,
}

/// A command queue and what software knows of it.
struct Queue {
    ring: CommandQueue,
    /// Where the next command is written, with the wrap bit.
    prod: u32,
    /// Whether a CMD_ATC_INV waits to be consumed.
    asks_devices: bool,
}

/// What software's step did on the board that the model does not say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexpected(pub String);

impl<'s> Board<'s> {
    /// A board in the model's initial state.
    pub fn new(
        machine: &'s Machine,
        smmu: &'s Smmu<Memory>,
        pace: Pace,
        units: Vec<Box<dyn Unit + 's>>,
    ) -> Self {
        let mut board = Board {
            machine,
            smmu,
            pace,
            queues: Vec::new(),
            events_read: 0,
            scribbler: Scribbler::new(machine),
            held: Words::default(),
            requests: None,
            log: Vec::new(),
            units,
        };
        board.reset();
        board
    }

    /// Back to the model's initial state, with empty caches and queues.
    pub fn reset(&mut self) {
        let initial = self.machine.initial().memory;
        self.tables();
        // Everything is written, whatever is there: no word that software writes has all its bits set.
        self.held = bytemuck::cast([0xff_u8; size_of::<Words>()]);
        self.held.s2 = initial.s2.map(|mapped| !mapped);
        self.write(&initial);
        self.log.clear();
        self.queues = (0..map::QUEUES as u8)
            .map(|queue| Queue {
                ring: CommandQueue::new(map::commands(queue), map::COMMANDS_LOG2),
                prod: 0,
                asks_devices: false,
            })
            .collect();
        self.smmu
            .set_event_queue(EventQueue::new(map::EVENTS, map::EVENTS_LOG2));
        self.events_read = 0;
        self.smmu.configure(Registers {
            smmuen: true,
            atschk: true,
            cmdqen: true,
            eventqen: true,
            recinvsid: true,
            strtab_base: map::STREAM_TABLE,
            strtab_log2size: 1,
            strtab_format: StreamTableFormat::Linear,
            ..Registers::RESET
        });
        self.units.iter_mut().for_each(|unit| unit.reset());
    }

    /// The levels above the leaves, which never change.
    fn tables(&mut self) {
        for vm in (0..self.machine.bounds.vms).map(Vm) {
            let level_2 = map::stage_2(vm);
            self.store(level_2, encode::table(level_2 + map::PAGE));
            for ipa in map::tables() {
                let leaf = encode::stage_2_leaf(map::physical(vm, ipa));
                self.store(level_2 + map::PAGE + ipa / map::PAGE * 8, leaf);
            }
        }
        for space in (0..self.machine.bounds.spaces).map(Space) {
            let level_2 = map::stage_1(space);
            self.store(
                self.of_space(space, level_2),
                encode::table(level_2 + map::PAGE),
            );
        }
    }

    /// An intermediate address of a space's VM as a physical one.
    fn of_space(&self, space: Space, ipa: u64) -> u64 {
        map::physical(self.machine.vm_of(self.machine.viommu_of(space)), ipa)
    }

    /// Stores a word.
    pub fn store(&mut self, at: u64, word: u64) {
        self.log.push(Line::Store { at, word });
        self.put_word(at, word);
    }

    fn put_word(&self, at: u64, word: u64) {
        let stored = self.smmu.memory().write_obj(word, GuestAddress(at));
        stored.expect("the map lies in memory");
    }

    /// What lies at an address.
    pub fn load(&self, at: u64) -> u64 {
        let word = self.smmu.memory().read_obj(GuestAddress(at));
        word.expect("the map lies in memory")
    }

    /// What was stored and put into queues since this was last asked.
    pub fn take_log(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.log)
    }

    /// A step of software, which leads to a state: its stores, then what it does to a queue.
    pub fn step(&mut self, deed: Option<Deed>, after: &State) -> Result<(), Unexpected> {
        self.write(&after.memory);
        if let Some(scribbler) = &mut self.scribbler {
            let words = scribbler.scribble(self.machine, after);
            self.write(&words);
        }
        match deed {
            None => Ok(()),
            Some(Deed::Issue {
                queue,
                command,
                legal,
            }) => self.issue(queue, encode::command(self.machine, command), legal),
            Some(Deed::Sync { queue, timed_out }) => self.sync(queue, timed_out),
        }
    }

    /// Stores every word that differs, each with one 64-bit store (words 2 and 3 of an STE with two).
    fn write(&mut self, new: &Words) {
        let old = std::mem::replace(&mut self.held, *new);
        let (old, machine) = (&old, self.machine);
        for space in (0..machine.bounds.spaces).map(Space) {
            for page in (0..machine.bounds.pages).map(Page) {
                let place = leaf(space, page);
                if old.pte[place] != new.pte[place] {
                    let at = self.of_space(space, map::stage_1_entry(space, page));
                    self.store(at, encode::leaf(new.pte[place]));
                }
            }
        }
        for viommu in (0..machine.bounds.viommus).map(Viommu) {
            for slot in (0..machine.slots()).map(Slot) {
                self.write_cd(viommu, slot, old, new);
            }
        }
        for device in (0..machine.bounds.devices).map(Device) {
            let place = device.index();
            let at = map::ste(device);
            if old.ste0[place] != new.ste0[place] {
                self.store(at, encode::ste_word0(device, new.ste0[place]));
            }
            if old.ste1[place] != new.ste1[place] {
                self.store(at + 8, encode::ste_word1(machine, new.ste1[place]));
            }
            if old.ste2[place] != new.ste2[place] {
                let [word2, word3] = encode::ste_words2(new.ste2[place]);
                self.store(at + 24, word3);
                self.store(at + 16, word2);
            }
        }
        for vm in (0..machine.bounds.vms).map(Vm) {
            for ipa in (0..machine.bounds.ipas).map(Ipa) {
                let has = |words: &Words| words.s2[vm.index()] >> ipa.0 & 1 == 1;
                if has(old) != has(new) {
                    let leaf = match has(new) {
                        true => encode::stage_2_leaf(encode::frame(vm, ipa)),
                        false => 0,
                    };
                    self.store(map::stage_2_entry(vm, ipa), leaf);
                }
            }
        }
    }

    fn write_cd(&mut self, viommu: Viommu, slot: Slot, old: &Words, new: &Words) {
        let place = descriptor(viommu, slot);
        let table = map::cd_table(viommu, self.machine.device_of(slot));
        let vm = self.machine.vm_of(viommu);
        let at = map::physical(
            vm,
            table + u64::from(encode::index(self.machine, slot).0) * 64,
        );
        if old.cd0[place] != new.cd0[place] {
            self.store(at, encode::cd_word0(new.cd0[place]));
        }
        if old.cd1[place] != new.cd1[place] {
            self.store(at + 8, encode::cd_word1(new.cd1[place]));
        }
    }

    /// Puts a command into a queue. What makes an illegal one illegal is not the model's question; here it is an opcode from the range
    /// that is reserved (4.1.2).
    fn issue(&mut self, queue: u8, command: Bytes, legal: bool) -> Result<(), Unexpected> {
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

    fn sync(&mut self, queue: u8, timed_out: bool) -> Result<(), Unexpected> {
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

    /// An untranslated access of a slot, through one of the units.
    pub fn access(&mut self, unit: usize, slot: Slot, page: Page) -> Answer {
        let (device, ssid, address) = self.asked(slot, page);
        let result = self.units[unit].access(device, ssid, Iova(address));
        let asked = Asked {
            sid: encode::sid(device).0,
            ssid: ssid.map(|ssid| ssid.0),
            address,
        };
        match result {
            Ok(translation) => self.reached(&translation),
            Err(refusal) => {
                let recorded = self.recorded();
                answer::of_refusal(&refusal, &recorded, asked, &[])
            }
        }
    }

    /// An access of a slot through its device's ATC.
    pub fn through_atc(&mut self, unit: usize, slot: Slot, page: Page) -> Answer {
        let (device, ssid, address) = self.asked(slot, page);
        let result = self.units[unit].through_atc(device, ssid, Iova(address));
        let mut asked = Asked {
            sid: encode::sid(device).0,
            ssid: ssid.map(|ssid| ssid.0),
            address,
        };
        let miss = match result {
            Ok(translation) => return self.reached(&translation),
            Err(miss) => miss,
        };
        let recorded = self.recorded();
        match miss {
            AtcMiss::NoTranslation if recorded.is_empty() => Answer::NoTranslation,
            AtcMiss::CompleterAbort if recorded.is_empty() => Answer::CompleterAbort,
            AtcMiss::UnsupportedRequest if recorded.is_empty() => {
                Answer::Unsupported { recorded: false }
            }
            AtcMiss::UnsupportedRequest
                if recorded.len() == 1 && answer::is_bad_ats_request(&recorded[0], asked) =>
            {
                Answer::Unsupported { recorded: true }
            }
            AtcMiss::Refused(refusal) => {
                // The record of a translated access has the address that it came with.
                let frame = refusal.event.and_then(|event| self.frame(event.input_addr));
                if let Some(event) = refusal.event {
                    asked.address = event.input_addr;
                }
                answer::of_refusal(&refusal, &recorded, asked, frame.as_slice())
            }
            miss => Answer::Strange(format!("{miss:x?}, recorded {recorded:x?}")),
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
        let (device, ssid, address) = self.asked(slot, page);
        self.units[unit].invalidate(&AtcInvalidation {
            sid: encode::sid(device),
            ssid,
            global: false,
            address: Iova(address / map::PAGE * map::PAGE),
            span_bits: 12,
        });
    }

    /// Caches that do as they are told, with the commands consumed so far.
    pub fn chosen(&mut self, unit: usize) -> &mut Chosen {
        let chosen = self.units[unit].chosen();
        chosen.expect("a unit whose caches are told what to keep")
    }

    /// The SMMU fetches a slot's STE and CD, as for an access to nowhere.
    pub fn fetch(&mut self, unit: usize, slot: Slot) {
        let (device, ssid, _) = self.asked(slot, Page(0));
        let _ = self.units[unit].access(device, ssid, Iova(map::UNMAPPED));
        self.recorded();
    }

    /// Does something while some words of memory are what they once were.
    pub fn with_words<R>(&mut self, words: &[(u64, u64)], run: impl FnOnce(&mut Self) -> R) -> R {
        let now: Vec<_> = words.iter().map(|&(at, _)| (at, self.load(at))).collect();
        words.iter().for_each(|&(at, word)| self.put_word(at, word));
        let result = run(self);
        now.iter().for_each(|&(at, word)| self.put_word(at, word));
        result
    }

    fn asked(&self, slot: Slot, page: Page) -> (Device, Option<engine::SubstreamId>, u64) {
        // What bypasses stage 1 comes with an intermediate address.
        let address = match self.machine.bypasses_stage_1(slot) {
            true => map::ipa(Ipa(page.0)),
            false => map::iova(page),
        } + 8;
        (
            self.machine.device_of(slot),
            encode::ssid(self.machine, slot),
            address,
        )
    }

    fn reached(&mut self, translation: &engine::Translation) -> Answer {
        let recorded = self.recorded();
        match recorded.is_empty() {
            true => answer::of_translation(translation, |physical| self.frame(physical)),
            false => Answer::Strange(format!("{translation:x?}, recorded {recorded:x?}")),
        }
    }

    fn frame(&self, physical: u64) -> Option<Frame> {
        let (vm, ipa) = map::frame_at(physical)?;
        Some(self.machine.frame(vm, ipa))
    }

    /// What was recorded since this was last asked.
    fn recorded(&mut self) -> Vec<Event> {
        let prod = self.smmu.event_queue(EventQueue::prod);
        let mut events = Vec::new();
        while self.events_read != prod {
            let place = self.events_read % (1 << map::EVENTS_LOG2);
            let at = map::EVENTS + u64::from(place) * Event::SIZE;
            let words = [0, 8, 16, 24].map(|offset| self.load(at + offset));
            events.push(Event::from_words(words));
            self.events_read = (self.events_read + 1) % (2 << map::EVENTS_LOG2);
        }
        if !events.is_empty() {
            self.smmu.set_event_queue_cons(prod);
        }
        events
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

const _: () = assert!(
    limit::VMS * 2 * (map::PAGE as usize) <= 0xf0000,
    "stage-2 tables lie below the VMs' memory"
);
