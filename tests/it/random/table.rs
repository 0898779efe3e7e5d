//! Translation tables as their owner thinks of them: entries that map, lead on, or do neither; and the words that say so.

use std::collections::BTreeMap;

use super::geometry::Layout;
use super::past::Past;

/// Descriptor bits that this file does not set by itself: Arm DDI 0487, D8.3.
pub mod bits {
    /// Access flag.
    pub const AF: u64 = 1 << 10;
    /// Stage 1: not global.
    pub const NG: u64 = 1 << 11;
    /// Stage 1: AP\[1\], unprivileged access.
    pub const AP1: u64 = 1 << 6;
    /// Stage 1: AP\[2\], read-only.
    pub const AP2: u64 = 1 << 7;
    /// Stage 2: readable, writable.
    pub const S2_READ: u64 = 1 << 6;
    pub const S2_WRITE: u64 = 1 << 7;
    /// Stage 1: no privileged execution.
    pub const PXN: u64 = 1 << 53;
    /// Stage 1: no unprivileged execution. Stage 2: no execution.
    pub const XN: u64 = 1 << 54;
    /// The same for all that a table leads to.
    pub const PXN_TABLE: u64 = 1 << 59;
    pub const XN_TABLE: u64 = 1 << 60;
    /// APTable\[0\]: no unprivileged access.
    pub const NO_USER_TABLE: u64 = 1 << 61;
    /// APTable\[1\]: no writes.
    pub const READ_ONLY_TABLE: u64 = 1 << 62;
}

/// A table of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing. Bits 63:1 are software's, if bit 0 is clear.
    Invalid(u64),
    /// A block or page.
    Leaf { output: u64, attributes: u64 },
    /// A table, with the bits that limit what it leads to.
    Table { node: NodeId, limits: u64 },
    /// A table where no memory is.
    Nowhere(u64),
}

impl Entry {
    /// Whether a TLB may keep it: Arm DDI 0487, D8.16 "TLB maintenance": what causes a translation or access flag fault is not kept.
    pub fn cacheable(&self) -> bool {
        match self {
            Entry::Invalid(_) => false,
            Entry::Leaf { attributes, .. } => attributes & bits::AF != 0,
            Entry::Table { .. } | Entry::Nowhere(_) => true,
        }
    }

    /// Whether it leads to what may be kept.
    pub fn valid(&self) -> bool {
        !matches!(self, Entry::Invalid(_))
    }
}

/// Whose a table is, and which half of the input it translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// TTB0 of a space.
    Space(usize),
    /// TTB1 of all spaces of a VM.
    Kernel(usize),
    /// Stage 2 of a VM.
    Stage2(usize),
}

/// A table.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where hardware is told that it lies: an IPA under stage 2.
    pub at: u64,
    pub layout: Layout,
    pub level: u8,
    pub owner: Owner,
    /// The first input that it translates.
    pub base: u64,
    /// Entries that were ever written; others are invalid.
    pub entries: BTreeMap<u64, Past<Entry>>,
}

impl Node {
    /// The word of an entry, given where tables lie.
    pub fn encode(&self, entry: Entry, at: impl Fn(NodeId) -> u64) -> u64 {
        const VALID: u64 = 1;
        const TABLE_OR_PAGE: u64 = 2;
        match entry {
            Entry::Invalid(junk) => junk & !VALID,
            Entry::Leaf { output, attributes } => {
                let page = if self.level == 3 { TABLE_OR_PAGE } else { 0 };
                self.address(output) | attributes | page | VALID
            }
            Entry::Table { node, limits } => {
                self.address(at(node)) | limits | TABLE_OR_PAGE | VALID
            }
            Entry::Nowhere(to) => self.address(to) | TABLE_OR_PAGE | VALID,
        }
    }

    /// With the 64 KiB granule, bits 51:48 of an address lie in bits 15:12 of the descriptor.
    fn address(&self, address: u64) -> u64 {
        match self.layout.granule {
            16 => (address & 0xffff_ffff_0000) | (address >> 48 & 0xf) << 12,
            _ => address,
        }
    }

    /// The first input of an entry, as devices say it.
    pub fn input(&self, index: u64) -> u64 {
        let input = self.base | index << self.layout.entry_bits(self.level);
        match self.owner {
            Owner::Kernel(_) => input | u64::MAX << self.layout.input_bits,
            _ => input,
        }
    }
}
