//! What an implementation offers: the choices that software reads from SMMU_IDR0 to SMMU_IDR5.

use crate::layout::Granule;

/// Whether faulting transactions may be held until software answers: SMMU_IDR0.STALL_MODEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallModel {
    /// 0b00: software chooses with CD.S and STE.S2S.
    Both,
    /// 0b01: every faulting transaction is terminated.
    TerminateOnly,
    /// 0b10: every faulting transaction that can be stalled is stalled.
    StallOnly,
}

/// The implementation choices of one SMMU. Sizes are in bits.
///
/// What no field here can switch on is not implemented: AArch32 tables, hardware update of descriptors (HTTU), 52-bit addresses with
/// 4 and 16 KiB granules, EL2 and Secure streams, memory attributes, MPAM, permission indirection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// SMMU_IDR5.OAS, as bits: 32, 36, 40, 42, 44, 48 or 52. Also the size of intermediate addresses (IAS).
    pub oas: u8,
    /// SMMU_IDR1.SIDSIZE.
    pub sidsize: u8,
    /// SMMU_IDR1.SSIDSIZE: 0 means that no substreams exist.
    pub ssidsize: u8,
    /// SMMU_IDR0.S1P.
    pub s1p: bool,
    /// SMMU_IDR0.S2P.
    pub s2p: bool,
    /// SMMU_IDR0.ST_LEVEL: two-level stream tables.
    pub st_level2: bool,
    /// SMMU_IDR0.CD2L: two-level CD tables.
    pub cd2l: bool,
    /// SMMU_IDR0.ATS. Split-stage ATS comes with both stages (NS1ATS = 0); what comes translated has no PASID (SMMU_IDR3.PASIDTT = 0).
    pub ats: bool,
    /// SMMU_IDR0.ATSRECERR: SMMU_CR2.REC_CFG_ATS exists.
    pub atsrecerr: bool,
    /// SMMU_IDR0.PRI.
    pub pri: bool,
    /// SMMU_IDR0.ASID16.
    pub asid16: bool,
    /// SMMU_IDR0.VMID16.
    pub vmid16: bool,
    /// SMMU_IDR0.STALL_MODEL.
    pub stall_model: StallModel,
    /// SMMU_IDR0.TERM_MODEL: terminated transactions always abort; CD.A = 0 is ILLEGAL.
    pub term_model: bool,
    /// SMMU_IDR3.HAD: CD.HAD0 and CD.HAD1 are honoured.
    pub had: bool,
    /// SMMU_IDR3.RIL: range invalidation and level hints.
    pub ril: bool,
    /// SMMU_IDR5.GRAN4K.
    pub gran4k: bool,
    /// SMMU_IDR5.GRAN16K.
    pub gran16k: bool,
    /// SMMU_IDR5.GRAN64K.
    pub gran64k: bool,
    /// SMMU_IDR5.VAX = 0b01: 52-bit virtual addresses, with the 64 KiB granule only.
    pub vax: bool,
}

impl Features {
    /// Everything that this crate implements.
    pub const fn all() -> Self {
        Features {
            oas: 52,
            sidsize: 32,
            ssidsize: 20,
            s1p: true,
            s2p: true,
            st_level2: true,
            cd2l: true,
            ats: true,
            atsrecerr: true,
            pri: false,
            asid16: true,
            vmid16: true,
            stall_model: StallModel::Both,
            term_model: false,
            had: true,
            ril: true,
            gran4k: true,
            gran16k: true,
            gran64k: true,
            vax: true,
        }
    }

    /// What QEMU 10.0's `virt` machine offers its guests: 44-bit addresses, no substreams, no stalls, no ATS
    /// (`hw/arm/smmuv3.c`, `smmuv3_init_regs`).
    pub const fn qemu_10_0() -> Self {
        Features {
            oas: 44,
            sidsize: 16,
            ssidsize: 0,
            cd2l: false,
            ats: false,
            atsrecerr: false,
            stall_model: StallModel::TerminateOnly,
            term_model: true,
            had: true,
            vax: false,
            ..Features::all()
        }
    }

    /// Whether tables of this granule may be used.
    pub const fn granule(&self, granule: Granule) -> bool {
        match granule {
            Granule::K4 => self.gran4k,
            Granule::K16 => self.gran16k,
            Granule::K64 => self.gran64k,
        }
    }

    /// An encoded size (CD.IPS, STE.S2PS) as bits, capped to the OAS; reserved values count as the largest.
    pub(crate) fn address_bits(&self, encoded: u8) -> u8 {
        const BITS: [u8; 7] = [32, 36, 40, 42, 44, 48, 52];
        BITS[usize::from(encoded).min(BITS.len() - 1)].min(self.oas)
    }

    /// Whether an address needs no more bits than this SMMU puts on the bus.
    pub(crate) fn within_oas(&self, address: u64) -> bool {
        fits(address, self.oas)
    }

    /// An address without the bits that this SMMU does not put on the bus.
    pub(crate) const fn cut_to_oas(&self, address: u64) -> u64 {
        if self.oas >= 64 {
            address
        } else {
            address & ((1 << self.oas) - 1)
        }
    }
}

/// Whether `address` has no bit at or above `bits`.
pub(crate) const fn fits(address: u64, bits: u8) -> bool {
    bits >= 64 || address >> bits == 0
}
