//! A set-associative array of 16-byte entries: four ways, one cache line a set.

use crate::access::Rights;
use crate::cache::{Leaf, Table};

/// Bits of an owner number in a tag.
pub(super) const OWNER_BITS: u32 = 20;

/// An entry's content: an address aligned to 4 KiB, and twelve bits below it: the entry's size in 11:6, and rights, or what tables
/// took away, in 5:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way(u64);

impl Way {
    const EMPTY: Way = Way(0);

    pub(super) fn leaf(leaf: &Leaf) -> Self {
        Way(leaf.base | u64::from(leaf.rights.0))
    }

    pub(super) fn table(table: &Table) -> Self {
        Way(table.base | u64::from(table.inherited.0))
    }

    #[inline]
    pub(super) const fn base(self) -> u64 {
        self.0 & !0xfff
    }

    #[inline]
    pub(super) const fn rights(self) -> Rights {
        Rights(self.low())
    }

    #[inline]
    pub(super) const fn low(self) -> u8 {
        (self.0 & 0x3f) as u8
    }

    #[inline]
    const fn bits(self) -> u8 {
        (self.0 >> 6 & 0x3f) as u8
    }

    const fn with_bits(self, bits: u8) -> Self {
        Way(self.0 | (bits as u64) << 6)
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Set {
    /// Page number (44 bits) and owner; an owner is never 0, so neither is the tag of an entry.
    tags: [u64; 4],
    ways: [Way; 4],
}

/// Entries by page number, page size and owner.
#[derive(Debug)]
pub(super) struct Store {
    sets: Box<[Set]>,
    shift: u32,
    victim: usize,
}

#[inline]
const fn tag(page: u64, owner: u32) -> u64 {
    page << OWNER_BITS | owner as u64
}

impl Store {
    /// 2^entries entries, at least 4.
    pub(super) fn new(entries: u8) -> Self {
        let sets_log2 = u32::from(entries.clamp(2, 30)) - 2;
        let empty = Set {
            tags: [0; 4],
            ways: [Way::EMPTY; 4],
        };
        Store {
            sets: vec![empty; 1 << sets_log2].into_boxed_slice(),
            shift: 64 - sets_log2,
            victim: 0,
        }
    }

    /// Which set: a multiplicative hash, of which the upper bits are used (Knuth, The Art of Computer Programming 3, 6.4).
    #[inline]
    fn set(&self, tag: u64, bits: u8) -> usize {
        let hash = (tag ^ u64::from(bits) << 58).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // A shift by 64 (one set) is taken as 0.
        hash.checked_shr(self.shift).unwrap_or(0) as usize
    }

    #[inline]
    pub(super) fn get(&self, page: u64, bits: u8, owner: u32) -> Option<Way> {
        let tag = tag(page, owner);
        let set = &self.sets[self.set(tag, bits)];
        (0..4)
            .find(|&way| set.tags[way] == tag && set.ways[way].bits() == bits)
            .map(|way| set.ways[way])
    }

    pub(super) fn put(&mut self, page: u64, bits: u8, owner: u32, way: Way) {
        let tag = tag(page, owner);
        let index = self.set(tag, bits);
        let set = &mut self.sets[index];
        let same = (0..4).find(|&way| set.tags[way] == tag && set.ways[way].bits() == bits);
        let at = same
            .or_else(|| (0..4).find(|&way| set.tags[way] == 0))
            .unwrap_or_else(|| {
                self.victim = (self.victim + 1) & 3;
                self.victim
            });
        set.tags[at] = tag;
        set.ways[at] = way.with_bits(bits);
    }

    pub(super) fn kill(&mut self, page: u64, bits: u8, owner: u32) {
        let tag = tag(page, owner);
        let index = self.set(tag, bits);
        let set = &mut self.sets[index];
        for way in 0..4 {
            if set.tags[way] == tag && set.ways[way].bits() == bits {
                set.tags[way] = 0;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for set in &mut self.sets {
            set.tags = [0; 4];
        }
    }
}
