//! A small machine: an engine, tables that lead to pages of their own, and a device that looks where its accesses go.

use engine::layout::{Command, SyncSignal};
use engine::{
    Access, CommandQueue, Features, Iova, Registers, Smmu, Stopped, StreamId, SubstreamId, Tbu,
    Transaction,
};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::algorithm::Rules;
use super::entry::{Entry, cd, ste};

type Memory = GuestMemoryMmap<()>;

/// The stream table: one entry.
const STREAM_TABLE: u64 = 0x1000;
/// A table of four CDs, and another.
pub const CDS: u64 = 0x2000;
pub const OTHER_CDS: u64 = 0x2400;
const QUEUE: u64 = 0x4000;
/// A level-2 table, and behind it one of level 3.
pub const STAGE_2: u64 = 0x1_0000;
const STAGE_1: u64 = 0x2_0000;
const SIZE: u64 = 0x8_0000;

/// Where the device accesses memory.
const PAGE: u64 = 0x5000;
/// The SubstreamID whose CD is the one that changes, where a CD does.
const CHANGING: u64 = 1;

/// The stage-1 tables of a SubstreamID in one of the two CD tables.
pub fn table(cds: u64, ssid: u64) -> u64 {
    STAGE_1 + (cds * 4 + ssid) * 0x2000
}

/// What an access comes to: an address, or an abort with the number of its event if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    At(u64),
    Refused(Option<u8>),
}

/// Every access that the device tries: without SubstreamID, with those of CDs 0 to 2; a read and a write each.
pub const ACCESSES: usize = 8;

/// Memory with all tables, and the entry that changes.
pub struct World {
    memory: Memory,
    /// Where the entry is.
    entry: u64,
    is_ste: bool,
}

impl World {
    /// A machine in which a kind of entry changes. If that is a CD, the STE leads to it.
    pub fn new(rules: Rules) -> Self {
        let memory = Memory::from_ranges(&[(GuestAddress(0), SIZE as usize)]).expect("it is small");
        let is_ste = rules.valid == ste::V;
        let world = World {
            memory,
            entry: if is_ste {
                STREAM_TABLE
            } else {
                CDS + CHANGING * 64
            },
            is_ste,
        };
        for (of, cds) in [CDS, OTHER_CDS].into_iter().enumerate() {
            for ssid in 0..4 {
                let (of, table) = (of as u64, table(of as u64, ssid));
                // Each SubstreamID's page is another one.
                world.map(table, PAGE, 0x4_0000 + (of * 4 + ssid) * 0x1000, S1_LEAF);
                let asid = 1 + of * 4 + ssid;
                world.write(cds + ssid * 64, &cd::s1(table, asid));
            }
        }
        // Stage 2 moves the device's page and those of stage 1, and leaves tables where they are.
        for page in (0..SIZE).step_by(0x1000) {
            let moved = match page {
                PAGE => 0x7_0000,
                0x4_0000..0x5_0000 => page + 0x2_0000,
                other => other,
            };
            world.map(STAGE_2, page, moved, S2_LEAF);
        }
        if !is_ste {
            world.write(STREAM_TABLE, &ste::cdtable(CDS, ste::SSID0, false, true));
        }
        world
    }

    fn write(&self, at: u64, words: &[u64]) {
        for (&word, at) in words.iter().zip((at..).step_by(8)) {
            self.memory
                .write_obj(word, GuestAddress(at))
                .expect("it is in memory");
        }
    }

    /// A page of the first 2 MiB: entry 0 of the level-2 table leads to the level-3 table behind it.
    fn map(&self, table: u64, page: u64, to: u64, attributes: u64) {
        self.write(table, &[(table + 0x1000) | 3]);
        self.write(table + 0x1000 + (page >> 12) * 8, &[to | attributes | 3]);
    }

    /// A 64-bit store to the entry.
    pub fn store(&self, word: usize, value: u64) {
        self.write(self.entry + word as u64 * 8, &[value]);
    }

    /// All words at once, where nobody looks.
    pub fn set(&self, entry: &Entry) {
        self.write(self.entry, entry);
    }

    /// An SMMU with empty caches.
    pub fn smmu(&self, readers: usize) -> Smmu<Memory> {
        let smmu = Smmu::with_readers(self.memory.clone(), Features::all(), readers);
        smmu.configure(Registers {
            smmuen: true,
            cmdqen: true,
            strtab_base: STREAM_TABLE,
            ..Registers::RESET
        });
        smmu
    }

    /// What a device sees of an entry that was always there.
    pub fn behaviour(&self, entry: &Entry) -> [Seen; ACCESSES] {
        self.set(entry);
        let smmu = self.smmu(1);
        let mut tbu = smmu.tbu().expect("there is room for one");
        look(&mut tbu)
    }

    /// CMD_CFGI of the entry.
    pub fn cfgi(&self) -> Command {
        match self.is_ste {
            true => Command::CfgiSte {
                sid: StreamId(0),
                leaf: true,
            },
            false => Command::CfgiCd {
                sid: StreamId(0),
                ssid: SubstreamId(CHANGING as u32),
                leaf: true,
            },
        }
    }

    /// A queue of commands, with nothing in it.
    pub fn queue(&self) -> Queue<'_> {
        Queue {
            world: self,
            queue: CommandQueue::new(QUEUE, 8),
            prod: 0,
        }
    }
}

/// AP, AF, nG: readable and writable.
const S1_LEAF: u64 = 1 << 6 | 1 << 10 | 1 << 11;
/// S2AP, MemAttr, AF: readable and writable, write-back.
const S2_LEAF: u64 = 3 << 6 | 0xf << 2 | 1 << 10;

/// The driver's command queue.
pub struct Queue<'w> {
    world: &'w World,
    queue: CommandQueue,
    prod: u32,
}

impl Queue<'_> {
    /// A command and a CMD_SYNC, consumed.
    pub fn synced(&mut self, smmu: &Smmu<Memory>, command: Command) {
        for command in [command, Command::Sync(SyncSignal::None)] {
            assert!(self.prod < 256, "the queue is not made to wrap");
            self.world
                .write(QUEUE + u64::from(self.prod) * 16, &command.encode());
            self.prod += 1;
        }
        self.queue.set_prod(self.prod);
        assert_eq!(smmu.consume_all(&mut self.queue, &()), Stopped::Empty);
    }
}

/// What a device's accesses come to now.
pub fn look(tbu: &mut Tbu<'_, Memory>) -> [Seen; ACCESSES] {
    let substreams = [None, Some(0), Some(1), Some(2)].map(|ssid| ssid.map(SubstreamId));
    std::array::from_fn(|access| {
        let kind = [Access::READ, Access::WRITE][access % 2];
        let at = Iova(PAGE + 0x10);
        let transaction = Transaction::new(StreamId(0), substreams[access / 2], at, kind);
        match tbu.burst().translate(&transaction) {
            Ok(translation) => Seen::At(translation.pa.0),
            Err(refusal) => Seen::Refused(refusal.event.map(|event| event.word0.id())),
        }
    })
}
