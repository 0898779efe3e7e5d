//! Checked context descriptors: Arm IHI 0070, 5.4 CD. How they are found is [`crate::translate`]'s business, since stage 2 takes part.

use crate::access::Rights;
use crate::fault::Fault;
use crate::features::{Features, StallModel, fits};
use crate::ids::Asid;
use crate::layout::{Cd, Descriptor, Granule};
use crate::mutant::{Mutant, on};
use crate::stream::CdTable;
use crate::tables::Tables;

/// One half of a context's address space: what TTB0 or TTB1 translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// CD.{TTBx,TGx,TxSZ}.
    pub tables: Tables,
    /// CD.HADx: permissions of table descriptors are ignored.
    pub had: bool,
}

/// An address whose top byte neither repeats bit 55 nor is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unacceptable;

/// A checked CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// CD.ASID.
    pub asid: Asid,
    /// CD.ASET.
    pub aset: bool,
    /// TTB0's and TTB1's; `None` where CD.EPDx forbids walks.
    pub regions: [Option<Region>; 2],
    /// CD.TBI0 and CD.TBI1.
    pub tbi: [bool; 2],
    /// Effective CD.IPS, in bits.
    pub oa_bits: u8,
    /// CD.AFFD.
    pub affd: bool,
    /// CD.WXN.
    pub wxn: bool,
    /// CD.PAN.
    pub pan: bool,
    /// CD.A.
    pub abort: bool,
    /// CD.R.
    pub record: bool,
    /// CD.S.
    pub stall: bool,
    /// Bits that are 0 in every address that TTB0 translates and whose top byte is 0.
    low: u64,
    /// What a leaf grants, by what it and the tables above it take away.
    granted: [Rights; 16],
}

impl Context {
    /// Checks a CD: Arm IHI 0070, 5.4.2 "Validity of CD", and 5.5 for A, R and S.
    ///
    /// # Errors
    /// [`Fault::BadCd`] if it is invalid or ILLEGAL.
    pub fn check(cd: &Cd, features: &Features, cds: &CdTable) -> Result<Self, Fault> {
        let word = cd.word0;
        let stall_allowed = match features.stall_model {
            StallModel::Both => !(word.s() && cds.stalld),
            StallModel::TerminateOnly => !word.s(),
            StallModel::StallOnly => word.s(),
        };
        let valid = if on(Mutant::B65CdValid) {
            word.epd1()
        } else {
            word.v()
        };
        let legal = valid
            && word.aa64()
            && !word.ha()
            && !word.hd()
            && (word.a() || !features.term_model)
            && stall_allowed
            && (features.asid16 || word.asid() < 256)
            && (!word.endi() || (word.epd0() && word.epd1()));
        if !legal {
            return Err(Fault::BadCd);
        }
        let oa_bits = features.address_bits(word.ips());
        let region = |enabled: bool, granule: Option<Granule>, tsz: u8, ttb: u64, had: bool| {
            if !enabled {
                return Ok(None);
            }
            let granule = granule
                .filter(|&granule| features.granule(granule))
                .ok_or(Fault::BadCd)?;
            let smallest = if features.vax && granule == Granule::K64 {
                12
            } else {
                16
            };
            let legal = (smallest..=39).contains(&tsz)
                && fits(ttb, oa_bits)
                && (granule == Granule::K64 || fits(ttb, 48));
            if !legal {
                return Err(Fault::BadCd);
            }
            let ia_bits = 64 - tsz;
            Ok(Some(Region {
                tables: Tables::new(
                    ttb,
                    granule,
                    granule.start_level(ia_bits),
                    ia_bits,
                    oa_bits,
                    features,
                ),
                had: had && features.had && !on(Mutant::HadIgnored),
            }))
        };
        let (tg0, tg1) = (Granule::from_tg0(word.tg0()), Granule::from_tg1(word.tg1()));
        let regions = [
            region(
                !word.epd0() || on(Mutant::Epd0Ignored),
                tg0,
                word.t0sz(),
                cd.ttb0(),
                cd.word1.had0(),
            )?,
            region(!word.epd1(), tg1, word.t1sz(), cd.ttb1(), cd.word2.had1())?,
        ];
        Ok(Context {
            asid: Asid(word.asid()),
            aset: word.aset(),
            regions,
            tbi: [word.tbi0(), word.tbi1()],
            oa_bits,
            affd: word.affd(),
            wxn: word.wxn(),
            pan: word.pan(),
            abort: word.a(),
            record: word.r(),
            stall: word.s(),
            low: regions[0].map_or(u64::MAX, |region| u64::MAX << region.tables.ia_bits),
            granted: std::array::from_fn(|taken| {
                let (wxn, pan) = (word.wxn(), word.pan());
                let pan = pan && !on(Mutant::PanIgnored);
                let wxn = wxn && !on(Mutant::WxnIgnored);
                granted(Inherited(taken as u8), wxn, pan)
            }),
        })
    }

    /// The tables for `va`: `Err` if no half can hold it, `Ok(None)` if its half has no walks or is too small for it.
    ///
    /// Arm IHI 0070, 3.4.1: bit 55 selects the half; without TBI bits 63:56 must repeat it, and so must what lies above TxSZ.
    #[inline]
    pub(crate) fn region(&self, va: u64) -> Result<Option<&Region>, Unacceptable> {
        if va & self.low == 0 {
            Ok(self.regions[0].as_ref())
        } else {
            self.unusual_region(va)
        }
    }

    fn unusual_region(&self, va: u64) -> Result<Option<&Region>, Unacceptable> {
        let extended = (va << 8) as i64 >> 8;
        let half = usize::from(extended < 0);
        if extended as u64 != va && !self.tbi[half] && !on(Mutant::TopByteIgnored) {
            return Err(Unacceptable);
        }
        let region = self.regions[half].as_ref();
        Ok(region.filter(|region| extended >> region.tables.ia_bits == -(half as i64)))
    }

    /// The rights that a leaf grants below tables that took away `inherited`.
    #[inline]
    pub(crate) const fn rights(&self, leaf: Descriptor, inherited: Inherited) -> Rights {
        self.granted[(inherited.with_leaf(leaf).0 & 15) as usize]
    }
}

/// The rights that are left.
///
/// Arm ARM, D8.4 "Memory access control", for a regime of two privilege levels; then CD.WXN and CD.PAN.
const fn granted(taken: Inherited, wxn: bool, pan: bool) -> Rights {
    let mut rights = Rights::ALL;
    if taken.no_write() {
        rights = rights.without(Rights::WRITE);
    }
    if taken.no_unprivileged() {
        rights = rights.without(Rights::UNPRIVILEGED_READ.or(Rights::UNPRIVILEGED_WRITE));
    }
    if taken.uxn() {
        rights = rights.without(Rights::UNPRIVILEGED_EXECUTE);
    }
    // What unprivileged software can write, privileged software does not execute.
    if taken.pxn() || rights.contains(Rights::UNPRIVILEGED_WRITE) {
        rights = rights.without(Rights::PRIVILEGED_EXECUTE);
    }
    if wxn && rights.meets(Rights::UNPRIVILEGED_WRITE) {
        rights = rights.without(Rights::UNPRIVILEGED_EXECUTE);
    }
    if wxn && rights.meets(Rights::WRITE) {
        rights = rights.without(Rights::PRIVILEGED_EXECUTE);
    }
    let unprivileged_data = Rights::UNPRIVILEGED_READ.or(Rights::UNPRIVILEGED_WRITE);
    if pan && rights.meets(unprivileged_data) {
        rights = rights.without(Rights::PRIVILEGED_READ.or(Rights::PRIVILEGED_WRITE));
    }
    rights
}

/// What table descriptors on the way took away: PXNTable in bit 0, UXNTable in bit 1, APTable in bits 3:2, as a descriptor has them in
/// bits 62:59.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Inherited(pub u8);

impl Inherited {
    /// With what one more table takes away.
    #[inline]
    pub(crate) const fn through(self, table: Descriptor) -> Self {
        Inherited(self.0 | (table.into_bits() >> 59 & 15) as u8)
    }

    /// With what a leaf takes away: PXN in bit 53, UXN in bit 54, AP[2:1] in bits 7:6. AP[1] grants where APTable[0] takes away.
    #[inline]
    const fn with_leaf(self, leaf: Descriptor) -> Self {
        let bits = leaf.into_bits();
        Inherited(self.0 | (bits >> 53 & 3) as u8 | ((bits >> 4 & 0xc) as u8 ^ 4))
    }

    const fn pxn(self) -> bool {
        self.0 & 1 != 0
    }

    const fn uxn(self) -> bool {
        self.0 & 2 != 0
    }

    const fn no_unprivileged(self) -> bool {
        self.0 & 4 != 0
    }

    const fn no_write(self) -> bool {
        self.0 & 8 != 0
    }
}
