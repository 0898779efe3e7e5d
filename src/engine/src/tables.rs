//! Where a translation table lies and what it covers: the parameters of a walk, for either stage.
//!
//! An STE or a CD is decoded once and walked many times: what granule, level and output size make of a descriptor is worked out here,
//! as masks, when it is decoded. [`Descriptor::kind`] and [`Descriptor::address`] say the same by the manual's rules.

use crate::features::Features;
use crate::layout::{Descriptor, Granule};
use crate::mutant::{Mutant, on};

/// Bits 1:0 of no descriptor.
const NEVER: u8 = 4;

/// What a walk needs to know of a level, in one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Level {
    /// Of an input, shifted right by `shift`: the offset of its descriptor.
    index: u64,
    /// Of a leaf: bits 47 and below of what it maps.
    output: u64,
    /// Of a table descriptor: bits 47 and below of the next table's address.
    table: u64,
    /// Descriptor bits that are address bits 51:48.
    high: u64,
    /// Bits that no output may have: F_ADDR_SIZE.
    beyond: u64,
    /// Descriptor bits that lead beyond it, or that are address bits 51:48: with none of them an output is a mask away.
    odd: u64,
    /// The bytes that one entry maps.
    pub(crate) unit: u64,
    shift: u8,
    /// Bits 1:0 of a leaf, and of a table.
    leaf_kind: u8,
    table_kind: u8,
    /// Log2 of the bytes that one entry maps.
    pub(crate) entry_bits: u8,
}

impl Level {
    /// The address of the descriptor for `input` in the table at `table`.
    #[inline]
    pub(crate) const fn descriptor_at(&self, table: u64, input: u64) -> u64 {
        table + self.offset(input)
    }

    /// Where in a table the descriptor for `input` lies.
    #[inline]
    pub(crate) const fn offset(&self, input: u64) -> u64 {
        input >> (self.shift & 63) & self.index
    }

    /// What a descriptor is.
    #[inline(always)]
    pub(crate) fn entry(&self, descriptor: Descriptor) -> Entry {
        let bits = descriptor.into_bits();
        if bits & self.odd != 0 {
            return self.odd_entry(bits);
        }
        let kind = bits as u8 & 3;
        // Most descriptors of a whole walk are tables.
        if kind == self.table_kind {
            Entry::Table(bits & self.table)
        } else if kind == self.leaf_kind {
            Entry::Leaf(bits & self.output)
        } else {
            Entry::Invalid
        }
    }

    /// The same of any descriptor.
    #[inline(never)]
    fn odd_entry(&self, bits: u64) -> Entry {
        let high = (bits & self.high) << 36;
        let kind = bits as u8 & 3;
        let entry = if kind == self.leaf_kind {
            Entry::Leaf(bits & self.output | high)
        } else if kind == self.table_kind {
            Entry::Table(bits & self.table | high)
        } else {
            Entry::Invalid
        };
        match entry {
            Entry::Leaf(base) | Entry::Table(base)
                if base & self.beyond != 0 && !on(Mutant::OutputSizeUnchecked) =>
            {
                Entry::Beyond
            }
            entry => entry,
        }
    }
}

/// A descriptor, as a walk sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Maps nothing.
    Invalid,
    /// The next table is here.
    Table(u64),
    /// Maps what begins here.
    Leaf(u64),
    /// A table or a leaf whose address has more bits than it may have.
    Beyond,
}

/// A set of translation tables, as an STE or a CD describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Address of the start-level table, aligned: an IPA for stage 1 when stage 2 translates, else a PA.
    pub root: u64,
    /// Page size, and with it the shape of every table.
    pub granule: Granule,
    /// The level of the start table.
    pub start_level: u8,
    /// Size of input addresses, in bits.
    pub ia_bits: u8,
    /// Bits that no input has.
    above: u64,
    levels: [Level; 4],
}

impl Tables {
    /// Tables whose base address register holds `ttb`. `oa_bits` is the effective output address size: with 52 bits, tables are
    /// aligned to 64 bytes at least (Arm IHI 0070, CD.TTB0).
    pub(crate) fn new(
        ttb: u64,
        granule: Granule,
        start_level: u8,
        ia_bits: u8,
        oa_bits: u8,
        features: &Features,
    ) -> Self {
        let table_bits = 3 + ia_bits - granule.entry_bits(start_level);
        let align = if oa_bits >= 52 && table_bits < 6 {
            6
        } else {
            table_bits
        };
        // Descriptors of the 64 KiB granule hold address bits 51:48.
        let lpa = features.oas >= 52;
        Tables {
            root: match on(Mutant::RootAlignedToPage) {
                true => ttb >> 12 << 12,
                false => ttb >> align << align,
            },
            granule,
            start_level,
            ia_bits,
            above: u64::MAX << ia_bits,
            levels: [0, 1, 2, 3].map(|level| {
                // The start table may be smaller than a page, or several concatenated ones; all others are one page.
                let bits = if level == start_level && !on(Mutant::StartTableIsOnePage) {
                    ia_bits - granule.entry_bits(level)
                } else {
                    granule.stride()
                };
                let entry_bits = granule.entry_bits(level);
                let (leaf_kind, table_kind) = match level {
                    3 => (3, NEVER),
                    _ if on(Mutant::BlockAtLevel2Refused) && granule == Granule::K16 => (NEVER, 3),
                    _ if granule.block_at(level, lpa) => (1, 3),
                    _ => (NEVER, 3),
                };
                let high = match granule {
                    Granule::K64 if lpa && !on(Mutant::HighBitsLost) => 0xf000,
                    _ => 0,
                };
                let beyond = u64::MAX << oa_bits;
                Level {
                    index: ((1 << bits) - 1) << 3,
                    output: below_48(entry_bits),
                    table: below_48(granule.page_bits()),
                    high,
                    beyond,
                    odd: high | beyond & below_48(granule.page_bits()),
                    unit: 1 << entry_bits,
                    shift: entry_bits - 3,
                    leaf_kind,
                    table_kind,
                    entry_bits,
                }
            }),
        }
    }

    /// What is known of a level, 0 to 3.
    #[inline]
    pub(crate) const fn level(&self, level: u8) -> &Level {
        &self.levels[(level & 3) as usize]
    }

    /// A level and those below it; level 3 has no tables, so that no walk gets past the end.
    #[inline]
    pub(crate) fn levels_from(&self, level: u8) -> &[Level] {
        &self.levels[usize::from(level & 3)..]
    }

    /// Whether an input has no more bits than these tables resolve.
    #[inline]
    pub(crate) const fn hold(&self, input: u64) -> bool {
        input & self.above == 0
    }
}

/// Address bits from 47 down to `bits`.
const fn below_48(bits: u8) -> u64 {
    0xffff_ffff_ffff >> bits << bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Kind;

    /// Masks say what the manual's rules say, of any descriptor at any level.
    #[test]
    fn masks_agree_with_the_rules() {
        let mut random = 0x2545_f491_4f6c_dd1du64;
        let mut kinds = [0; 3];
        for oas in [42, 44, 48, 52] {
            let features = Features {
                oas,
                ..Features::all()
            };
            for granule in Granule::ALL {
                let tables = Tables::new(0, granule, 1, 48, oas, &features);
                for step in 0..40_000u32 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    // Of every second one all address bits that may be too many are 0.
                    let plain = if step % 8 < 4 {
                        !0xfc00_0000_f000
                    } else {
                        u64::MAX
                    };
                    let (descriptor, lpa) = (Descriptor::from_bits(random & plain), oas == 52);
                    let level = (step % 4) as u8;
                    let kind = descriptor.kind(granule, level, lpa);
                    let address = descriptor.address(granule, kind, level, lpa);
                    let expected = match kind {
                        Kind::Invalid => Entry::Invalid,
                        _ if address >> oas != 0 => Entry::Beyond,
                        Kind::Table => Entry::Table(address),
                        Kind::Leaf => Entry::Leaf(address),
                    };
                    assert_eq!(tables.level(level).entry(descriptor), expected);
                    kinds[kind as usize] += 1;
                }
            }
        }
        assert!(kinds.iter().all(|&seen| seen > 1000), "{kinds:?}");
    }
}
