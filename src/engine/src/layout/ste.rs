//! STE, Stream Table Entry: Arm IHI 0070, 5.2. 64 bytes.
//!
//! Fields of Secure, Realm, MPAM and permission indirection (words 4 to 7 and parts of 1 to 3) are kept but not named.

use bitfield_struct::bitfield;

/// Bits 63:0.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct SteWord0 {
    /// Valid. When 0, everything else is ignored.
    pub v: bool,
    /// Which stages translate: see [`Config`].
    #[bits(3)]
    pub config: u8,
    /// Format of the CD table: 0 linear, 1 two-level with 4 KiB leaves, 2 two-level with 64 KiB leaves, 3 reserved (linear).
    #[bits(2)]
    pub s1fmt: u8,
    /// Bits 55:6 of the address of the CD or CD table.
    #[bits(50)]
    pub s1contextptr_55_6: u64,
    #[bits(3)]
    __: u8,
    /// Log2 of the number of CDs; 0 means one CD and no substreams.
    #[bits(5)]
    pub s1cdmax: u8,
}

/// Bits 127:64.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct SteWord1 {
    /// What to do with traffic that has no SubstreamID, when substreams are on: 0 terminate, 1 bypass stage 1, 2 use CD 0.
    #[bits(2)]
    pub s1dss: u8,
    /// Inner cacheability of CD fetches.
    #[bits(2)]
    pub s1cir: u8,
    /// Outer cacheability of CD fetches.
    #[bits(2)]
    pub s1cor: u8,
    /// Shareability of CD fetches.
    #[bits(2)]
    pub s1csh: u8,
    #[bits(4)]
    pub s2hwu: u8,
    /// Destructive read enable.
    pub dre: bool,
    /// Contiguous hint: this STE equals its neighbours in a span of 2^CONT.
    #[bits(4)]
    pub cont: u8,
    /// Directed cache prefetch.
    pub dcp: bool,
    /// PRI auto-responses carry a PASID.
    pub ppar: bool,
    /// Events of this stream may be merged.
    pub mev: bool,
    #[bits(4)]
    pub sw_reserved: u8,
    #[bits(1)]
    pub s1pie: u8,
    /// Stage 2 decides the memory type alone.
    pub s2fwb: bool,
    /// CDs of this stream carry MPAM numbers.
    pub s1mpam: bool,
    /// Stage-1 stalls are not allowed: a CD with S = 1 is ILLEGAL.
    pub s1stalld: bool,
    /// ATS: 0 off, 1 full, 2 split-stage, 3 full with DPT checks.
    #[bits(2)]
    pub eats: u8,
    /// StreamWorld: 0 is NS-EL1, the only one implemented here.
    #[bits(2)]
    pub strw: u8,
    #[bits(4)]
    pub memattr: u8,
    pub mtcfg: bool,
    #[bits(4)]
    pub alloccfg: u8,
    #[bits(3)]
    __: u8,
    #[bits(2)]
    pub shcfg: u8,
    #[bits(2)]
    pub nscfg: u8,
    /// Privilege of the stream's traffic: 0 and 1 incoming, 2 unprivileged, 3 privileged.
    #[bits(2)]
    pub privcfg: u8,
    /// Kind of the stream's reads: 0 and 1 incoming, 2 data, 3 instruction.
    #[bits(2)]
    pub instcfg: u8,
    #[bits(12)]
    pub impdef: u16,
}

/// Bits 191:128.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct SteWord2 {
    /// The VMID that tags this stream's TLB entries.
    pub s2vmid: u16,
    pub impdef: u16,
    /// 64 minus the size of intermediate addresses.
    #[bits(6)]
    pub s2t0sz: u8,
    /// Start level of the stage-2 walk, encoded per granule.
    #[bits(2)]
    pub s2sl0: u8,
    #[bits(2)]
    pub s2ir0: u8,
    #[bits(2)]
    pub s2or0: u8,
    #[bits(2)]
    pub s2sh0: u8,
    /// Stage-2 granule: 0 4 KiB, 1 64 KiB, 2 16 KiB.
    #[bits(2)]
    pub s2tg: u8,
    /// Physical address size, encoded.
    #[bits(3)]
    pub s2ps: u8,
    /// VMSAv8-64 tables at stage 2.
    pub s2aa64: bool,
    /// Big-endian tables at stage 2.
    pub s2endi: bool,
    /// AF = 0 does not fault at stage 2.
    pub s2affd: bool,
    /// Protected table walk: walks through Device memory fault.
    pub s2ptw: bool,
    pub s2hd: bool,
    pub s2ha: bool,
    /// Stage-2 faults stall.
    pub s2s: bool,
    /// Stage-2 faults are recorded.
    pub s2r: bool,
    #[bits(5)]
    __: u8,
}

/// Bits 255:192.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct SteWord3 {
    #[bits(4)]
    __: u8,
    /// Bits 51:4 of the stage-2 table's address.
    #[bits(48)]
    pub s2ttb_51_4: u64,
    #[bits(12)]
    __: u16,
}

/// `STE.Config`, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config {
    /// 0b0xx: every transaction is terminated with an abort, and no event is recorded.
    Abort,
    /// 0b100: addresses pass unchanged.
    Bypass,
    /// 0b101: stage 1 translates.
    S1,
    /// 0b110: stage 2 translates.
    S2,
    /// 0b111: stage 1 translates, and stage 2 translates what it yields.
    Nested,
}

impl Config {
    /// Whether stage 1 translates.
    pub const fn stage1(self) -> bool {
        matches!(self, Config::S1 | Config::Nested)
    }

    /// Whether stage 2 translates.
    pub const fn stage2(self) -> bool {
        matches!(self, Config::S2 | Config::Nested)
    }
}

/// A stream table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ste {
    /// Bits 63:0.
    pub word0: SteWord0,
    /// Bits 127:64.
    pub word1: SteWord1,
    /// Bits 191:128.
    pub word2: SteWord2,
    /// Bits 255:192.
    pub word3: SteWord3,
    /// Bits 511:256, which this crate does not interpret.
    pub rest: [u64; 4],
}

impl Ste {
    /// Bytes of one entry.
    pub const SIZE: u64 = 64;

    /// The entry that these words are, lowest first.
    pub const fn from_words(words: [u64; 8]) -> Self {
        let [w0, w1, w2, w3, rest @ ..] = words;
        Ste {
            word0: SteWord0::from_bits(w0),
            word1: SteWord1::from_bits(w1),
            word2: SteWord2::from_bits(w2),
            word3: SteWord3::from_bits(w3),
            rest,
        }
    }

    /// The words of this entry, lowest first.
    pub const fn words(&self) -> [u64; 8] {
        let [a, b, c, d] = self.rest;
        [
            self.word0.into_bits(),
            self.word1.into_bits(),
            self.word2.into_bits(),
            self.word3.into_bits(),
            a,
            b,
            c,
            d,
        ]
    }

    /// `Config`, decoded.
    pub const fn config(&self) -> Config {
        match self.word0.config() {
            4 => Config::Bypass,
            5 => Config::S1,
            6 => Config::S2,
            7 => Config::Nested,
            _ => Config::Abort,
        }
    }

    /// The address of the CD or CD table: an IPA when stage 2 translates, else a PA.
    pub const fn s1contextptr(&self) -> u64 {
        self.word0.s1contextptr_55_6() << 6
    }

    /// The stage-2 table's address, before alignment to the table's size.
    pub const fn s2ttb(&self) -> u64 {
        self.word3.s2ttb_51_4() << 4
    }
}
