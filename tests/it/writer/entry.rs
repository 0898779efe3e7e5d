//! Entries of 64 bytes: the fields that the driver writes, which of them hardware uses, and the entries of the driver's unit test.
//!
//! Arm IHI 0070 G.b, 5.2 "Stream Table Entry", 5.4 "Context Descriptor"; what is used and what is safe as in the driver's
//! arm_smmu_get_ste_used, arm_smmu_get_ste_update_safe and arm_smmu_get_cd_used. Fields by hand, not by the engine's layout.

use super::algorithm::Rules;

/// The words of an entry.
pub type Entry = [u64; 8];

const fn bits(high: u32, low: u32) -> u64 {
    (u64::MAX >> (63 - high)) & (u64::MAX << low)
}

/// Fields of an STE, by word.
pub mod ste {
    use super::{Entry, bits};

    pub const V: u64 = 1;
    pub const CONFIG: u64 = bits(3, 1);
    const S1FMT_S1CTXPTR_S1CDMAX: u64 = bits(5, 4) | bits(51, 6) | bits(63, 59);
    pub const S1DSS: u64 = bits(1, 0);
    const S1CIR_S1COR_S1CSH: u64 = bits(7, 2);
    pub const MEV: u64 = 1 << 19;
    const S2FWB: u64 = 1 << 25;
    const S1STALLD: u64 = 1 << 27;
    const EATS: u64 = bits(29, 28);
    pub const EATS_TRANS: u64 = 1 << 28;
    pub const EATS_S1CHK: u64 = 2 << 28;
    const STRW: u64 = bits(31, 30);
    const SHCFG: u64 = bits(45, 44);
    const S2VMID: u64 = bits(15, 0);
    const VTCR: u64 = bits(50, 32);
    const S2AA64: u64 = 1 << 51;
    const S2ENDI: u64 = 1 << 52;
    const S2PTW: u64 = 1 << 54;
    pub const S2S: u64 = 1 << 57;
    const S2R: u64 = 1 << 58;
    const S2TTB: u64 = bits(51, 4);

    /// What becomes of traffic without SubstreamID.
    pub const BYPASS: u64 = 1;
    pub const SSID0: u64 = 2;

    const INCOMING: u64 = 1 << 44;
    /// 25 bits of input, from one level-2 table of 4 KiB pages; 40 bits of output.
    const S2_SHAPE: u64 = (39 | 2 << 16) << 32;
    /// Room for four CDs, in a linear table.
    const FOUR_CDS: u64 = 2 << 59;

    /// The fields that hardware does not ignore.
    pub fn used(ste: &Entry) -> Entry {
        let mut used = [V, 0, 0, 0, 0, 0, 0, 0];
        if ste[0] & V == 0 {
            return used;
        }
        used[0] |= CONFIG;
        let config = (ste[0] & CONFIG) >> 1;
        if config & 0b001 != 0 {
            used[0] |= S1FMT_S1CTXPTR_S1CDMAX;
            used[1] |= S1DSS | S1CIR_S1COR_S1CSH | S1STALLD | STRW | EATS | MEV;
            used[2] |= S2VMID;
            if ste[1] & S1DSS == BYPASS {
                used[1] |= SHCFG;
            }
        }
        if config & 0b010 != 0 {
            used[1] |= S2FWB | EATS | SHCFG | MEV;
            used[2] |= S2VMID | VTCR | S2AA64 | S2ENDI | S2PTW | S2S | S2R;
            used[3] |= S2TTB;
        }
        if config == 0b100 {
            used[1] |= SHCFG;
        }
        used
    }

    /// MEV changes only how many events there are. ATS is off at the device while EATS changes, unless it is checked by stage 1, or
    /// could stall.
    pub fn safe(old: &Entry, new: &Entry) -> Entry {
        let mut safe = [0; 8];
        safe[1] = MEV;
        if (old[1] | new[1]) & EATS_S1CHK == 0 && (old[2] | new[2]) & S2S == 0 {
            safe[1] |= EATS_TRANS;
        }
        safe
    }

    pub fn abort() -> Entry {
        [V, 0, 0, 0, 0, 0, 0, 0]
    }

    pub fn bypass() -> Entry {
        [V | 4 << 1, INCOMING, 0, 0, 0, 0, 0, 0]
    }

    /// Stage 1 by a table of four CDs.
    pub fn cdtable(table: u64, s1dss: u64, ats: bool, stall: bool) -> Entry {
        let mut ste = [V | 5 << 1 | table | FOUR_CDS, 0, 0, 0, 0, 0, 0, 0];
        // Write-back, read-allocate, inner shareable.
        ste[1] = s1dss | 1 << 2 | 1 << 4 | 3 << 6;
        ste[1] |= if stall { 0 } else { S1STALLD };
        ste[1] |= if ats { EATS_TRANS } else { 0 };
        ste[1] |= if s1dss == BYPASS { INCOMING } else { 0 };
        ste
    }

    /// Stage 2 alone.
    pub fn s2(table: u64, ats: bool, stall: bool) -> Entry {
        let mut ste = [V | 6 << 1, INCOMING, S2_SHAPE, table, 0, 0, 0, 0];
        ste[1] |= if ats { EATS_TRANS } else { 0 };
        ste[2] |= S2AA64 | S2PTW | S2R | if stall { S2S } else { 0 };
        ste
    }

    /// A guest's stage 1 with S1DSS=bypass on the host's stage 2.
    pub fn nested(cds: u64, stage_2: u64, ats: bool) -> Entry {
        let (stage_1, mut ste) = (cdtable(cds, BYPASS, ats, true), s2(stage_2, ats, false));
        ste[0] = stage_1[0] | 7 << 1;
        ste[1] |= stage_1[1] | MEV;
        ste
    }
}

/// Fields of a CD, by word.
pub mod cd {
    use super::{Entry, bits};

    pub const V: u64 = 1 << 31;
    const T0SZ_TG0_IR0_OR0_SH0: u64 = bits(5, 0) | bits(7, 6) | bits(13, 8);
    const EPD0: u64 = 1 << 14;
    const EPD1: u64 = 1 << 30;
    const IPS_40: u64 = 2 << 32;
    const AA64: u64 = 1 << 41;
    const R: u64 = 1 << 45;
    const A: u64 = 1 << 46;
    const ASET: u64 = 1 << 47;
    const TTB0: u64 = bits(51, 4);
    const MAIR: u64 = 0x0000_00f4_4404_ffff;

    /// The fields that hardware does not ignore.
    pub fn used(cd: &Entry) -> Entry {
        if cd[0] & V == 0 {
            return [V, 0, 0, 0, 0, 0, 0, 0];
        }
        let mut used = [u64::MAX; 8];
        if cd[0] & EPD0 != 0 {
            used[0] &= !T0SZ_TG0_IR0_OR0_SH0;
            used[1] &= !TTB0;
        }
        used
    }

    pub fn invalid() -> Entry {
        [0; 8]
    }

    /// 25 bits of input, from one level-2 table of 4 KiB pages.
    pub fn s1(table: u64, asid: u64) -> Entry {
        let shape = 39 | 1 << 8 | 1 << 10 | 3 << 12 | EPD1 | IPS_40 | AA64;
        let word0 = shape | V | R | A | ASET | asid << 48;
        [word0, table, 0, MAIR, 0, 0, 0, 0]
    }

    /// The tables of a process, whose ASID is shared.
    pub fn sva(table: u64, asid: u64) -> Entry {
        let mut cd = s1(table, asid);
        cd[0] &= !ASET;
        cd
    }

    /// The process has gone: no walks, and nothing is recorded.
    pub fn release(asid: u64) -> Entry {
        let mut cd = sva(0, asid);
        cd[0] = cd[0] & !(T0SZ_TG0_IR0_OR0_SH0 | R) | EPD0;
        cd
    }
}

/// Stream table entries.
pub const STE: Rules = Rules {
    valid: ste::V,
    used: ste::used,
    safe: ste::safe,
};

/// Context descriptors: every bit that is used counts.
pub const CD: Rules = Rules {
    valid: cd::V,
    used: cd::used,
    safe: |_, _| [0; 8],
};

/// The driver must not set what it takes for ignored: it would be cleared under a configuration that it has just written.
#[test]
fn no_entry_sets_what_it_does_not_use() {
    for row in super::kunit::rows() {
        for entry in [row.old, row.new] {
            let used = (row.rules.used)(&entry);
            let unused = entry.iter().zip(used).any(|(word, used)| word & !used != 0);
            assert!(!unused, "{}: {entry:x?} uses {used:x?}", row.name);
        }
    }
}

#[test]
fn eats_is_not_safe_where_translated_traffic_can_be_checked_or_stall() {
    let (with, without) = (ste::s2(0, true, false), ste::s2(0, false, false));
    let is_safe = |old: &Entry, new: &Entry| ste::safe(old, new)[1] & ste::EATS_TRANS != 0;
    assert!(is_safe(&with, &without) && is_safe(&without, &with));
    assert!(!is_safe(&with, &ste::s2(0, false, true)));
    let mut checked = without;
    checked[1] |= ste::EATS_S1CHK;
    assert!(!is_safe(&with, &checked) && !is_safe(&checked, &with));
}
