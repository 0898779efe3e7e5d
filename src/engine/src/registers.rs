//! The registers that decide what happens to transactions: Arm IHI 0070, chapter 6.
//!
//! Values, not an MMIO page: whoever emulates the page decodes it and calls [`crate::Smmu::configure`].

/// SMMU_STRTAB_BASE_CFG.FMT and SPLIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamTableFormat {
    /// One array of STEs.
    Linear,
    /// Level-1 descriptors, each for 2^split StreamIDs.
    TwoLevel {
        /// 6, 8 or 10; other values are reserved and behave as 6.
        split: u8,
    },
}

/// Registers of the Non-secure programming interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// SMMU_CR0.SMMUEN: transactions are translated.
    pub smmuen: bool,
    /// SMMU_CR0.ATSCHK: translated transactions are checked against the STE.
    pub atschk: bool,
    /// SMMU_CR0.CMDQEN: commands are consumed.
    pub cmdqen: bool,
    /// SMMU_CR0.EVENTQEN: events are delivered.
    pub eventqen: bool,
    /// SMMU_CR2.RECINVSID: C_BAD_STREAMID is recorded.
    pub recinvsid: bool,
    /// SMMU_CR2.REC_CFG_ATS: configuration errors of ATS requests and translated transactions are recorded, if SMMU_IDR0.ATSRECERR.
    pub rec_cfg_ats: bool,
    /// SMMU_GBPA.ABORT: while SMMUEN is 0, transactions abort instead of passing.
    pub gbpa_abort: bool,
    /// SMMU_STRTAB_BASE.ADDR.
    pub strtab_base: u64,
    /// SMMU_STRTAB_BASE_CFG.LOG2SIZE: log2 of the number of StreamIDs.
    pub strtab_log2size: u8,
    /// SMMU_STRTAB_BASE_CFG.FMT.
    pub strtab_format: StreamTableFormat,
}

impl Registers {
    /// After reset: disabled, and traffic passes.
    pub const RESET: Registers = Registers {
        smmuen: false,
        atschk: false,
        cmdqen: false,
        eventqen: false,
        recinvsid: false,
        rec_cfg_ats: false,
        gbpa_abort: false,
        strtab_base: 0,
        strtab_log2size: 0,
        strtab_format: StreamTableFormat::Linear,
    };
}
