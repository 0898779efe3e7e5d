//! States as they are stored: without their zeros.
//!
//! A state is a struct of several hundred bytes, most of which are zero most of the time. Packed, it is
//!
//! ```text
//! one bit for each 8-byte word: whether it has a byte that is not zero (lowest bit first)
//! for each such word: one bit for each of its bytes, then those bytes that are not zero
//! ```
//!
//! A last word that is cut short counts as filled up with zeros. Equal states have equal packed forms and unequal ones
//! unequal forms, so states are compared packed. Nothing here knows what a byte means.

/// The packed form of `bytes`. `room` is room to work in: it grows and is never cleared.
pub fn pack<'a>(bytes: &[u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    let words = bytes.len().div_ceil(8);
    let mut end = words.div_ceil(8);
    if room.len() < end + words * 9 {
        room.resize(end + words * 9, 0);
    }
    let (whole, last) = bytes.as_chunks::<8>();
    for (group, words) in whole.chunks(8).enumerate() {
        // Most of a state is zero, eight words at once.
        let any = words.as_flattened().iter().fold(0, |any, byte| any | byte);
        let present = match any {
            0 => 0,
            _ => words.iter().rev().fold(0, |present, word| {
                present << 1 | u8::from(u64::from_le_bytes(*word) != 0)
            }),
        };
        room[group] = present;
        for place in places(present) {
            end = pack_word(u64::from_le_bytes(words[place]), end, room);
        }
    }
    if !last.is_empty() {
        let (place, last) = (whole.len(), word(last));
        if place.is_multiple_of(8) {
            room[place / 8] = 0;
        }
        if last != 0 {
            room[place / 8] |= 1 << (place % 8);
            end = pack_word(last, end, room);
        }
    }
    &room[..end]
}

/// Packs one word to where the last one ended; returns where it ends. What is behind that is overwritten by the next.
fn pack_word(word: u64, end: usize, room: &mut [u8]) -> usize {
    let mask = not_zero(word);
    let moves = &MOVES[mask as usize];
    let mut packed = word;
    for (by, moving) in moves.down.into_iter().enumerate() {
        let moving = packed & moving;
        packed = (packed ^ moving) | (moving >> (8 << by));
    }
    room[end] = mask;
    room[end + 1..end + 9].copy_from_slice(&packed.to_le_bytes());
    end + 1 + moves.count
}

/// Restores what was packed; `bytes` must be as long as the original and is overwritten.
pub fn unpack(packed: &[u8], bytes: &mut [u8]) {
    bytes.fill(0);
    let words = bytes.len().div_ceil(8);
    let (present, mut rest) = packed.split_at(words.div_ceil(8));
    for (group, &present) in present.iter().enumerate() {
        for place in places(present) {
            let (mask, others) = rest.split_first().expect("a packed state is cut short");
            let moves = &MOVES[*mask as usize];
            let mut word = match others.first_chunk() {
                Some(bytes) => u64::from_le_bytes(*bytes) & moves.kept,
                None => word(&others[..moves.count]),
            };
            for (by, moving) in moves.down.into_iter().enumerate().rev() {
                let moving = word & (moving >> (8 << by));
                word = (word ^ moving) | (moving << (8 << by));
            }
            let at = group * 64 + place * 8;
            let end = bytes.len().min(at + 8);
            bytes[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
            rest = &others[moves.count..];
        }
    }
    assert!(rest.is_empty(), "a packed state has bytes left over");
}

/// Which bytes of a word are not zero, as a bit set.
fn not_zero(word: u64) -> u8 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The highest bit of each byte says whether the byte has any; the product brings all of them together.
    let any = (((word & LOW) + LOW) | word) & !LOW;
    ((any >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The places of a set's bits, lowest first.
fn places(set: u8) -> impl Iterator<Item = usize> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let lowest = rest.trailing_zeros() as usize;
        let is_some = rest != 0;
        rest &= rest.wrapping_sub(1);
        is_some.then_some(lowest)
    })
}

/// How the bytes of a set move together to the front of their word: at once, as far as possible, instead of one by one.
#[derive(Clone, Copy)]
struct Moves {
    /// Which of them, where they are by then, move by 1, then by 2, then by 4 bytes.
    down: [u64; 3],
    /// The bytes that they are in the end.
    kept: u64,
    count: usize,
}

/// For each set of bytes.
static MOVES: [Moves; 256] = {
    let none = Moves {
        down: [0; 3],
        kept: 0,
        count: 0,
    };
    let mut all = [none; 256];
    let mut set = 0;
    while set < 256 {
        let moves = &mut all[set];
        let mut from = 0;
        while from < 8 {
            if set >> from & 1 == 1 {
                let distance = from - moves.count;
                let mut at = from;
                let mut by = 0;
                while by < 3 {
                    if distance >> by & 1 == 1 {
                        moves.down[by] |= 0xff << (8 * at);
                        at -= 1 << by;
                    }
                    by += 1;
                }
                moves.kept |= 0xff << (8 * moves.count);
                moves.count += 1;
            }
            from += 1;
        }
        set += 1;
    }
    all
};

/// Up to eight bytes as a little-endian word.
pub(super) fn word(chunk: &[u8]) -> u64 {
    match chunk.try_into() {
        Ok(whole) => u64::from_le_bytes(whole),
        Err(_) => chunk
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        pack(bytes, &mut Vec::new()).to_vec()
    }

    #[test]
    fn zeros_cost_a_bit_per_word() {
        assert_eq!(packed(&[0; 704]).len(), 11);
    }

    #[test]
    fn the_format_is_the_documented_one() {
        let mut bytes = [0; 20];
        bytes[9] = 7;
        bytes[19] = 1;
        assert_eq!(packed(&bytes), [0b110, 0b10, 7, 0b1000, 1]);
    }

    /// Mostly zeros, as states are.
    fn sparse() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => Just(0u8), 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..150)
    }

    proptest! {
        #[test]
        fn unpacking_restores(bytes in sparse()) {
            let mut restored = vec![0xff; bytes.len()];
            unpack(&packed(&bytes), &mut restored);
            prop_assert_eq!(restored, bytes);
        }

        #[test]
        fn what_was_packed_before_leaves_no_trace(first in sparse(), bytes in sparse()) {
            let mut room = Vec::new();
            pack(&first, &mut room);
            prop_assert_eq!(pack(&bytes, &mut room), packed(&bytes));
        }
    }
}
