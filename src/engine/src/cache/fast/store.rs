//! A set-associative array of 16-byte entries: four ways, one cache line a set.

use crate::access::Rights;
use crate::cache::{Leaf, Table};

/// Bits of an owner number in a tag.
pub(super) const OWNER_BITS: u32 = 19;

/// An entry's content: an address aligned to 4 KiB, and below it in bits 5:0 rights, or what tables took away.
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
    shift: u32,
    victim: usize,
}

/// Page number, size and owner in one word: the page's address in units of 2 KiB (45 bits), of which the bit below the page number is
/// set, so that pages of two sizes never look alike; then the owner.
#[inline]
const fn tag(page: u64, bits: u8, owner: u32) -> u64 {
    (page << 1 | 1) << (bits - 12) << OWNER_BITS | owner as u64
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
            shift: 64 - sets_log2,
            victim: 0,
        }
    }

    /// Which set: a multiplicative hash, of which the upper bits are used (Knuth, The Art of Computer Programming 3, 6.4). Pages in a row
    /// spread evenly over the sets.
    #[inline]
    fn set(&self, tag: u64) -> usize {
        (tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    #[inline]
    pub(super) fn get(&self, page: u64, bits: u8, owner: u32) -> Option<Way> {
        let tag = tag(page, bits, owner);
        let set = &self.sets[self.set(tag)];
        set.tags
            .iter()
            .position(|&kept| kept == tag)
            .map(|way| set.ways[way])
    }

    pub(super) fn put(&mut self, page: u64, bits: u8, owner: u32, way: Way) {
        let tag = tag(page, bits, owner);
        let index = self.set(tag);
        let set = &mut self.sets[index];
        // The same entry's place, else a free one, else the next in turn.
        let mut at = None;
        for (place, &kept) in set.tags.iter().enumerate() {
            if kept == tag {
                at = Some(place);
                break;
            }
            if kept == 0 {
                at = at.or(Some(place));
            }
        }
        let at = at.unwrap_or_else(|| {
            self.victim = (self.victim + 1) & 3;
            self.victim
        });
        set.tags[at] = tag;
        set.ways[at] = way;
    }

    pub(super) fn kill(&mut self, page: u64, bits: u8, owner: u32) {
        let tag = tag(page, bits, owner);
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
