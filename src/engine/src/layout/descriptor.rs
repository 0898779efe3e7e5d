//! VMSAv8-64 translation table descriptors and granules: Arm ARM (DDI 0487), D8.3 "Translation table descriptor formats". 8 bytes.

use bitfield_struct::bitfield;

/// The size of the smallest page and of a full table. A granule's number is log2 of its page's bytes, so that walks compute instead
/// of branching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Granule {
    /// 4 KiB: 9 bits of address a level, levels 0 to 3.
    K4 = 12,
    /// 16 KiB: 11 bits a level, levels 0 to 3.
    K16 = 14,
    /// 64 KiB: 13 bits a level, levels 1 to 3.
    K64 = 16,
}

impl Granule {
    /// All of them.
    pub const ALL: [Granule; 3] = [Granule::K4, Granule::K16, Granule::K64];

    /// From CD.TG0 or STE.S2TG.
    pub const fn from_tg0(tg: u8) -> Option<Self> {
        match tg {
            0 => Some(Granule::K4),
            1 => Some(Granule::K64),
            2 => Some(Granule::K16),
            _ => None,
        }
    }

    /// From CD.TG1, or from TG of a TLB invalidation, which differ for 4 and 16 KiB: see [`Granule::from_tlbi_tg`].
    pub const fn from_tg1(tg: u8) -> Option<Self> {
        match tg {
            1 => Some(Granule::K16),
            2 => Some(Granule::K4),
            3 => Some(Granule::K64),
            _ => None,
        }
    }

    /// From TG of a TLB invalidation command: 1 4 KiB, 2 16 KiB, 3 64 KiB (Arm IHI 0070, 4.4.1 "Common TLB invalidation fields").
    pub const fn from_tlbi_tg(tg: u8) -> Option<Self> {
        match tg {
            1 => Some(Granule::K4),
            2 => Some(Granule::K16),
            3 => Some(Granule::K64),
            _ => None,
        }
    }

    /// Log2 of the bytes of a page.
    pub const fn page_bits(self) -> u8 {
        self as u8
    }

    /// Address bits that one level resolves.
    pub const fn stride(self) -> u8 {
        self.page_bits() - 3
    }

    /// Log2 of the bytes that one entry of a table at `level` (0 to 3) maps.
    pub const fn entry_bits(self, level: u8) -> u8 {
        self.page_bits() + (3 - level) * self.stride()
    }

    /// The level at which a stage-1 walk of `ia_bits` begins.
    pub const fn start_level(self, ia_bits: u8) -> u8 {
        let levels = (ia_bits - self.page_bits()).div_ceil(self.stride());
        4 - levels
    }

    /// Whether a block descriptor is allowed at `level`. With `lpa` (52-bit addresses and the 64 KiB granule) also at level 1.
    pub const fn block_at(self, level: u8, lpa: bool) -> bool {
        match self {
            Granule::K4 => level == 1 || level == 2,
            Granule::K16 => level == 2,
            Granule::K64 => level == 2 || (level == 1 && lpa),
        }
    }
}

/// What a descriptor is at its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Maps nothing: a translation fault.
    Invalid,
    /// Points to the table of the next level.
    Table,
    /// Maps a block or a page.
    Leaf,
}

/// A descriptor of either stage. Fields that one stage only has are named with it in their documentation.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct Descriptor {
    /// Valid.
    pub valid: bool,
    /// 1: a table, or at level 3 a page. 0: a block.
    pub table_or_page: bool,
    /// Stage 1: index into MAIR in bits 2:0, NS in bit 3. Stage 2: MemAttr.
    #[bits(4)]
    pub attributes: u8,
    /// Stage 1: AP\[2:1\]. Stage 2: S2AP, bit 0 read and bit 1 write.
    #[bits(2)]
    pub ap: u8,
    /// Shareability.
    #[bits(2)]
    pub sh: u8,
    /// Access flag.
    pub af: bool,
    /// Stage 1: not global.
    pub ng: bool,
    /// Address bits 47:12; with the 64 KiB granule bits 15:12 are address bits 51:48.
    #[bits(36)]
    pub address_47_12: u64,
    #[bits(2)]
    __: u8,
    /// Guarded page.
    pub gp: bool,
    /// Dirty bit modifier.
    pub dbm: bool,
    /// One of a run of contiguous entries that map contiguous memory.
    pub contiguous: bool,
    /// Stage 1: privileged execute never.
    pub pxn: bool,
    /// Stage 1: unprivileged execute never. Stage 2: execute never.
    pub uxn: bool,
    /// For software.
    #[bits(4)]
    pub sw: u8,
    /// Stage-1 tables: PXNTable.
    pub pxntable: bool,
    /// Stage-1 tables: UXNTable.
    pub uxntable: bool,
    /// Stage-1 tables: APTable, bit 0 no unprivileged access and bit 1 no writes.
    #[bits(2)]
    pub aptable: u8,
    /// Stage-1 tables: NSTable.
    pub nstable: bool,
}

impl Descriptor {
    /// What this is in a table of `level`.
    pub const fn kind(self, granule: Granule, level: u8, lpa: bool) -> Kind {
        match (self.valid(), self.table_or_page()) {
            (false, _) => Kind::Invalid,
            (true, true) if level == 3 => Kind::Leaf,
            (true, true) => Kind::Table,
            (true, false) if granule.block_at(level, lpa) => Kind::Leaf,
            (true, false) => Kind::Invalid,
        }
    }

    /// The address of the next table, or of the page or block that a leaf at `level` maps.
    pub const fn address(self, granule: Granule, kind: Kind, level: u8, lpa: bool) -> u64 {
        let low = match kind {
            Kind::Leaf => granule.entry_bits(level),
            _ => granule.page_bits(),
        };
        let bits = self.into_bits();
        let high = match granule {
            Granule::K64 if lpa => (bits >> 12 & 0xf) << 48,
            _ => 0,
        };
        high | (bits & 0xffff_ffff_ffff) >> low << low
    }
}
