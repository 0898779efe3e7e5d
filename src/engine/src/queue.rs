//! Circular queues in guest memory: Arm IHI 0070, 3.5.1 "SMMU circular queues". An index has one bit more than it needs, the wrap bit.

/// Base, size and indices of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ring {
    base: u64,
    log2size: u8,
    entry: u64,
    /// Index and wrap bit of the next entry to be written.
    pub(crate) prod: u32,
    /// Index and wrap bit of the next entry to be read.
    pub(crate) cons: u32,
}

impl Ring {
    /// An empty queue. Sizes above 2^19 entries, which SMMU_IDR1 cannot express, count as 2^19; the base is aligned to the size of
    /// the queue, as *_BASE.ADDR says.
    pub(crate) fn new(base: u64, log2size: u8, entry: u64) -> Self {
        let log2size = log2size.min(19);
        let bytes = (entry << log2size).max(32);
        Ring {
            base: base & !(bytes - 1),
            log2size,
            entry,
            prod: 0,
            cons: 0,
        }
    }

    const fn mask(&self) -> u32 {
        (2 << self.log2size) - 1
    }

    /// Software's new PROD; bits above the wrap bit do not exist.
    pub(crate) fn set_prod(&mut self, prod: u32) {
        self.prod = prod & self.mask();
    }

    /// Software's new CONS.
    pub(crate) fn set_cons(&mut self, cons: u32) {
        self.cons = cons & self.mask();
    }

    /// The index after this one.
    pub(crate) const fn next(&self, index: u32) -> u32 {
        (index + 1) & self.mask()
    }

    /// How many entries `to` lies behind `from`.
    pub(crate) const fn distance(&self, from: u32, to: u32) -> u32 {
        to.wrapping_sub(from) & self.mask()
    }

    /// Nothing to read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.prod == self.cons
    }

    /// No space to write: same index, other wrap bit.
    pub(crate) const fn is_full(&self) -> bool {
        self.prod ^ self.cons == 1 << self.log2size
    }

    const fn address(&self, index: u32) -> u64 {
        let index = index & ((1 << self.log2size) - 1);
        self.base.wrapping_add(index as u64 * self.entry)
    }

    pub(crate) const fn prod_address(&self) -> u64 {
        self.address(self.prod)
    }

    pub(crate) const fn cons_address(&self) -> u64 {
        self.address(self.cons)
    }
}
