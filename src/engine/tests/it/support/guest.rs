//! A machine with memory, one stream, and tables as a test asks for them.

use engine::{
    Access, CommandQueue, EventQueue, Features, Iova, Registers, Smmu, StreamId, SubstreamId,
    Transaction,
};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::tables::{Pages, Shape, Tree};

/// Where memory begins and how much there is.
pub const BASE: u64 = 0x4000_0000;
pub const SIZE: u64 = 0x200_0000;
/// What guests of nested streams call their memory: their addresses are larger by this.
pub const GUEST_OFFSET: u64 = 0x8000_0000 - BASE;
/// The device of most tests.
pub const SID: StreamId = StreamId(5);

pub const READ: Access = Access::READ;
pub const WRITE: Access = Access::WRITE;

/// Stage 1: valid for both privileges and directions: AP 01, AF, nG, executable by nobody privileged or not.
pub const S1_RW: u64 = 1 << 6 | 1 << 10 | 1 << 11;
/// Stage 2: readable, writable, AF.
pub const S2_RW: u64 = 3 << 6 | 1 << 10;

/// A machine under construction.
pub struct Guest {
    pub smmu: Smmu<GuestMemoryMmap<()>>,
    next: u64,
    pub strtab: u64,
    pub queue: CommandQueue,
    pub queue_base: u64,
    queue_prod: u32,
    pub events: u64,
    events_read: u32,
}

/// Pages that hardware addresses by PA.
pub struct Host<'g>(pub &'g mut Guest);
/// Pages that hardware addresses by IPA, at [`GUEST_OFFSET`].
pub struct Inner<'g>(pub &'g mut Guest);

impl Pages for Host<'_> {
    fn area(&mut self, bytes: u64) -> u64 {
        self.0.area(bytes)
    }
    fn physical(&self, address: u64) -> u64 {
        address
    }
    fn memory(&self) -> &GuestMemoryMmap<()> {
        self.0.smmu.memory()
    }
}

impl Pages for Inner<'_> {
    fn area(&mut self, bytes: u64) -> u64 {
        self.0.area(bytes) + GUEST_OFFSET
    }
    fn physical(&self, address: u64) -> u64 {
        address - GUEST_OFFSET
    }
    fn memory(&self) -> &GuestMemoryMmap<()> {
        self.0.smmu.memory()
    }
}

pub const QUEUE_LOG2: u8 = 4;
pub const EVENTS_LOG2: u8 = 3;

impl Guest {
    /// A machine whose SMMU is on, with a linear stream table of 16 zeroed entries, a command queue and an event queue.
    pub fn new(features: Features) -> Self {
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(BASE), SIZE as usize)])
            .expect("memory for a test");
        let mut guest = Guest {
            smmu: Smmu::new(memory, features),
            next: BASE,
            strtab: 0,
            queue: CommandQueue::new(0, 0),
            queue_base: 0,
            queue_prod: 0,
            events: 0,
            events_read: 0,
        };
        guest.strtab = guest.area(16 * 64);
        guest.queue_base = guest.area(16 << QUEUE_LOG2);
        guest.queue = CommandQueue::new(guest.queue_base, QUEUE_LOG2);
        guest.events = guest.area(32 << EVENTS_LOG2);
        guest
            .smmu
            .set_event_queue(EventQueue::new(guest.events, EVENTS_LOG2));
        guest.smmu.configure(Registers {
            smmuen: true,
            atschk: true,
            cmdqen: true,
            eventqen: true,
            recinvsid: true,
            strtab_base: guest.strtab,
            strtab_log2size: 4,
            ..Registers::RESET
        });
        guest
    }

    /// A zeroed area, aligned to its size (up to a power of two).
    pub fn area(&mut self, bytes: u64) -> u64 {
        let align = bytes.next_power_of_two().max(64);
        self.next = self.next.next_multiple_of(align);
        let area = self.next;
        self.next += bytes;
        assert!(self.next <= BASE + SIZE, "the test needs more memory");
        area
    }

    pub fn write(&self, pa: u64, words: &[u64]) {
        for (word, at) in words.iter().zip((pa..).step_by(8)) {
            self.smmu
                .memory()
                .write_obj(*word, GuestAddress(at))
                .expect("structures lie in memory");
        }
    }

    pub fn read(&self, pa: u64) -> u64 {
        self.smmu
            .memory()
            .read_obj(GuestAddress(pa))
            .expect("structures lie in memory")
    }

    pub fn set_ste(&self, sid: StreamId, ste: [u64; 8]) {
        self.set_ste_words(sid, 0, &ste);
    }

    /// Words of an STE, from the `first` on.
    pub fn set_ste_words(&self, sid: StreamId, first: u64, words: &[u64]) {
        self.write(self.strtab + u64::from(sid.0) * 64 + first * 8, words);
    }

    /// One access without caches.
    pub fn access(
        &self,
        ssid: Option<u32>,
        address: u64,
        access: Access,
    ) -> Result<engine::Translation, engine::Refusal> {
        let mut tbu = self
            .smmu
            .tbu_with(engine::cache::NoCaches)
            .expect("seats are free");
        tbu.burst().translate(&Transaction::new(
            SID,
            ssid.map(SubstreamId),
            Iova(address),
            access,
        ))
    }

    /// Puts commands into the queue and has them consumed.
    pub fn command(&mut self, words: [u64; 2]) -> engine::Stopped {
        self.commands(&[words], &())
    }

    pub fn commands(
        &mut self,
        commands: &[[u64; 2]],
        endpoints: &dyn engine::Endpoints,
    ) -> engine::Stopped {
        self.enqueue(commands);
        self.smmu.consume(&mut self.queue, endpoints)
    }

    pub fn enqueue(&mut self, commands: &[[u64; 2]]) {
        for words in commands {
            let index = self.queue_prod % (1 << QUEUE_LOG2);
            self.write(self.queue_base + u64::from(index) * 16, words);
            self.queue_prod = (self.queue_prod + 1) % (2 << QUEUE_LOG2);
        }
        self.queue.set_prod(self.queue_prod);
    }

    /// The records that software has not read yet, as words.
    pub fn new_events(&mut self) -> Vec<[u64; 4]> {
        let prod = self.smmu.event_queue(|queue| queue.prod()) & 0x7fff_ffff;
        let mut events = Vec::new();
        while self.events_read != prod {
            let at = self.events + u64::from(self.events_read % (1 << EVENTS_LOG2)) * 32;
            events.push([0, 8, 16, 24].map(|offset| self.read(at + offset)));
            self.events_read = (self.events_read + 1) % (2 << EVENTS_LOG2);
        }
        let overflow = self.smmu.event_queue(|queue| queue.prod()) & 0x8000_0000;
        self.smmu.set_event_queue_cons(self.events_read | overflow);
        events
    }

    /// Stage-1 tables that hardware addresses by PA.
    pub fn stage1(&mut self, shape: Shape) -> Tree {
        Tree::new(shape, &mut Host(self))
    }

    /// Stage-2 tables that map all of the machine's memory at [`GUEST_OFFSET`], by pages.
    pub fn stage2(&mut self, shape: Shape) -> Tree {
        let mut tree = Tree::new(shape, &mut Host(self));
        // Enough for the stage-1 tables and CDs of a test.
        for at in (0..0x40_0000).step_by(shape.page as usize) {
            let mapped = tree.map(
                &mut Host(self),
                BASE + GUEST_OFFSET + at,
                BASE + at,
                3,
                S2_RW,
                0,
            );
            assert!(mapped, "nothing else is mapped yet");
        }
        tree
    }
}

/// TGx of TTB0 and of stage 2.
pub fn tg0(page: u64) -> u64 {
    match page {
        0x1000 => 0,
        0x4000 => 2,
        0x1_0000 => 1,
        _ => panic!("no such page size"),
    }
}

/// S2SL0 for a start level.
pub fn sl0(shape: &Shape) -> u64 {
    if shape.page == 0x1000 {
        2 - u64::from(shape.start)
    } else {
        3 - u64::from(shape.start)
    }
}

/// A CD: valid, AArch64, TTB1 off, aborts and records, 52-bit output.
pub fn cd(tree: &Tree, asid: u16) -> [u64; 8] {
    let word0 = (64 - u64::from(tree.shape.input_bits))
        | tg0(tree.shape.page) << 6
        | 1 << 30 // EPD1
        | 1 << 31 // V
        | 6 << 32 // IPS
        | 1 << 41 // AA64
        | 1 << 45 // R
        | 1 << 46 // A
        | u64::from(asid) << 48;
    [word0, tree.root, 0, 0, 0, 0, 0, 0]
}

/// An STE for stage 1 only.
pub fn ste_s1(cd: u64) -> [u64; 8] {
    [1 | 5 << 1 | cd, 0, 0, 0, 0, 0, 0, 0]
}

/// The words of an STE that describe stage 2: records, does not stall.
pub fn s2_words(tree: &Tree, vmid: u16) -> [u64; 2] {
    let word2 = u64::from(vmid)
        | (64 - u64::from(tree.shape.input_bits)) << 32
        | sl0(&tree.shape) << 38
        | tg0(tree.shape.page) << 46
        | 6 << 48 // S2PS
        | 1 << 51 // S2AA64
        | 1 << 58; // S2R
    [word2, tree.root]
}

/// An STE for stage 2 only.
pub fn ste_s2(tree: &Tree, vmid: u16) -> [u64; 8] {
    let [word2, word3] = s2_words(tree, vmid);
    [1 | 6 << 1, 0, word2, word3, 0, 0, 0, 0]
}

/// An STE for both.
pub fn ste_nested(cd: u64, tree: &Tree, vmid: u16) -> [u64; 8] {
    let [word2, word3] = s2_words(tree, vmid);
    [1 | 7 << 1 | cd, 0, word2, word3, 0, 0, 0, 0]
}

/// 48-bit tables of 4 KiB pages.
pub const K4: Shape = Shape {
    page: 0x1000,
    input_bits: 48,
    start: 0,
};

/// A stage-2 shape that accepts 40 bits from one level-1 start, two tables concatenated.
pub const K4_S2: Shape = Shape {
    page: 0x1000,
    input_bits: 40,
    start: 1,
};

/// A stream of stage 1 with one CD; the CD's address is returned.
pub fn stage1_only(guest: &mut Guest, tree: &Tree) -> u64 {
    let at = guest.area(64);
    guest.write(at, &cd(tree, 7));
    guest.set_ste(SID, ste_s1(at));
    at
}

/// A nested stream of VMID 3, ASID 7 with one CD; stage-1 tables, stage-2 tables and the CD's IPA are returned.
pub fn nested(guest: &mut Guest, stage1: Shape, stage2: Shape) -> (Tree, Tree, u64) {
    let outer = guest.stage2(stage2);
    let inner = Tree::new(stage1, &mut Inner(guest));
    let at = guest.area(64);
    guest.write(at, &cd(&inner, 7));
    guest.set_ste(SID, ste_nested(at + GUEST_OFFSET, &outer, 3));
    (inner, outer, at + GUEST_OFFSET)
}

/// The words of an event of [`SID`] without a SubstreamID: event number, bits 63:32 and up of word 1, addresses.
pub fn event(id: u64, word1: u64, input: u64, ipa: u64) -> [u64; 4] {
    [id | u64::from(SID.0) << 32, word1, input, ipa]
}
