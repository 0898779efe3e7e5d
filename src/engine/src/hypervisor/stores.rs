//! Stores to entries that an SMMU may read at any time.
//!
//! It reads 64 bits at once, and may keep what it has read, invalid entries too. So an entry that becomes valid is written in two pieces:
//! everything but word 0, which nothing reads while word 0 is as it was; CFGI and CMD_SYNC, behind which no old copy of it is in use;
//! then word 0, and the same again.
//!
//! Manual    Arm IHI 0070, 3.21.3 "Configuration structure invalidation" and the update procedures behind it.
//! Source    Linux, `arm-smmu-v3.c`, `arm_smmu_write_entry`; that this takes two CMD_SYNCs its unit tests say, `arm-smmu-v3-test.c`,
//!           `arm_smmu_v3_write_cd_test_s1_clear`.

use crate::ids::Asid;

/// A store to a context descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CdStore {
    /// Every word but word 0: the tables.
    Rest,
    /// Word 0: V=1, with this ASID.
    Valid(Asid),
    /// Word 0: V=1, with this ASID and EPD0=1, so that no walk is made and accesses end without an event (R=S=0).
    Ended(Asid),
    /// Word 0: V=0.
    Invalid,
}

/// A store to a stream table entry that becomes valid, or another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SteStore {
    /// Every word but word 0.
    Rest,
    /// Word 0.
    First,
}
