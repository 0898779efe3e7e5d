//! One cache: sets of ways, and which way is given up.

/// What is given up for a new entry when a set is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The entry that was longest not used.
    Lru,
    /// The way that was filled longest ago.
    RoundRobin,
    /// A way by a fixed pseudo-random sequence.
    Random,
    /// The whole cache, as QEMU's IOTLB (`smmu_iotlb_insert` in `hw/arm/smmu-common.c`).
    All,
}

/// The size and shape of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Sets; an entry can be in one of them.
    pub sets: usize,
    /// Entries of a set.
    pub ways: usize,
    /// What is given up.
    pub replacement: Replacement,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    stamp: u64,
}

/// A cache of a given capacity; without one, nothing is kept.
#[derive(Debug)]
pub(super) struct Bank<K, V> {
    capacity: Option<Capacity>,
    sets: Vec<Vec<Entry<K, V>>>,
    clock: u64,
    random: u64,
}

impl<K: Eq + Copy, V: Copy> Bank<K, V> {
    pub(super) fn new(capacity: Option<Capacity>) -> Self {
        let sets = capacity.map_or(0, |capacity| capacity.sets);
        Bank {
            capacity,
            sets: (0..sets).map(|_| Vec::new()).collect(),
            clock: 0,
            random: 0x2545_f491_4f6c_dd1d,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    pub(super) fn get(&mut self, key: &K, place: u64) -> Option<V> {
        let Capacity {
            sets, replacement, ..
        } = self.capacity?;
        let set = &mut self.sets[(place % sets as u64) as usize];
        let entry = set.iter_mut().find(|entry| entry.key == *key)?;
        if replacement == Replacement::Lru {
            self.clock += 1;
            entry.stamp = self.clock;
        }
        Some(entry.value)
    }

    pub(super) fn put(&mut self, key: K, place: u64, value: V) {
        let Some(Capacity {
            sets,
            ways,
            replacement,
        }) = self.capacity
        else {
            return;
        };
        self.clock += 1;
        let stamp = self.clock;
        let index = (place % sets as u64) as usize;
        if let Some(entry) = self.sets[index].iter_mut().find(|entry| entry.key == key) {
            (entry.value, entry.stamp) = (value, stamp);
            return;
        }
        if self.sets[index].len() == ways {
            match replacement {
                Replacement::All => self.sets.iter_mut().for_each(Vec::clear),
                Replacement::Random => {
                    // xorshift64 (Marsaglia, "Xorshift RNGs", 2003)
                    self.random ^= self.random << 13;
                    self.random ^= self.random >> 7;
                    self.random ^= self.random << 17;
                    let way = (self.random % ways as u64) as usize;
                    self.sets[index].swap_remove(way);
                }
                Replacement::Lru | Replacement::RoundRobin => {
                    let set = &mut self.sets[index];
                    let oldest = (0..set.len()).min_by_key(|&way| set[way].stamp);
                    set.swap_remove(oldest.expect("a full set has entries"));
                }
            }
        }
        self.sets[index].push(Entry { key, value, stamp });
    }

    pub(super) fn forget(&mut self, dead: impl Fn(&K, &V) -> bool) {
        for set in &mut self.sets {
            set.retain(|entry| !dead(&entry.key, &entry.value));
        }
    }
}
