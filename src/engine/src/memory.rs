//! Reading guest memory: every access is bounds-checked, and 64-bit words are read whole.

use std::sync::atomic::Ordering;

use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

/// Nothing answers at an address: what the bus would report as an external abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalAbort;

/// Reads the 64-bit word at `address`, with single-copy atomicity: Arm IHI 0070, 3.21.1 "Translation tables and TLB invalidation
/// completion behavior" and 3.21.3 ask for no less.
///
/// Acquire: what was written before the word is seen by whoever follows it.
pub(crate) fn read_word<M: GuestMemoryBackend>(
    memory: &M,
    address: u64,
) -> Result<u64, ExternalAbort> {
    let (region, offset) = memory
        .to_region_addr(GuestAddress(address))
        .ok_or(ExternalAbort)?;
    region
        .load::<u64>(offset, Ordering::Acquire)
        .map(u64::from_le)
        .map_err(|_| ExternalAbort)
}

/// Writes the 64-bit word at `address`, whole.
pub(crate) fn write_word<M: GuestMemoryBackend>(
    memory: &M,
    address: u64,
    word: u64,
) -> Result<(), ExternalAbort> {
    let (region, offset) = memory
        .to_region_addr(GuestAddress(address))
        .ok_or(ExternalAbort)?;
    region
        .store::<u64>(word.to_le(), offset, Ordering::Release)
        .map_err(|_| ExternalAbort)
}

/// Reads a structure of `N` words. Each word is atomic; the whole is not, as in hardware.
pub(crate) fn read_words<M: GuestMemoryBackend, const N: usize>(
    memory: &M,
    address: u64,
) -> Result<[u64; N], ExternalAbort> {
    let mut words = [0; N];
    for (word, offset) in words.iter_mut().zip((0..).step_by(8)) {
        *word = read_word(memory, address.checked_add(offset).ok_or(ExternalAbort)?)?;
    }
    Ok(words)
}
