//! Reading guest memory: every access is bounds-checked, and 64-bit words are read whole.

use std::sync::atomic::Ordering;

use vm_memory::bitmap::BS;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion, VolatileSlice};

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

type Slice<'m, M> =
    VolatileSlice<'m, BS<'m, <<M as GuestMemoryBackend>::R as GuestMemoryRegion>::B>>;

/// Reads words, and remembers the region that the last one lay in: tables lie close together.
pub(crate) struct Words<'m, M: GuestMemoryBackend> {
    memory: &'m M,
    /// The address of a region's first byte, and its bytes.
    region: Option<(u64, Slice<'m, M>)>,
}

impl<'m, M: GuestMemoryBackend> Words<'m, M> {
    pub(crate) const fn new(memory: &'m M) -> Self {
        Words {
            memory,
            region: None,
        }
    }

    /// As [`read_word`].
    #[inline]
    pub(crate) fn word(&mut self, address: u64) -> Result<u64, ExternalAbort> {
        match self.near(address) {
            Some(word) => Ok(word),
            None => self.far(address),
        }
    }

    /// A word of the region that was last read from.
    #[inline(always)]
    pub(crate) fn near(&self, address: u64) -> Option<u64> {
        self.near_in(address, 0)
    }

    /// The word at an offset from a table's beginning, in the region that was last read from.
    #[inline(always)]
    pub(crate) fn near_in(&self, table: u64, offset: u64) -> Option<u64> {
        let (start, bytes) = self.region.as_ref()?;
        // An address below the start becomes one far beyond the end, and is refused as such. The table's address is what a walk waits
        // for: it is added last.
        let offset = offset.wrapping_sub(*start).wrapping_add(table) as usize;
        let word = bytes.load::<u64>(offset, Ordering::Acquire).ok()?;
        Some(u64::from_le(word))
    }

    /// Reads from another region than the last, and remembers it if it is plain memory.
    #[inline(never)]
    pub(crate) fn far(&mut self, address: u64) -> Result<u64, ExternalAbort> {
        if let Some(region) = self.memory.find_region(GuestAddress(address))
            && let Ok(bytes) = region.as_volatile_slice()
        {
            self.region = Some((region.start_addr().0, bytes));
        }
        read_word(self.memory, address)
    }

    /// As [`read_words`].
    pub(crate) fn words<const N: usize>(
        &mut self,
        address: u64,
    ) -> Result<[u64; N], ExternalAbort> {
        words(address, |address| self.word(address))
    }
}

impl<M: GuestMemoryBackend> std::fmt::Debug for Words<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = self.region.as_ref().map(|(start, _)| start);
        f.debug_struct("Words").field("start", &start).finish()
    }
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
    words(address, |address| read_word(memory, address))
}

fn words<const N: usize>(
    address: u64,
    mut read: impl FnMut(u64) -> Result<u64, ExternalAbort>,
) -> Result<[u64; N], ExternalAbort> {
    let mut words = [0; N];
    for (word, offset) in words.iter_mut().zip((0..).step_by(8)) {
        *word = read(address.checked_add(offset).ok_or(ExternalAbort)?)?;
    }
    Ok(words)
}
