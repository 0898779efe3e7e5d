//! STEs and CDs as software means them, and their words: Arm IHI 0070, 5.2 and 5.4, written out by hand.

/// Where an L1STD or L1CD leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// To the entries that it should lead to.
    There,
    /// Nowhere: it is invalid.
    Invalid,
    /// To where no memory is, or no memory that stage 2 maps.
    Astray,
}

impl Link {
    /// Another state, as `pick` says.
    pub fn other(self, pick: u8) -> Self {
        match (self, pick % 3) {
            (Link::There, 0) => Link::Astray,
            (Link::There, _) => Link::Invalid,
            _ => Link::There,
        }
    }
}

/// A stream table entry. Its CD table is its device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ste {
    pub valid: bool,
    /// 0 abort, 4 bypass, 5 stage 1, 6 stage 2, 7 both.
    pub config: u8,
    /// 0 terminate, 1 bypass stage 1, 2 CD 0.
    pub s1dss: u8,
    /// 0 off, 1 full, 2 split-stage.
    pub eats: u8,
    /// Whose stage 2.
    pub vm: usize,
    /// Stage-2 faults are recorded.
    pub record: bool,
}

impl Ste {
    /// Whether stage 1 translates.
    pub fn stage1(&self) -> bool {
        self.valid && matches!(self.config, 5 | 7)
    }

    /// Whether stage 2 does.
    pub fn stage2(&self) -> bool {
        self.valid && matches!(self.config, 6 | 7)
    }
}

/// A context descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cd {
    pub valid: bool,
    pub space: usize,
    pub asid: u16,
    /// EPD0 and EPD1: no walks.
    pub epd: [bool; 2],
    /// R: stage-1 faults are recorded.
    pub record: bool,
    /// A: they abort; else reads are zero and writes ignored.
    pub abort: bool,
}

impl Cd {
    pub const INVALID: Cd = Cd {
        valid: false,
        space: 0,
        asid: 0,
        epd: [false; 2],
        record: true,
        abort: true,
    };
}

/// Stage 2, as STE words 2 and 3 say it.
#[derive(Clone, Copy, Debug)]
pub struct Stage2Words {
    pub vmid: u16,
    pub granule: u8,
    pub input_bits: u8,
    pub start: u8,
    pub ps: u8,
    pub root: u64,
}

/// Words 0 to 3 of an STE, with its CD table: format, log2 of its entries, and address.
pub fn ste_words(ste: &Ste, (fmt, cdmax, table): (u8, u8, u64), stage2: Stage2Words) -> [u64; 4] {
    let word0 = u64::from(ste.valid)
        | u64::from(ste.config) << 1
        | u64::from(fmt) << 4
        | table
        | u64::from(cdmax) << 59;
    let word1 = u64::from(ste.s1dss) | u64::from(ste.eats) << 28;
    let (tg, sl0) = match stage2.granule {
        12 => (0, 2 - stage2.start),
        14 => (2, 3 - stage2.start),
        _ => (1, 3 - stage2.start),
    };
    let word2 = u64::from(stage2.vmid)
        | u64::from(64 - stage2.input_bits) << 32
        | u64::from(sl0) << 38
        | tg << 46
        | u64::from(stage2.ps) << 48
        | 1 << 51
        | u64::from(ste.record) << 58;
    [word0, word1, word2, stage2.root]
}

/// What a CD's space says: granule, input size and root of TTB0 and TTB1; IPS.
#[derive(Clone, Copy, Debug)]
pub struct SpaceWords {
    pub granules: [u8; 2],
    pub input_bits: [u8; 2],
    pub roots: [u64; 2],
    pub ips: u8,
}

/// Words 0 to 2 of a CD.
pub fn cd_words(cd: &Cd, space: SpaceWords) -> [u64; 3] {
    let tg0 = [0, 2, 1][usize::from(space.granules[0] - 12) / 2];
    // Not as TG0.
    let tg1 = [2, 1, 3][usize::from(space.granules[1] - 12) / 2];
    let word0 = u64::from(64 - space.input_bits[0])
        | tg0 << 6
        | u64::from(cd.epd[0]) << 14
        | u64::from(64 - space.input_bits[1]) << 16
        | tg1 << 22
        | u64::from(cd.epd[1]) << 30
        | u64::from(cd.valid) << 31
        | u64::from(space.ips) << 32
        | 1 << 41
        | u64::from(cd.record) << 45
        | u64::from(cd.abort) << 46
        | u64::from(cd.asid) << 48;
    [word0, space.roots[0], space.roots[1]]
}
