//! A set-associative array of 16-byte entries: four ways, one cache line a set.

use crate::access::Rights;
use crate::cache::{Leaf, Table};

/// Bits of an owner number in a tag.
pub(super) const OWNER_BITS: u32 = 19;

/// An entry's content: an address aligned to 4 KiB, and below it in bits 5:0 rights, or what tables took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way(u64);

impl Way {
    /// Nothing, with no rights.
    pub(super) const EMPTY: Way = Way(0);

    pub(super) fn leaf(leaf: &Leaf) -> Self {
        Way(leaf.base | u64::from(leaf.rights.0))
    }

    pub(super) fn table(table: &Table) -> Self {
        Way(table.base | u64::from(table.inherited.0))
    }

    #[inline(always)]
    pub(super) const fn base(self) -> u64 {
        self.0 & !0xfff
    }

    #[inline(always)]
    pub(super) const fn rights(self) -> Rights {
        Rights(self.low())
    }

    /// Bits 5:0.
    #[inline(always)]
    pub(super) const fn low(self) -> u8 {
        (self.0 & 0x3f) as u8
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Set {
    /// See [`tag`]; an owner is never 0, so neither is the tag of an entry.
    tags: [u64; 4],
    ways: [Way; 4],
}

/// Entries by page number, page size and owner.
#[derive(Debug)]
pub(super) struct Store {
    sets: Box<[Set]>,
    shift: u64,
}

/// A page size, as what it leaves of an address that has been moved up to make room for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(u64);

/// From an address to a tag: bits 55:11 come to lie above the owner.
const UP: u32 = OWNER_BITS - 11;

impl Size {
    const NONE: Size = Size(0);

    /// Where in its page an address lies.
    #[inline(always)]
    pub(super) const fn offset(self, input: u64) -> u64 {
        input & (!self.0 >> UP)
    }

    /// Log2 of a page's bytes.
    #[inline(always)]
    pub(super) const fn page_bits(self) -> u8 {
        (self.0.trailing_zeros() - UP) as u8
    }
}

/// What the tags of one owner's pages of one size have in common.
///
/// A tag is a page's address in units of 2 KiB (45 bits: the top byte is left out), of which the bit below the page number is set, so
/// that pages of two sizes never look alike; then the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) size: Size,
    mark: u64,
}

impl Pattern {
    /// That of no entry: every entry's tag has a bit above the owner.
    pub(super) const NONE: Pattern = Pattern {
        size: Size::NONE,
        mark: 1,
    };

    /// Of pages of `unit` bytes, a power of two from 4 KiB on.
    #[inline(always)]
    pub(super) const fn new(unit: u64, owner: u32) -> Self {
        let below = unit << (UP - 1);
        Pattern {
            size: Size((below << 1).wrapping_neg()),
            mark: below | owner as u64,
        }
    }

    #[inline(always)]
    pub(super) const fn tag(self, input: u64) -> u64 {
        input << UP & self.size.0 | self.mark
    }
}

/// The smallest of a set of page sizes, and the rest.
#[inline]
pub(super) const fn smallest(sizes: u64) -> (u64, u64) {
    (sizes & sizes.wrapping_neg(), sizes & sizes.wrapping_sub(1))
}

impl Store {
    /// 2^entries entries, at least 8.
    pub(super) fn new(entries: u8) -> Self {
        let sets_log2 = u32::from(entries.clamp(3, 30)) - 2;
        let empty = Set {
            tags: [0; 4],
            ways: [Way::EMPTY; 4],
        };
        Store {
            sets: vec![empty; 1 << sets_log2].into_boxed_slice(),
            shift: 64 - u64::from(sets_log2),
        }
    }

    /// Which set: a multiplicative hash, of which the upper bits are used (Knuth, The Art of Computer Programming 3, 6.4). Pages in a row
    /// spread evenly over the sets.
    #[inline(always)]
    const fn set(&self, tag: u64) -> usize {
        (tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (self.shift & 63)) as usize
    }

    #[inline(always)]
    pub(super) fn get(&self, tag: u64) -> Option<Way> {
        let set = &self.sets[self.set(tag)];
        for (kept, way) in set.tags.iter().zip(&set.ways) {
            if *kept == tag {
                return Some(*way);
            }
        }
        None
    }

    /// An owner's entry of one of some sizes; the smallest is tried first.
    #[inline(always)]
    pub(super) fn find(&self, owner: u32, mut sizes: u64, input: u64) -> Option<(Way, Size)> {
        while sizes != 0 {
            let (unit, rest) = smallest(sizes);
            let pattern = Pattern::new(unit, owner);
            if let Some(way) = self.get(pattern.tag(input)) {
                return Some((way, pattern.size));
            }
            sizes = rest;
        }
        None
    }

    /// The newest entry of a set comes first, and pushes the oldest out. If there was one with this tag, the new one is found before it.
    #[inline(always)]
    pub(super) fn put(&mut self, tag: u64, way: Way) {
        let index = self.set(tag);
        let Set { tags, ways } = &mut self.sets[index];
        *tags = [tag, tags[0], tags[1], tags[2]];
        *ways = [way, ways[0], ways[1], ways[2]];
    }

    pub(super) fn kill(&mut self, tag: u64) {
        let index = self.set(tag);
        for kept in &mut self.sets[index].tags {
            if *kept == tag {
                *kept = 0;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for set in &mut self.sets {
            set.tags = [0; 4];
        }
    }
}
