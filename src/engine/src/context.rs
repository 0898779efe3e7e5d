//! Checked context descriptors: Arm IHI 0070, 5.4 CD. How they are found is [`crate::translate`]'s business, since stage 2 takes part.

use crate::access::Rights;
use crate::fault::Fault;
use crate::features::{Features, StallModel, fits};
use crate::ids::Asid;
use crate::layout::{Cd, Descriptor, Granule};
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

/// A checked CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// CD.ASID.
    pub asid: Asid,
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
        let legal = word.v()
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
                tables: Tables::new(ttb, granule, granule.start_level(ia_bits), ia_bits, oa_bits),
                had: had && features.had,
            }))
        };
        let (tg0, tg1) = (Granule::from_tg0(word.tg0()), Granule::from_tg1(word.tg1()));
        Ok(Context {
            asid: Asid(word.asid()),
            regions: [
                region(!word.epd0(), tg0, word.t0sz(), cd.ttb0(), cd.word1.had0())?,
                region(!word.epd1(), tg1, word.t1sz(), cd.ttb1(), cd.word2.had1())?,
            ],
            tbi: [word.tbi0(), word.tbi1()],
            oa_bits,
            affd: word.affd(),
            wxn: word.wxn(),
            pan: word.pan(),
            abort: word.a(),
            record: word.r(),
            stall: word.s(),
        })
    }

    /// The half that `va` belongs to, and whether its top byte is acceptable.
    ///
    /// Arm IHI 0070, 3.4.1: bit 55 selects the half; without TBI bits 63:56 must repeat it. What lies between is checked against
    /// TxSZ by [`Context::region`], where a walk begins.
    pub(crate) const fn half(&self, va: u64) -> Option<usize> {
        let half = (va >> 55 & 1) as usize;
        let top = va >> 56;
        let expected = if half == 1 { 0xff } else { 0 };
        if self.tbi[half] || top == expected {
            Some(half)
        } else {
            None
        }
    }

    /// The tables for `va`; `None` is a translation fault.
    pub(crate) fn region(&self, va: u64) -> Option<&Region> {
        let half = self.half(va)?;
        let region = self.regions[half].as_ref()?;
        let above = (va << 8 >> 8) >> region.tables.ia_bits;
        let expected = if half == 1 {
            (u64::MAX >> 8) >> region.tables.ia_bits
        } else {
            0
        };
        (above == expected).then_some(region)
    }

    /// The rights that a leaf grants below tables with the permissions `inherited`.
    ///
    /// Arm ARM, D8.4 "Memory access control", for a regime of two privilege levels; then CD.WXN and CD.PAN.
    pub(crate) fn rights(&self, leaf: Descriptor, inherited: Inherited) -> Rights {
        let (read_only, unprivileged) = (leaf.ap() & 2 != 0, leaf.ap() & 1 != 0);
        let mut rights = Rights::ALL;
        if read_only || inherited.no_write() {
            rights = rights.without(Rights::WRITE);
        }
        if !unprivileged || inherited.no_unprivileged() {
            rights = rights.without(Rights::UNPRIVILEGED_READ.or(Rights::UNPRIVILEGED_WRITE));
        }
        if leaf.uxn() || inherited.uxn() {
            rights = rights.without(Rights::UNPRIVILEGED_EXECUTE);
        }
        // What unprivileged software can write, privileged software does not execute.
        if leaf.pxn() || inherited.pxn() || rights.contains(Rights::UNPRIVILEGED_WRITE) {
            rights = rights.without(Rights::PRIVILEGED_EXECUTE);
        }
        if self.wxn && rights.meets(Rights::UNPRIVILEGED_WRITE) {
            rights = rights.without(Rights::UNPRIVILEGED_EXECUTE);
        }
        if self.wxn && rights.meets(Rights::WRITE) {
            rights = rights.without(Rights::PRIVILEGED_EXECUTE);
        }
        let unprivileged_data = Rights::UNPRIVILEGED_READ.or(Rights::UNPRIVILEGED_WRITE);
        if self.pan && rights.meets(unprivileged_data) {
            rights = rights.without(Rights::PRIVILEGED_READ.or(Rights::PRIVILEGED_WRITE));
        }
        rights
    }
}

/// What table descriptors on the way took away: APTable in bits 1:0, UXNTable in bit 2, PXNTable in bit 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Inherited(pub u8);

impl Inherited {
    /// With what one more table takes away.
    pub(crate) const fn through(self, table: Descriptor) -> Self {
        Inherited(
            self.0
                | table.aptable()
                | (table.uxntable() as u8) << 2
                | (table.pxntable() as u8) << 3,
        )
    }

    const fn no_unprivileged(self) -> bool {
        self.0 & 1 != 0
    }

    const fn no_write(self) -> bool {
        self.0 & 2 != 0
    }

    const fn uxn(self) -> bool {
        self.0 & 4 != 0
    }

    const fn pxn(self) -> bool {
        self.0 & 8 != 0
    }
}
