//! Geometries of known SMMUs.

use super::bank::{Capacity, Replacement};

/// The capacities of all caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What it is called where counts are quoted.
    pub name: &'static str,
    /// Translations of device addresses.
    pub(super) tlb: Capacity,
    /// Stage-2 translations, where they are not in `tlb`.
    pub(super) ipas: Option<Capacity>,
    /// Stage-2 translations lie in `tlb` too.
    pub(super) unified: bool,
    /// Tables of stages 1 and 2, at levels 1 to 3.
    pub(super) tables: [[Option<Capacity>; 3]; 2],
    /// STEs, and as many CDs.
    pub(super) config: Option<Capacity>,
}

const fn ways(entries: usize, ways: usize, replacement: Replacement) -> Capacity {
    Capacity {
        sets: entries / ways,
        ways,
        replacement,
    }
}

const fn table(entries: usize) -> Option<Capacity> {
    Some(ways(entries, 4, Replacement::RoundRobin))
}

impl Preset {
    /// QEMU 10.0: one IOTLB of 256 entries for both kinds, emptied when full; no cached tables; configuration unbounded (here: 64 K
    /// entries). `SMMU_IOTLB_MAX_SIZE` in `hw/arm/smmu-common.h`.
    pub const QEMU_10_0: Preset = Preset {
        name: "qemu-10.0",
        tlb: ways(256, 256, Replacement::All),
        ipas: None,
        unified: true,
        tables: [[None; 3]; 2],
        config: Some(ways(1 << 16, 4, Replacement::Lru)),
    };

    /// gem5's SMMUv3 with its defaults: `src/dev/arm/SMMUv3.py`, main TLB of a device interface, walk caches of levels 0 to 2,
    /// configuration cache; no IPA cache.
    pub const GEM5: Preset = Preset {
        name: "gem5",
        tlb: ways(2048, 4, Replacement::RoundRobin),
        ipas: None,
        unified: false,
        tables: [
            [table(4), table(28), table(348)],
            [table(4), table(28), table(92)],
        ],
        config: Some(ways(64, 4, Replacement::RoundRobin)),
    };

    /// `entries` translations in sets of `ways`, a quarter as many stage-2 translations, and no cached tables.
    ///
    /// # Panics
    /// If `ways` is 0 or does not divide a quarter of `entries`.
    pub const fn custom(entries: usize, ways_of_a_set: usize, replacement: Replacement) -> Preset {
        assert!(
            ways_of_a_set > 0
                && entries >= 4 * ways_of_a_set
                && (entries / 4).is_multiple_of(ways_of_a_set)
        );
        Preset {
            name: "custom",
            tlb: ways(entries, ways_of_a_set, replacement),
            ipas: Some(ways(entries / 4, ways_of_a_set, replacement)),
            unified: false,
            tables: [[None; 3]; 2],
            config: Some(ways(64, 4, Replacement::Lru)),
        }
    }
}
