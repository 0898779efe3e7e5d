//! A nested machine for benchmarks: 4 KiB pages, four levels at either stage, so that a translation without caches reads 24 descriptors.

use engine::layout::{Cd, CdWord0, CdWord1, Descriptor, Ste, SteWord0, SteWord2, SteWord3};
use engine::{Access, Features, Iova, Registers, Smmu, StreamId, Transaction};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

pub type Memory = GuestMemoryMmap<()>;

const VA: u64 = 0x12_3400_0000;
const DATA: u64 = 0x10_0000_0000;

pub struct Machine {
    pub smmu: Smmu<Memory>,
    pub transactions: Vec<Transaction>,
}

struct Builder {
    memory: Memory,
    next: u64,
}

impl Builder {
    fn page(&mut self) -> u64 {
        self.next += 0x1000;
        self.next - 0x1000
    }

    fn write(&self, at: u64, words: &[u64]) {
        for (word, at) in words.iter().zip((at..).step_by(8)) {
            self.memory
                .write_obj(*word, GuestAddress(at))
                .expect("in memory");
        }
    }

    /// Maps a page of one stage; tables are where they are, at either stage.
    fn map(&mut self, root: u64, input: u64, leaf: u64) {
        let mut table = root;
        for level in 0..3 {
            let slot = table + (input >> (39 - 9 * level) & 0x1ff) * 8;
            let word: u64 = self.memory.read_obj(GuestAddress(slot)).expect("in memory");
            table = if word == 0 {
                let next = self.page();
                self.write(slot, &[next | 3]);
                next
            } else {
                word & 0xffff_ffff_f000
            };
        }
        self.write(table + (input >> 12 & 0x1ff) * 8, &[leaf | 3]);
    }
}

/// A machine whose stream 1 has `pages` pages mapped, and an access to each of them, in an order that no prefetcher guesses.
pub fn machine(pages: u64) -> Machine {
    let size = (pages / 512 + 64) * 4 * 0x1000 + pages * 32 + 0x40_0000;
    let memory = Memory::from_ranges(&[(GuestAddress(0), size as usize)]).expect("memory");
    let mut builder = Builder {
        memory,
        next: 0x1000,
    };
    let (strtab, cd) = (builder.page(), builder.page());
    let (root1, root2) = (builder.page(), builder.page());
    let leaf1 = Descriptor::new()
        .with_ap(1)
        .with_af(true)
        .with_ng(true)
        .into_bits();
    let leaf2 = Descriptor::new().with_ap(3).with_af(true).into_bits();
    for page in 0..pages {
        builder.map(root1, VA + page * 0x1000, (DATA + page * 0x1000) | leaf1);
        builder.map(
            root2,
            DATA + page * 0x1000,
            (0x50_0000_0000 + page * 0x1000) | leaf2,
        );
    }
    // Stage 1's tables, and the CD, where they are. New stage-2 tables lie behind them.
    let end = builder.next;
    for page in (0x1000..end).step_by(0x1000) {
        builder.map(root2, page, page | leaf2);
    }
    let cd_words = Cd {
        word0: CdWord0::new()
            .with_t0sz(16)
            .with_epd1(true)
            .with_v(true)
            .with_ips(5)
            .with_aa64(true)
            .with_r(true)
            .with_a(true)
            .with_asid(7),
        word1: CdWord1::new().with_ttb0_51_4(root1 >> 4),
        ..Cd::from_words([0; 8])
    };
    builder.write(cd, &cd_words.words());
    let ste = Ste {
        word0: SteWord0::new()
            .with_v(true)
            .with_config(7)
            .with_s1contextptr_55_6(cd >> 6),
        word2: SteWord2::new()
            .with_s2vmid(3)
            .with_s2t0sz(16)
            .with_s2sl0(2)
            .with_s2ps(5)
            .with_s2aa64(true)
            .with_s2r(true),
        word3: SteWord3::new().with_s2ttb_51_4(root2 >> 4),
        ..Ste::from_words([0; 8])
    };
    builder.write(strtab + 64, &ste.words());
    let features = Features {
        oas: 48,
        ..Features::all()
    };
    let smmu = Smmu::new(builder.memory, features);
    smmu.configure(Registers {
        smmuen: true,
        cmdqen: true,
        strtab_base: strtab,
        strtab_log2size: 4,
        ..Registers::RESET
    });
    let mut transactions: Vec<_> = (0..pages)
        .map(|page| {
            Transaction::new(
                StreamId(1),
                None,
                Iova(VA + page * 0x1000 + 0x10),
                Access::READ,
            )
        })
        .collect();
    // Fisher and Yates, with xorshift64.
    let mut random = 0x2545_f491_4f6c_dd1du64;
    for last in (1..transactions.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        transactions.swap(last, (random % (last as u64 + 1)) as usize);
    }
    Machine { smmu, transactions }
}
