//! L1STD, Level 1 Stream Table Descriptor: Arm IHI 0070, 5.1. 8 bytes.

use bitfield_struct::bitfield;

/// Points to the part of a two-level stream table that holds a range of StreamIDs.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct L1Std {
    /// 0: no StreamID of this range is valid; 1 to 11: the level-2 array has 2^(Span-1) entries; the rest is reserved.
    #[bits(5)]
    pub span: u8,
    #[bits(1)]
    __: u8,
    /// Bits 55:6 of the level-2 array's address.
    #[bits(50)]
    pub l2ptr_55_6: u64,
    __: u8,
}

impl L1Std {
    /// The level-2 array's address: aligned to the array's size, as the SMMU does (bits below are taken as 0).
    pub const fn l2_array(self) -> u64 {
        let entries_log2 = if self.span() == 0 { 0 } else { self.span() - 1 };
        (self.l2ptr_55_6() << 6) >> (6 + entries_log2) << (6 + entries_log2)
    }
}
