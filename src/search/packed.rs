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

/// Appends the packed form of `bytes`.
pub fn pack(bytes: &[u8], out: &mut Vec<u8>) {
    let words = bytes.len().div_ceil(8);
    let present = out.len();
    out.resize(present + words.div_ceil(8), 0);
    let (whole, last) = bytes.as_chunks::<8>();
    for (number, chunk) in whole.iter().enumerate() {
        pack_word(number, u64::from_le_bytes(*chunk), present, out);
    }
    pack_word(whole.len(), word(last), present, out);
}

/// Packs one word; `present` is where the bits for the words are.
fn pack_word(number: usize, word: u64, present: usize, out: &mut Vec<u8>) {
    if word == 0 {
        return;
    }
    out[present + number / 8] |= 1 << (number % 8);
    // Written as if no byte were zero, then cut: faster than to ask byte by byte whether there is room.
    let mut packed = [0; 9];
    let mut length = 1;
    for (place, byte) in word.to_le_bytes().into_iter().enumerate() {
        packed[length] = byte;
        packed[0] |= u8::from(byte != 0) << place;
        length += usize::from(byte != 0);
    }
    out.extend_from_slice(&packed[..length]);
}

/// Restores what was packed; `bytes` must be as long as the original and is overwritten.
pub fn unpack(packed: &[u8], bytes: &mut [u8]) {
    bytes.fill(0);
    let words = bytes.len().div_ceil(8);
    let (present, mut rest) = packed.split_at(words.div_ceil(8));
    let mut next = || {
        let (first, others) = rest.split_first().expect("a packed state is cut short");
        rest = others;
        *first
    };
    for (number, chunk) in bytes.chunks_mut(8).enumerate() {
        if present[number / 8] >> (number % 8) & 1 == 0 {
            continue;
        }
        let mut mask = next();
        while mask != 0 {
            chunk[mask.trailing_zeros() as usize] = next();
            mask &= mask - 1;
        }
    }
    assert!(rest.is_empty(), "a packed state has bytes left over");
}

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
        let mut out = Vec::new();
        pack(bytes, &mut out);
        out
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
        fn appends_and_leaves_what_was_there(bytes in sparse()) {
            let mut out = vec![1, 2, 3];
            pack(&bytes, &mut out);
            prop_assert_eq!(&out[..3], &[1, 2, 3]);
            prop_assert_eq!(&out[3..], packed(&bytes));
        }
    }
}
