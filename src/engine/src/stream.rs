//! From a StreamID to a checked STE: Arm IHI 0070, 3.3.1 "Stream table lookup", 5.1 L1STD, 5.2 STE.

use vm_memory::GuestMemoryBackend;

use crate::access::Access;
use crate::cache::Levels;
use crate::fault::Fault;
use crate::features::{Features, StallModel, fits};
use crate::ids::{StreamId, Vmid};
use crate::layout::{Config, Granule, L1Std, Ste};
use crate::memory::Words;
use crate::mutant::{Mutant, on};
use crate::registers::{Registers, StreamTableFormat};
use crate::tables::Tables;

/// The format of a CD table: STE.S1Fmt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CdTableFormat {
    /// CDs in a row.
    Linear,
    /// Level-1 descriptors, each for 2^leaf_bits CDs.
    TwoLevel {
        /// 6 or 10: 4 or 64 KiB.
        leaf_bits: u8,
    },
}

/// What to do without a SubstreamID: STE.S1DSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultSubstream {
    /// 0 and 3: F_STREAM_DISABLED.
    Terminate,
    /// 1: stage 1 is skipped.
    Bypass,
    /// 2: CD 0 is used, and SubstreamID 0 is disabled.
    Cd0,
}

/// The S1 fields of an STE, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdTable {
    /// STE.S1ContextPtr, aligned to the table: an IPA when stage 2 translates.
    pub pointer: u64,
    /// STE.S1Fmt; linear if there are no substreams.
    pub format: CdTableFormat,
    /// STE.S1CDMax; 0 if there are no substreams.
    pub cdmax: u8,
    /// STE.S1DSS.
    pub dss: DefaultSubstream,
    /// STE.S1STALLD.
    pub stalld: bool,
}

/// The S2 fields of an STE, decoded and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage2 {
    /// STE.S2VMID.
    pub vmid: Vmid,
    /// STE.{S2TTB,S2TG,S2SL0,S2T0SZ}.
    pub tables: Tables,
    /// Effective STE.S2PS, in bits.
    pub oa_bits: u8,
    /// STE.S2AFFD.
    pub affd: bool,
    /// STE.S2R.
    pub record: bool,
    /// STE.S2S.
    pub stall: bool,
}

/// The effective STE.EATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ats {
    /// No ATS.
    Off,
    /// Requests yield physical addresses.
    Full,
    /// Requests yield IPAs, which are translated by stage 2 when they come back.
    SplitStage,
}

/// A checked STE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Which stages translate; never [`Config::Abort`] with stages.
    pub config: Config,
    /// Present if stage 1 translates.
    pub cds: Option<CdTable>,
    /// Present if stage 2 translates.
    pub stage2: Option<Stage2>,
    /// The VMID that tags this stream's translations.
    pub vmid: Vmid,
    /// ATS.
    pub ats: Ats,
    /// STE.PRIVCFG, where it overrides.
    pub privileged: Option<bool>,
    /// STE.INSTCFG, where it overrides.
    pub instruction: Option<bool>,
}

impl Stream {
    /// Finds and checks the STE of `sid`.
    ///
    /// # Errors
    /// [`Fault::BadStreamId`], [`Fault::SteFetch`], [`Fault::BadSte`].
    #[cold]
    pub(crate) fn fetch<M: GuestMemoryBackend>(
        memory: &mut Words<'_, M>,
        features: &Features,
        registers: &Registers,
        levels: Option<&mut Levels>,
        sid: StreamId,
    ) -> Result<Self, Fault> {
        let address = ste_address(memory, features, registers, levels, sid)?;
        if !features.within_oas(address) {
            return Err(beyond(features, address));
        }
        let words = memory
            .words(address)
            .map_err(|_| Fault::SteFetch(address))?;
        Stream::check(&Ste::from_words(words), features, registers)
    }

    /// An access after STE.{PRIVCFG,INSTCFG}.
    #[inline]
    pub(crate) fn overridden(&self, access: Access) -> Access {
        Access {
            write: access.write,
            instruction: self.instruction.unwrap_or(access.instruction),
            privileged: self
                .privileged
                .filter(|_| !on(Mutant::PrivcfgIgnored))
                .unwrap_or(access.privileged),
        }
    }

    /// Checks an STE: Arm IHI 0070, 5.2.2 "Validity of STE".
    ///
    /// # Errors
    /// [`Fault::BadSte`] if it is invalid or ILLEGAL.
    pub fn check(ste: &Ste, features: &Features, registers: &Registers) -> Result<Self, Fault> {
        if !ste.word0.v() {
            return Err(Fault::BadSte);
        }
        let config = ste.config();
        if (config.stage1() && !features.s1p) || (config.stage2() && !features.s2p) {
            return Err(Fault::BadSte);
        }
        // S2VMID is IGNORED where nothing is tagged with it; else it is checked with stage 1 alone, too.
        let tagged = features.s2p && (config.stage1() || config.stage2());
        if tagged && !features.vmid16 && ste.word2.s2vmid() > 255 {
            return Err(Fault::BadSte);
        }
        let cds = if config.stage1() {
            Some(cd_table(ste, features)?)
        } else {
            None
        };
        let stage2 = if config.stage2() {
            Some(stage2(ste, features)?)
        } else {
            None
        };
        let overridden = |field: u8| match field {
            2 => Some(false),
            3 => Some(true),
            _ => None,
        };
        Ok(Stream {
            config,
            cds,
            stage2,
            // S2VMID tags whenever stage 2 exists; otherwise nothing does.
            vmid: Vmid(if features.s2p { ste.word2.s2vmid() } else { 0 }),
            ats: ats(ste, features, registers)?,
            privileged: overridden(ste.word1.privcfg()),
            instruction: overridden(ste.word1.instcfg()),
        })
    }
}

/// 3.4.3, note 5; what lies beyond the OAS is RES0 in FetchAddr (7.3.4 F_STE_FETCH).
fn beyond(features: &Features, address: u64) -> Fault {
    Fault::SteFetch(features.cut_to_oas(address))
}

fn ste_address<M: GuestMemoryBackend>(
    memory: &mut Words<'_, M>,
    features: &Features,
    registers: &Registers,
    levels: Option<&mut Levels>,
    stream: StreamId,
) -> Result<u64, Fault> {
    let log2size = registers.strtab_log2size.min(features.sidsize);
    let sid = u64::from(stream.0);
    if !fits(sid, log2size) {
        return Err(Fault::BadStreamId);
    }
    // SMMU_STRTAB_BASE: bits below the size of the (level-1) table are taken as 0; the size is the one written, whatever SIDSIZE is.
    let written = registers.strtab_log2size.min(63);
    let aligned = |bits: u8| match bits {
        64.. => 0,
        bits => registers.strtab_base >> bits << bits,
    };
    match registers.strtab_format {
        StreamTableFormat::TwoLevel { split } if features.st_level2 => {
            // SMMU_STRTAB_BASE_CFG.SPLIT: reserved values behave as 6.
            let split = if matches!(split, 8 | 10) { split } else { 6 };
            let base = aligned(written.saturating_sub(split).saturating_add(3).max(6));
            let address = base + (sid >> split) * 8;
            let known = levels.as_ref().and_then(|known| known.l1std(stream, split));
            let l1std = match known {
                Some(l1std) => l1std,
                None if !features.within_oas(address) => return Err(beyond(features, address)),
                None => memory
                    .word(address)
                    .map(L1Std::from_bits)
                    .map_err(|_| Fault::SteFetch(address))?,
            };
            if let Some(levels) = levels {
                levels.keep_l1std(stream, split, l1std);
            }
            let index = sid & ((1 << split) - 1);
            // 7.3.3: Span is 0, reserved, or larger than SPLIT + 1; or the StreamID lies behind the array.
            match l1std.span() {
                span @ 1..=11
                    if on(Mutant::SpanIgnored) || (span <= split + 1 && fits(index, span - 1)) =>
                {
                    Ok(l1std.l2_array() + index * Ste::SIZE)
                }
                _ => Err(Fault::BadStreamId),
            }
        }
        _ => Ok(aligned(written + 6) + sid * Ste::SIZE),
    }
}

fn cd_table(ste: &Ste, features: &Features) -> Result<CdTable, Fault> {
    let cdmax = if features.ssidsize == 0 {
        0
    } else {
        ste.word0.s1cdmax()
    };
    let format = match ste.word0.s1fmt() {
        _ if cdmax == 0 => CdTableFormat::Linear,
        1 => CdTableFormat::TwoLevel { leaf_bits: 6 },
        2 => CdTableFormat::TwoLevel { leaf_bits: 10 },
        _ => CdTableFormat::Linear,
    };
    // Reserved, S1Fmt = 3 behaves as 0, and is legal where two levels are not.
    let two_level = matches!(format, CdTableFormat::TwoLevel { .. });
    let illegal = cdmax > features.ssidsize
        || (two_level && !features.cd2l)
        || (ste.word1.s1stalld() && features.stall_model != StallModel::Both)
        // 3.4.3, notes 1 and 2: beyond the OAS or IAS, which are the same here.
        || !features.within_oas(ste.s1contextptr());
    if illegal {
        return Err(Fault::BadSte);
    }
    // S1ContextPtr bits within the table's size are RES0, and taken as 0: otherwise CDs beyond the table might be fetched.
    let table_bits = match format {
        CdTableFormat::Linear => cdmax + 6,
        CdTableFormat::TwoLevel { leaf_bits } => (cdmax + 3).saturating_sub(leaf_bits).max(6),
    };
    Ok(CdTable {
        pointer: ste.s1contextptr() >> table_bits << table_bits,
        format,
        cdmax,
        dss: match ste.word1.s1dss() {
            1 => DefaultSubstream::Bypass,
            2 => DefaultSubstream::Cd0,
            _ => DefaultSubstream::Terminate,
        },
        stalld: ste.word1.s1stalld(),
    })
}

fn stage2(ste: &Ste, features: &Features) -> Result<Stage2, Fault> {
    let word = ste.word2;
    let granule = Granule::from_tg0(word.s2tg())
        .filter(|&granule| features.granule(granule))
        .ok_or(Fault::BadSte)?;
    let smallest = if granule == Granule::K64 { 12 } else { 16 };
    let t0sz = word.s2t0sz();
    let start_level = start_level(granule, word.s2sl0(), features.oas).ok_or(Fault::BadSte)?;
    if t0sz > 39 || t0sz < smallest.max(64 - features.oas) {
        return Err(Fault::BadSte);
    }
    let ia_bits = 64 - t0sz;
    // S2SL0 must fit S2T0SZ: the start level resolves at least one bit, and at most 16 tables are concatenated.
    let start_bits = ia_bits.checked_sub(granule.entry_bits(start_level));
    let oa_bits = features.address_bits(word.s2ps());
    let stall_allowed = match features.stall_model {
        StallModel::Both => true,
        StallModel::TerminateOnly => !word.s2s(),
        StallModel::StallOnly => word.s2s(),
    };
    let legal = start_bits.is_some_and(|bits| (1..=granule.stride() + 4).contains(&bits))
        && word.s2aa64()
        && !word.s2endi()
        && !word.s2ha()
        && !word.s2hd()
        && stall_allowed
        && fits(ste.s2ttb(), oa_bits)
        && (granule == Granule::K64 || fits(ste.s2ttb(), 48));
    if !legal {
        return Err(Fault::BadSte);
    }
    Ok(Stage2 {
        vmid: Vmid(word.s2vmid()),
        tables: Tables::new(
            ste.s2ttb(),
            granule,
            start_level,
            ia_bits,
            oa_bits,
            features,
        ),
        oa_bits,
        affd: word.s2affd(),
        record: word.s2r(),
        stall: word.s2s(),
    })
}

/// STE.S2SL0, per granule; `None` where reserved without 52-bit small granules or small tables, and where physical addresses are too
/// small for so high a level (Arm DDI 0487, `AArch64.S2InvalidSL`).
fn start_level(granule: Granule, sl0: u8, oas: u8) -> Option<u8> {
    match granule {
        Granule::K4 => 2u8.checked_sub(sl0).filter(|&level| level > 0 || oas >= 44),
        Granule::K16 => 3u8
            .checked_sub(sl0)
            .filter(|&level| level > 1 || level == 1 && oas >= 42),
        Granule::K64 => 3u8
            .checked_sub(sl0)
            .filter(|&level| level > 1 || level == 1 && oas >= 44),
    }
}

fn ats(ste: &Ste, features: &Features, registers: &Registers) -> Result<Ats, Fault> {
    let config = ste.config();
    if !features.ats || !(config.stage1() || config.stage2()) {
        return Ok(Ats::Off);
    }
    let s2s = config.stage2() && ste.word2.s2s();
    match ste.word1.eats() {
        1 if s2s => Err(Fault::BadSte),
        1 => Ok(Ats::Full),
        2 if config != Config::Nested || s2s => Err(Fault::BadSte),
        2 if registers.atschk => Ok(Ats::SplitStage),
        // 3: DPT checks, which are not implemented: behaves as 0.
        _ => Ok(Ats::Off),
    }
}
