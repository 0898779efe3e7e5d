//! Inputs from which fuzzing begins, in the formats of `bodies/`.

use super::bodies::tables::BASE;
use crate::support::guest::{S1_RW, S2_RW};

/// An input under construction.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn number(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn words(mut self, words: &[u64]) -> Self {
        self.0
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self
    }

    /// Stores of words in a row, from `at` bytes into memory on; zeros are there already.
    fn stores(mut self, at: u64, words: &[u64]) -> Self {
        for (&word, at) in words.iter().zip((at..).step_by(8)) {
            if word != 0 {
                self = self.byte(0);
                self.0.extend(((at / 8) as u16).to_le_bytes());
                self = self.words(&[word]);
            }
        }
        self
    }
}

type Seeds = Vec<(&'static str, Vec<u8>)>;

/// Linux's STE of a virtio disk and its CD (`tests/data/README.md`), with other addresses.
const LINUX_STE: [u64; 2] = [0xb, 0xd6];
const LINUX_CD: u64 = 0x0002_e204_c000_3510;

/// Where the structures of a seed lie in memory.
const CD: u64 = 0x1000;
const S1: [u64; 4] = [0x2000, 0x3000, 0x4000, 0x5000];
const S2: [u64; 3] = [0x6000, 0x8000, 0x9000];
/// The page that they lead to, which is the second of the level-3 tables.
const PAGE: u64 = 0xa000;

/// All features, a linear stream table at the beginning of memory with 16 entries, StreamID 5 without a SubstreamID.
fn machine(sid: u32) -> Bytes {
    Bytes::default()
        .byte(0)
        .byte(0)
        .words(&[BASE])
        .byte(4)
        .byte(0)
        .number(sid)
        .byte(0)
        .number(0)
}

/// A read and a write of the second page, and an ATS request.
fn accesses(mut bytes: Bytes, address: u64) -> Vec<u8> {
    for (kind, flags) in [(1, 0), (1, 1), (2, 0)] {
        bytes = bytes.byte(kind).byte(flags).words(&[address]);
    }
    bytes.0
}

/// Stage-1 tables of four levels of 4 KiB, which are addressed from `base` on.
fn stage1(bytes: Bytes, base: u64) -> Bytes {
    bytes
        .stores(S1[0], &[(base + S1[1]) | 3])
        .stores(S1[1], &[(base + S1[2]) | 3])
        .stores(S1[2], &[(base + S1[3]) | 3])
        .stores(S1[3] + 8, &[(base + PAGE) | S1_RW | 3])
}

pub fn tables() -> Seeds {
    let cd = [LINUX_CD, BASE + S1[0]];
    let ste = [LINUX_STE[0] | (BASE + CD), LINUX_STE[1] | 1 << 28];
    let s1 = machine(5).stores(5 * 64, &ste).stores(CD, &cd);
    // Stage 2 of 40 bits maps memory to itself, by pages.
    let word2 = 3 | 24 << 32 | 1 << 38 | 6 << 48 | 1 << 51 | 1 << 58;
    let s2_ste = |config: u64, cd: u64| {
        let word1 = LINUX_STE[1] | 1 << 28;
        [1 | config << 1 | cd, word1, word2, BASE + S2[0]]
    };
    let stage2 = |bytes: Bytes| {
        let pages: Vec<_> = (0..16)
            .map(|page| (BASE + page * 0x1000) | S2_RW | 3)
            .collect();
        bytes
            .stores(S2[0] + 8, &[(BASE + S2[1]) | 3])
            .stores(S2[1], &[(BASE + S2[2]) | 3])
            .stores(S2[2], &pages)
    };
    let nested = machine(5).stores(5 * 64, &s2_ste(7, BASE + CD));
    let nested = stage1(stage2(nested.stores(CD, &cd)), BASE);
    let only_s2 = stage2(machine(5).stores(5 * 64, &s2_ste(6, 0)));
    // Level-1 descriptors for 64 streams and 64 CDs each; SubstreamID 1.
    let levels = Bytes::default()
        .byte(0)
        .byte(0)
        .words(&[BASE + 0x3_0000])
        .byte(8)
        .byte(6)
        .number(5)
        .byte(1)
        .number(1)
        .stores(0x3_0000, &[BASE | 7])
        .stores(
            5 * 64,
            &[LINUX_STE[0] | 1 << 4 | (BASE + 0x3_1000) | 6 << 59],
        )
        .stores(0x3_1000, &[(BASE + CD) | 1])
        .stores(CD + 64, &cd);
    vec![
        ("linux-stage-1", accesses(stage1(s1, BASE), 0x1234)),
        ("stage-2", accesses(only_s2, BASE + 0xa678)),
        ("nested", accesses(nested, 0x1234)),
        ("two-level-tables", accesses(stage1(levels, BASE), 0x1234)),
        (
            "points-to-itself",
            accesses(
                machine(5)
                    .stores(5 * 64, &ste)
                    .stores(CD, &cd)
                    .stores(S1[0], &[(BASE + S1[0]) | S1_RW | 3; 4]),
                0,
            ),
        ),
    ]
}

/// A command and what it is called.
fn command(bytes: Bytes, words: [u64; 2]) -> Bytes {
    bytes.byte(0).words(&words)
}

pub fn commands() -> Seeds {
    let all = [
        [0x01, 0],
        [0x02, 0],
        [0x03 | 1 << 32, 1],
        [0x04 | 2 << 32, 31],
        [0x05 | 1 << 12 | 1 << 32, 0],
        [0x06 | 3 << 32, 0],
        [0x10 | 3 << 32, 0],
        [0x11 | 3 << 32 | 7 << 48, 0],
        [0x12 | 3 << 32 | 7 << 48, 0x1001],
        [0x13 | 4 << 32, 0x1000],
        [0x28 | 3 << 32, 0],
        [0x2a | 3 << 32, 0x4000_0001],
        [0x30, 0],
        [0x40 | 1 << 32, 52],
        [0x44 | 1 << 12 | 1 << 32, 0],
        [0x45 | 1 << 32, 0],
        [0x46, 0],
    ];
    // Range invalidation as Linux writes it: NUM, SCALE, TTL and TG.
    let ranges = [
        [0x12 | 31 << 12 | 31 << 20 | 3 << 32 | 7 << 48, 0x701],
        [0x13 | 1 << 12 | 3 << 32, 0xf00],
        [0x2a | 7 << 12 | 2 << 20 | 3 << 32, 0x401],
    ];
    // An ATC_INV that is not answered, an illegal command, an MSI into the tables, and PRODs that no queue has.
    let errors = [
        [0x40 | 1 << 32, 52],
        [0x46, 0],
        [0xff, 0],
        [0x46 | 1 << 12 | 0xdead_beef << 32, 0x4000_1000],
    ];
    let write = |flags: u8, commands: &[[u64; 2]]| {
        let begun = Bytes::default().byte(flags);
        commands
            .iter()
            .fold(begun, |bytes, &words| command(bytes, words))
    };
    vec![
        ("every-command", write(0, &all).0),
        ("ranges", write(0, &ranges).0),
        (
            "errors",
            write(1, &errors)
                .byte(1)
                .number(u32::MAX)
                .byte(1)
                .number(3)
                .0,
        ),
    ]
}

pub fn guest() -> Seeds {
    let access = |bytes: Bytes, address: u64| {
        [(1, 0), (1, 1), (2, 0)]
            .iter()
            .fold(bytes, |bytes, &(kind, flags)| {
                bytes.byte(kind).byte(flags).number(0).words(&[address])
            })
    };
    // The guest's memory begins at IPA 0; its pages 1 to 4 have odd rights, so that its tables lie behind them.
    let ste = [LINUX_STE[0] | 0xe000, LINUX_STE[1] | 1 << 28];
    let translating = Bytes::default().words(&ste).byte(0);
    let translating = stage1(translating.stores(0xe000, &[LINUX_CD, 0x5000]), 0);
    let translating = translating
        .stores(0x5000, &[0x6003])
        .stores(0x6000, &[0x7003])
        .stores(0x7000, &[0x8003])
        .stores(0x8000 + 8, &[0xa000 | S1_RW | 3, 0x4000 | S1_RW | 3]);
    // The page that VA 0x1000 leads to is taken away.
    let unmapped = Bytes(access(Bytes(translating.0.clone()), 0x1234).0)
        .byte(4)
        .byte(10);
    let commands = [
        [0x12 | 7 << 48, 0x1001],
        [0x46, 0],
        [0x40 | 0x21 << 32, 52],
        [0x05 | 0x21 << 32, 1],
        [0x30, 0],
    ];
    let forwarded = commands
        .iter()
        .fold(Bytes::default().words(&ste).byte(1), |bytes, words| {
            bytes.byte(3).byte(1).words(words)
        });
    let outside = Bytes::default()
        .words(&ste)
        .byte(0)
        .stores(0xe000, &[LINUX_CD, 0x4003_0000]);
    vec![
        ("translating", access(access(translating, 0x1234), 0x2000).0),
        (
            "bypass",
            access(Bytes::default().words(&[9, 0]).byte(0), 0x5123).0,
        ),
        ("commands", access(forwarded, 0).0),
        ("tables-outside", access(outside, 0).0),
        ("host-unmaps", access(unmapped, 0x1234).0),
    ]
}
