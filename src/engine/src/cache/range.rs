//! The addresses that an invalidation by address names.

use super::untagged;
use crate::layout::RangeHint;
use crate::mutant::{Mutant, on};

/// From the first to the last byte, both included; without the top byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    /// What `address` and its hints name. A range that runs beyond its half of the address space ends there: it does not wrap
    /// (Arm IHI 0070, 4.4.1.1). A single address is a span of one page of 4 KiB, which lies in any entry that covers it.
    pub(super) fn new(address: u64, hint: RangeHint) -> Self {
        let mut first = untagged(address);
        let half_end = first | ((1 << 55) - 1);
        let mut bytes = hint.bytes().unwrap_or(0x1000);
        if on(Mutant::B58RangeAsBlock) {
            bytes = 1 << bytes.ilog2();
            first &= !(bytes - 1);
        }
        Span {
            first,
            last: first.saturating_add(bytes - 1).min(half_end),
        }
    }

    /// How many entries of 2^bits bytes it takes to cover this.
    pub(super) const fn entries(&self, bits: u8) -> u64 {
        (self.last >> bits) - (self.first >> bits) + 1
    }

    /// Whether an entry of 2^bits bytes at `page << bits` has a byte in common.
    pub(super) const fn meets(&self, page: u64, bits: u8) -> bool {
        self.first >> bits <= page && page <= self.last >> bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_with_its_half_of_the_address_space() {
        let hint = RangeHint {
            tg: 1,
            ttl: 0,
            num: 31,
            scale: 31,
        };
        assert_eq!(Span::new(0x1000, hint).last, 0x1000 + (32 << 43) - 1);
        assert_eq!(Span::new(0x007f_ffff_ffff_f000, hint).last, (1 << 55) - 1);
        let huge = RangeHint { scale: 38, ..hint };
        assert_eq!(Span::new(0xffff_ffff_0000_0000, huge).last, u64::MAX >> 8);
    }

    #[test]
    fn thirty_two_pages_from_an_odd_address() {
        // The range of QEMU commit 6d9cd115b9: 32 pages that start at no multiple of 32.
        let span = Span::new(
            0x39_5000,
            RangeHint {
                tg: 1,
                ttl: 3,
                num: 31,
                scale: 0,
            },
        );
        assert_eq!((span.first, span.last), (0x39_5000, 0x3b_4fff));
        assert_eq!(span.entries(12), 32);
        assert!(span.meets(0x3b4, 12) && !span.meets(0x3b5, 12) && span.meets(1, 21));
    }
}
