//! L1CD, Level 1 Context Descriptor: Arm IHI 0070, 5.3. 8 bytes.

use bitfield_struct::bitfield;

/// Points to the part of a two-level CD table that holds a range of SubstreamIDs.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct L1Cd {
    /// Valid: `l2ptr` may be followed.
    pub v: bool,
    #[bits(11)]
    __: u16,
    /// Bits 55:12 of the next-level table's address.
    #[bits(44)]
    pub l2ptr_55_12: u64,
    __: u8,
}

impl L1Cd {
    /// The next-level table's address: an IPA when stage 2 translates, else a PA.
    pub const fn l2_table(self) -> u64 {
        self.l2ptr_55_12() << 12
    }
}
