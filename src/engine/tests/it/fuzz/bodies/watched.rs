//! Guest memory that knows which of its pages were looked at.

use std::sync::atomic::{AtomicBool, Ordering};

use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, GuestRegionMmap,
};

const PAGE: u64 = 0x1000;

/// One region of memory. Nothing answers outside it; inside it, every page that was touched is remembered.
pub struct Watched {
    memory: GuestMemoryMmap<()>,
    base: u64,
    touched: Vec<AtomicBool>,
}

impl Watched {
    pub fn new(base: u64, bytes: u64) -> Self {
        let range = (GuestAddress(base), bytes as usize);
        Watched {
            memory: GuestMemoryMmap::from_ranges(&[range]).expect("a little memory"),
            base,
            touched: (0..bytes / PAGE).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Writes as the test, unseen.
    pub fn put(&self, address: u64, words: &[u64]) {
        for (word, at) in words.iter().zip((address..).step_by(8)) {
            self.memory
                .write_obj(word.to_le(), GuestAddress(at))
                .expect("the test writes into its memory");
        }
    }

    /// Writes from the beginning on, unseen.
    pub fn put_bytes(&self, bytes: &[u8]) {
        self.memory
            .write_slice(bytes, GuestAddress(self.base))
            .expect("the test writes into its memory");
    }

    /// All bytes below an address, unseen.
    pub fn copy(&self, end: u64) -> Vec<u8> {
        let mut bytes = vec![0; (end - self.base) as usize];
        self.memory
            .read_slice(&mut bytes, GuestAddress(self.base))
            .expect("the test reads its memory");
        bytes
    }

    /// Begins to remember anew.
    pub fn forget(&self) {
        let pages = self.touched.iter();
        pages.for_each(|touched| touched.store(false, Ordering::Relaxed));
    }

    /// The pages that were touched.
    pub fn touched(&self) -> impl Iterator<Item = u64> {
        (self.base..)
            .step_by(PAGE as usize)
            .zip(&self.touched)
            .filter(|(_, touched)| touched.load(Ordering::Relaxed))
            .map(|(page, _)| page)
    }
}

impl GuestMemoryBackend for Watched {
    type R = GuestRegionMmap<()>;

    fn find_region(&self, address: GuestAddress) -> Option<&Self::R> {
        let region = self.memory.find_region(address)?;
        let offset = address.0 - region.start_addr().0;
        self.touched[(offset / PAGE) as usize].store(true, Ordering::Relaxed);
        Some(region)
    }

    fn iter(&self) -> impl Iterator<Item = &Self::R> {
        self.memory.iter()
    }
}
