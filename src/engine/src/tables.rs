//! Where a translation table lies and what it covers: the parameters of a walk, for either stage.

use crate::layout::Granule;

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
}

impl Tables {
    /// Tables whose base address register holds `ttb`. `oa_bits` is the effective output address size: with 52 bits, tables are
    /// aligned to 64 bytes at least (Arm IHI 0070, CD.TTB0).
    pub(crate) const fn new(
        ttb: u64,
        granule: Granule,
        start_level: u8,
        ia_bits: u8,
        oa_bits: u8,
    ) -> Self {
        let table_bits = 3 + ia_bits - granule.entry_bits(start_level);
        let align = if oa_bits >= 52 && table_bits < 6 {
            6
        } else {
            table_bits
        };
        Tables {
            root: ttb >> align << align,
            granule,
            start_level,
            ia_bits,
        }
    }

    /// The address of the descriptor for `input` in `table` at `level`. The start table may be smaller than a page, or several
    /// concatenated ones; all others are one page.
    pub(crate) const fn descriptor_at(&self, table: u64, level: u8, input: u64) -> u64 {
        let bits = if level == self.start_level {
            self.ia_bits - self.granule.entry_bits(level)
        } else {
            self.granule.stride()
        };
        let index = input >> self.granule.entry_bits(level) & ((1 << bits) - 1);
        table + index * 8
    }
}
