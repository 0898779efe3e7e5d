//! CD, Context Descriptor: Arm IHI 0070, 5.4. 64 bytes.
//!
//! Fields of extensions that are not implemented (E0PD, HAFT, DS, PIE, PBHA, D128) are kept but not named.

use bitfield_struct::bitfield;

/// Bits 63:0.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct CdWord0 {
    /// 64 minus the size of the region that TTB0 translates.
    #[bits(6)]
    pub t0sz: u8,
    /// Granule of TTB0: 0 4 KiB, 1 64 KiB, 2 16 KiB.
    #[bits(2)]
    pub tg0: u8,
    #[bits(2)]
    pub ir0: u8,
    #[bits(2)]
    pub or0: u8,
    #[bits(2)]
    pub sh0: u8,
    /// No walks through TTB0.
    pub epd0: bool,
    /// Big-endian tables.
    pub endi: bool,
    /// 64 minus the size of the region that TTB1 translates.
    #[bits(6)]
    pub t1sz: u8,
    /// Granule of TTB1: 1 16 KiB, 2 4 KiB, 3 64 KiB. Not the encoding of TG0.
    #[bits(2)]
    pub tg1: u8,
    #[bits(2)]
    pub ir1: u8,
    #[bits(2)]
    pub or1: u8,
    #[bits(2)]
    pub sh1: u8,
    /// No walks through TTB1.
    pub epd1: bool,
    /// Valid. When 0, everything else is ignored.
    pub v: bool,
    /// Intermediate address size, encoded.
    #[bits(3)]
    pub ips: u8,
    /// AF = 0 does not fault at stage 1.
    pub affd: bool,
    /// What can be written cannot be executed.
    pub wxn: bool,
    pub uwxn: bool,
    /// The top byte of addresses in TTB0's region is ignored.
    pub tbi0: bool,
    /// The top byte of addresses in TTB1's region is ignored.
    pub tbi1: bool,
    /// Privileged data accesses to what unprivileged software can access fault.
    pub pan: bool,
    /// VMSAv8-64 tables.
    pub aa64: bool,
    pub hd: bool,
    pub ha: bool,
    /// Stage-1 faults stall.
    pub s: bool,
    /// Stage-1 faults are recorded.
    pub r: bool,
    /// Stage-1 faults abort; when 0, reads return zero and writes are ignored.
    pub a: bool,
    /// 1: this ASID is not shared with the processors.
    pub aset: bool,
    /// The ASID that tags this context's non-global TLB entries.
    pub asid: u16,
}

/// Bits 127:64.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct CdWord1 {
    pub nscfg0: bool,
    /// Hierarchical permissions of TTB0's tables are ignored.
    pub had0: bool,
    #[bits(2)]
    __: u8,
    /// Bits 51:4 of TTB0.
    #[bits(48)]
    pub ttb0_51_4: u64,
    #[bits(12)]
    __: u16,
}

/// Bits 191:128.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct CdWord2 {
    pub nscfg1: bool,
    /// Hierarchical permissions of TTB1's tables are ignored.
    pub had1: bool,
    #[bits(2)]
    __: u8,
    /// Bits 51:4 of TTB1.
    #[bits(48)]
    pub ttb1_51_4: u64,
    #[bits(12)]
    __: u16,
}

/// A context descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cd {
    /// Bits 63:0.
    pub word0: CdWord0,
    /// Bits 127:64.
    pub word1: CdWord1,
    /// Bits 191:128.
    pub word2: CdWord2,
    /// MAIR0 and MAIR1, bits 255:192.
    pub mair: u64,
    /// Bits 511:256, which this crate does not interpret.
    pub rest: [u64; 4],
}

impl Cd {
    /// Bytes of one descriptor.
    pub const SIZE: u64 = 64;

    /// The descriptor that these words are, lowest first.
    pub const fn from_words(words: [u64; 8]) -> Self {
        let [w0, w1, w2, mair, rest @ ..] = words;
        Cd {
            word0: CdWord0::from_bits(w0),
            word1: CdWord1::from_bits(w1),
            word2: CdWord2::from_bits(w2),
            mair,
            rest,
        }
    }

    /// The words of this descriptor, lowest first.
    pub const fn words(&self) -> [u64; 8] {
        let [a, b, c, d] = self.rest;
        [
            self.word0.into_bits(),
            self.word1.into_bits(),
            self.word2.into_bits(),
            self.mair,
            a,
            b,
            c,
            d,
        ]
    }

    /// TTB0, before alignment to the table's size.
    pub const fn ttb0(&self) -> u64 {
        self.word1.ttb0_51_4() << 4
    }

    /// TTB1, before alignment to the table's size.
    pub const fn ttb1(&self) -> u64 {
        self.word2.ttb1_51_4() << 4
    }
}
