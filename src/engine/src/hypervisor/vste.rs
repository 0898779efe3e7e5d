//! A guest's STE: what of it is allowed, and the physical STE that it becomes.

use super::Errno;
use crate::layout::{Config, Ste, SteWord0, SteWord1};

/// STRTAB_STE_0_NESTING_ALLOWED: V, Config, S1Fmt, S1ContextPtr (bits 51:6 only), S1CDMax.
const ALLOWED_0: u64 = SteWord0::new()
    .with_v(true)
    .with_config(7)
    .with_s1fmt(3)
    .with_s1contextptr_55_6((1 << 46) - 1)
    .with_s1cdmax(31)
    .into_bits();

/// STRTAB_STE_1_NESTING_ALLOWED: S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS.
const ALLOWED_1: u64 = SteWord1::new()
    .with_s1dss(3)
    .with_s1cir(3)
    .with_s1cor(3)
    .with_s1csh(3)
    .with_s1stalld(true)
    .with_eats(3)
    .into_bits();

/// The part of a guest's STE that may reach the hardware: what `IOMMU_HWPT_ALLOC` with `IOMMU_HWPT_DATA_ARM_SMMUV3` makes a nested
/// HWPT of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualSte {
    word0: SteWord0,
    /// Without EATS.
    word1: SteWord1,
    ats: bool,
}

impl VirtualSte {
    /// Checks the first two words of a guest's STE (`arm_smmu_validate_vste`). An STE with V = 0 is accepted whatever else it says,
    /// and becomes an abort.
    ///
    /// # Errors
    /// [`Errno::Io`]: a bit outside the allowed fields; a Config other than abort, bypass and stage 1; EATS other than 0 and 1.
    pub fn validate([word0, word1]: [u64; 2]) -> Result<Self, Errno> {
        let (fields0, fields1) = (SteWord0::from_bits(word0), SteWord1::from_bits(word1));
        if !fields0.v() {
            return Ok(VirtualSte {
                word0: SteWord0::new(),
                word1: SteWord1::new(),
                ats: false,
            });
        }
        let allowed = word0 & !ALLOWED_0 == 0
            && word1 & !ALLOWED_1 == 0
            // Config is compared as a number: 1, 2 and 3 abort in hardware, and are refused here.
            && matches!(fields0.config(), 0 | 4 | 5)
            && matches!(fields1.eats(), 0 | 1);
        if !allowed {
            return Err(Errno::Io);
        }
        Ok(VirtualSte {
            word0: fields0,
            word1: fields1.with_eats(0),
            ats: fields0.config() == 5 && fields1.eats() == 1,
        })
    }

    /// What the guest asks for: abort, bypass or stage 1.
    pub const fn config(&self) -> Config {
        match self.word0.config() {
            4 => Config::Bypass,
            5 => Config::S1,
            _ => Config::Abort,
        }
    }

    /// Whether the device may use ATS: only if the guest says EATS, since it must be the guest who sends ATC invalidations.
    pub const fn ats(&self) -> bool {
        self.ats
    }

    /// The physical STE, given the one of the stage-2 parent (`arm_smmu_make_nested_domain_ste`). `device_ats` says whether the
    /// device and its path can do ATS at all.
    pub(super) fn physical(&self, parent: &Ste, device_ats: bool) -> Ste {
        let eats = u8::from(self.ats && device_ats);
        let parent = Ste {
            word1: parent.word1.with_eats(eats),
            ..*parent
        };
        match self.config() {
            Config::S1 => Ste {
                word0: self.word0.with_config(7),
                // Events are merged, so that a guest cannot fill the host's queue.
                word1: SteWord1::from_bits(parent.word1.into_bits() | self.word1.into_bits())
                    .with_mev(true),
                ..parent
            },
            Config::Bypass => parent,
            // Config 0 with V = 1: the device is refused in silence. C_BAD_STE, which a guest with V = 0 would expect, does not occur.
            _ => Ste {
                word0: SteWord0::new().with_v(true),
                ..Ste::from_words([0; 8])
            },
        }
    }
}
