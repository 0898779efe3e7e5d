//! A 64-bit hash of byte strings, our own so that it never changes under us.
//!
//! It finds the bucket of a state and, later, the worker that owns it; two runs, machines or versions must not differ. It is
//! not a proof of identity: states are always compared byte for byte.
//!
//! ```text
//! hash := fold(length xor SEED)
//! for each little-endian 64-bit word, the last one filled up with zeros: hash := fold(hash xor word)
//! result fold(hash xor SEED), where fold(x) = high half xor low half of the 128-bit product x * MULTIPLIER
//! ```

use super::packed::word;

/// The fraction of the golden ratio.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// An odd number without structure: the fraction of the square root of three.
const MULTIPLIER: u64 = 0xbb67_ae85_84ca_a73b;

/// The hash of a byte string.
pub fn hash(bytes: &[u8]) -> u64 {
    let start = fold(bytes.len() as u64 ^ SEED);
    let end = bytes
        .chunks(8)
        .fold(start, |hash, chunk| fold(hash ^ word(chunk)));
    fold(end ^ SEED)
}

/// Both halves of the product, so that every bit of the input moves every bit of the output.
fn fold(value: u64) -> u64 {
    let product = u128::from(value) * u128::from(MULTIPLIER);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// These values are part of the format: a change makes runs of different versions disagree about who owns a state.
    #[test]
    fn stored_values() {
        let values = [
            hash(b""),
            hash(b"\0"),
            hash(b"nestcheck"),
            hash(&[0xff; 64]),
        ];
        assert_eq!(
            format!("{values:016x?}"),
            "[a91f6cd0d8a8736a, 0b7abf1334e852a5, 97d5aae06c498009, 96a157622705c8f0]"
        );
    }

    #[test]
    fn single_bits_and_lengths_differ() {
        let mut seen = HashSet::new();
        for length in 0..100 {
            assert!(seen.insert(hash(&vec![0; length])));
            for bit in 0..length * 8 {
                let mut bytes = vec![0; length];
                bytes[bit / 8] |= 1 << (bit % 8);
                assert!(seen.insert(hash(&bytes)));
            }
        }
    }
}
