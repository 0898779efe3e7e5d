//! Real bytes: guest memory, an SMMU and its queues, on which the model's steps of software are performed as stores and commands.

mod accesses;
mod queues;
mod words;

use std::cell::RefCell;

use engine::{
    AtcInvalidation, CommandQueue, EventQueue, Features, Registers, Smmu, StreamTableFormat,
};
use model::state::Memory as Words;
use model::trace::Deed;
use model::{Machine, State, limit};
use queues::Queue;
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryMmap};
use vocab::{Space, Vm};

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

    /// Does something while some words of memory are what they once were.
    pub fn with_words<R>(&mut self, words: &[(u64, u64)], run: impl FnOnce(&mut Self) -> R) -> R {
        let now: Vec<_> = words.iter().map(|&(at, _)| (at, self.load(at))).collect();
        words.iter().for_each(|&(at, word)| self.put_word(at, word));
        let result = run(self);
        now.iter().for_each(|&(at, word)| self.put_word(at, word));
        result
    }
}

const _: () = assert!(
    limit::VMS * 2 * (map::PAGE as usize) <= 0xf0000,
    "stage-2 tables lie below the VMs' memory"
);
