//! A 64-bit hash of byte strings, our own so that it never changes under us.
//!
//! It finds the bucket of a state and, later, the worker that owns it; two runs, machines or versions must not differ. It is
//! not a proof of identity: states are always compared byte for byte.
//!
//! ```text
//! lanes := SEED, 2 SEED, 3 SEED, 4 SEED
//! for each 32 bytes, as four little-endian words: lane i := fold(lane i xor word i)
//! hash := fold(length xor SEED)
//! for each lane: hash := fold(hash xor lane)
//! for each little-endian 64-bit word that is left, the last one filled up with zeros: hash := fold(hash xor word)
//! result fold(hash xor SEED), where fold(x) = high half xor low half of the 128-bit product x * MULTIPLIER
//! ```
//!
//! Four lanes, because a product takes longer than it takes to begin the next one.

use super::packed::word;

/// The fraction of the golden ratio.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// An odd number without structure: the fraction of the square root of three.
const MULTIPLIER: u64 = 0xbb67_ae85_84ca_a73b;
const LANES: [u64; 4] = [
    SEED,
    SEED.wrapping_mul(2),
    SEED.wrapping_mul(3),
    SEED.wrapping_mul(4),
];

/// The hash of a byte string.
pub fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let (blocks, words) = words.as_chunks::<4>();
    let mut lanes = LANES;
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block) {
            *lane = fold(*lane ^ u64::from_le_bytes(*word));
        }
    }
    let mut hash = fold(bytes.len() as u64 ^ SEED);
    for lane in lanes {
        hash = fold(hash ^ lane);
    }
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        hash = fold(hash ^ word(rest));
    }
    fold(hash ^ SEED)
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
            "[3d07da0c0f80893a, e420b5704d5597c5, b7076ea9b8808fed, 100e68ab8d1c93a6]"
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
