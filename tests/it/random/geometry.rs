//! Arithmetic of translation tables: Arm DDI 0487, D8.2 "Translation process". Nothing here knows what a table holds.

/// The granules, by log2 of a page's bytes.
pub const GRANULES: [u8; 3] = [12, 14, 16];

/// Granule, size of input addresses, and the level at which a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Log2 of a page's bytes: 12, 14 or 16.
    pub granule: u8,
    pub input_bits: u8,
    pub start: u8,
}

impl Layout {
    /// Stage 1: as few levels as resolve the input.
    pub fn stage1(granule: u8, input_bits: u8) -> Self {
        let levels = (input_bits - granule).div_ceil(granule - 3);
        Layout {
            granule,
            input_bits,
            start: 4 - levels,
        }
    }

    /// Log2 of the bytes that an entry at `level` maps.
    pub fn entry_bits(&self, level: u8) -> u8 {
        self.granule + (3 - level) * (self.granule - 3)
    }

    /// Entries of the start table, or of all concatenated ones.
    pub fn root_entries(&self) -> u64 {
        1 << (self.input_bits - self.entry_bits(self.start))
    }

    /// Bytes of a table at `level`.
    pub fn table_bytes(&self, level: u8) -> u64 {
        match level == self.start {
            true => (self.root_entries() * 8).max(64),
            false => 1 << self.granule,
        }
    }

    /// Which entry of a table at `level` an input selects.
    pub fn index(&self, level: u8, input: u64) -> u64 {
        let entry = input >> self.entry_bits(level);
        match level == self.start {
            true => entry,
            false => entry & ((1 << (self.granule - 3)) - 1),
        }
    }

    /// Whether a valid descriptor with bit 1 clear is a block at `level`, given 52-bit addresses with the 64 KiB granule.
    pub fn block_at(&self, level: u8) -> bool {
        level == 2 || level == 1 && self.granule != 14
    }

    /// The levels at which something can be mapped.
    pub fn leaf_levels(&self) -> Vec<u8> {
        (self.start..=3)
            .filter(|&level| level == 3 || self.block_at(level))
            .collect()
    }

    /// One of 24 pages, so spread that entries of every level are neighbours, first and last.
    pub fn page(&self, pick: u8) -> u64 {
        let pick = u64::from(pick) % PAGES;
        let last = (1 << (self.granule - 3)) - 1;
        let level1 = pick % 2;
        let level2 = [0, 1, last][(pick / 2 % 3) as usize];
        let level3 = [0, 1, 7, last][(pick / 6) as usize];
        let input = level1 << self.entry_bits(1)
            | level2 << self.entry_bits(2)
            | level3 << self.entry_bits(3);
        input & ((1 << self.input_bits) - 1)
    }
}

/// How many pages [`Layout::page`] knows.
pub const PAGES: u64 = 24;
