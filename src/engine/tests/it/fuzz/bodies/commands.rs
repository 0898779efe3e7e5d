//! Any bytes as commands, in a queue whose PROD may be anything, before devices with TLBs and an ATC.
//!
//! ```text
//! flags of the device's answers, then    0: a command (16)    1: PROD as it is given (4)    2: an access  flags, address (8)
//! ```
//!
//! Tables do not change, so translations are the same before and after every command, by every policy: a command may forget too much,
//! and no more. Where a CMD_SYNC's MSI lands in them, they are put back and the caches emptied.

use engine::layout::Command;
use engine::{
    Access, Atc, AtcInvalidation, CommandQueue, Endpoints, EventQueue, Features, Gerror, Iova,
    Registers, Smmu, Stopped, StreamId, SubstreamId, TimedOut, Transaction,
};

use super::compare::Ways;
use super::input::Input;
use super::watched::Watched;

const BASE: u64 = 0x4000_0000;
const SIZE: u64 = 0x1_0000;
const QUEUE: u64 = BASE + 0xf000;
const LOG2: u8 = 4;
/// The devices: stage 1 with two CDs, stage 2, both.
const STREAMS: [StreamId; 3] = [StreamId(1), StreamId(2), StreamId(3)];

/// What is mapped.
const PAGES: [Iova; 3] = [Iova(0), Iova(0x1000), Iova(0x20_0000)];

/// A function whose ATC may not answer.
struct Device {
    atc: Atc,
    silent: bool,
}

impl Endpoints for Device {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        assert!(invalidation.span_bits >= 12, "{invalidation:x?}");
        if self.silent {
            return Err(TimedOut);
        }
        self.atc.invalidate(invalidation);
        Ok(())
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let smmu = Smmu::new(Watched::new(BASE, SIZE), Features::all());
    lay_out(smmu.memory());
    smmu.set_event_queue(EventQueue::new(1 << 60, 4));
    let registers = Registers {
        smmuen: true,
        atschk: true,
        cmdqen: true,
        eventqen: true,
        strtab_base: BASE,
        strtab_log2size: 2,
        ..Registers::RESET
    };
    smmu.configure(registers);
    let [silent] = input.flags();
    let device = Device {
        atc: Atc::new(STREAMS[0], 8),
        silent,
    };
    let mut queue = CommandQueue::new(QUEUE, LOG2);
    let mut ways = Ways::new(&smmu);
    let mut prod = 0;
    let tables = smmu.memory().copy(QUEUE);
    let mut look = |address: Iova, access: Access| {
        for sid in STREAMS {
            for ssid in [None, Some(SubstreamId(1))] {
                let transaction = Transaction::new(sid, ssid, address, access);
                let _ = ways.agree(&transaction);
            }
        }
    };
    PAGES.iter().for_each(|&page| look(page, Access::READ));
    while !input.is_empty() {
        let kind = input.byte() % 4;
        if kind == 2 {
            let [write, instruction, privileged, ..] = input.flags::<4>();
            let access = Access {
                write,
                instruction,
                privileged,
            };
            let address = Iova(input.word());
            look(address, access);
            continue;
        }
        if kind == 1 {
            prod = input.number();
        } else {
            let slot = u64::from(prod) % (1 << LOG2) * Command::SIZE;
            let words = [input.word(), input.word()];
            smmu.memory().put(QUEUE + slot, &words);
            prod = prod.wrapping_add(1);
        }
        queue.set_prod(prod);
        consume(&smmu, &mut queue, &device);
        if smmu.memory().copy(QUEUE) != tables {
            smmu.memory().put_bytes(&tables);
            smmu.configure(registers);
        }
        PAGES.iter().for_each(|&page| look(page, Access::READ));
    }
}

/// Consumes everything, as software that puts a CMD_SYNC where an error is and goes on.
fn consume(smmu: &Smmu<Watched>, queue: &mut CommandQueue, device: &Device) {
    // Each entry may be in error twice: ATC_INV before a CMD_SYNC, which is tried again.
    for _ in 0..=4 << LOG2 {
        match smmu.consume(queue, device) {
            Stopped::Empty => return,
            Stopped::Error(_) => {
                let at = u64::from(queue.cons()) % (1 << LOG2) * Command::SIZE;
                smmu.memory().put(QUEUE + at, &[0x46, 0]);
                smmu.acknowledge(Gerror::gerror(smmu.gerror()));
            }
            stopped => panic!("nothing else stops this queue: {stopped:?}"),
        }
    }
    panic!("the queue does not end");
}

/// Three streams over one set of tables: 30-bit inputs, a level-2 table of one page at VA 0 and 0x1000 and a block at 2 MiB; stage 2
/// the same, of 40 bits from level 1, where everything is mapped to itself.
fn lay_out(memory: &Watched) {
    let (cds, s1_l2, s1_l3, s2_l1) = (BASE + 0x1000, BASE + 0x2000, BASE + 0x3000, BASE + 0x4000);
    let s1 = 1 << 6 | 1 << 10;
    let s2 = 3 << 6 | 1 << 10;
    memory.put(s1_l2, &[s1_l3 | 3, BASE & !0x1f_ffff | s1 | 1 << 11 | 1]);
    memory.put(s1_l3, &[BASE | s1 | 3, (BASE + 0x5000) | s1 | 1 << 11 | 3]);
    // 1 GiB blocks, each mapped to itself: IPAs are physical addresses.
    for entry in 0..4 {
        memory.put(s2_l1 + entry * 8, &[entry << 30 | s2 | 1]);
    }
    let cd = |asid: u64| {
        let word0 = 34 | 1 << 30 | 1 << 31 | 6 << 32 | 1 << 41 | 3 << 45 | asid << 48;
        [word0, s1_l2, 0, 0, 0, 0, 0, 0]
    };
    memory.put(cds, &cd(7));
    memory.put(cds + 64, &cd(8));
    let s2_word = 3 | 24 << 32 | 1 << 38 | 6 << 48 | 1 << 51 | 1 << 58;
    let s1_word = cds | 1 << 59;
    // Without a SubstreamID CD 0 is used; ATS is on.
    let word1 = 2 | 1 << 28;
    let stes = [
        [1 | 5 << 1 | s1_word, word1, 4, 0],
        [1 | 6 << 1, 1 << 28, s2_word, s2_l1],
        [1 | 7 << 1 | s1_word, word1, s2_word, s2_l1],
    ];
    for (sid, ste) in STREAMS.into_iter().zip(stes) {
        memory.put(BASE + u64::from(sid.0) * 64, &ste);
    }
}
