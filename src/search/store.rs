//! All states that were seen, packed, numbered in the order in which they came.
//!
//! Exact: the hash finds candidates, the bytes decide.

use bytemuck::Pod;
use hashbrown::HashTable;

use super::hash::hash;
use super::packed;

/// A set of states of one type.
#[derive(Default)]
pub struct Store {
    /// The packed states, one after another.
    arena: Vec<u8>,
    /// Where each ends.
    ends: Vec<u64>,
    /// Numbers of states by the hash of their packed form.
    index: HashTable<Entry>,
    /// Room for the state that is being looked up, packed.
    room: Vec<u8>,
}

/// Where a state is, and half of its hash: enough to grow the index, and to rule out nearly every other state, without a look at
/// the arena.
#[derive(Clone, Copy)]
struct Entry {
    tag: u32,
    number: u32,
}

impl Entry {
    /// What the index hashes: the tag spread over 64 bits, since the index uses both ends.
    fn key(self) -> u64 {
        u64::from(self.tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// What came of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is there and has this number.
    Known(u32),
    /// It was added under this number.
    New(u32),
    /// It is not there, and there are as many states as there may be.
    Full,
}

impl Store {
    /// More states than this cannot be numbered.
    pub const CAPACITY: u64 = u32::MAX as u64;

    /// How many states there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Finds a state, or adds it unless there are `capacity` states already.
    pub fn place<S: Pod>(&mut self, state: &S, capacity: u64) -> Place {
        let candidate = packed::pack(bytemuck::bytes_of(state), &mut self.room);
        let (arena, ends) = (&self.arena, &self.ends);
        let new = Entry {
            tag: (hash(candidate) >> 32) as u32,
            number: self.ends.len() as u32,
        };
        let same =
            |entry: &Entry| entry.tag == new.tag && slice(arena, ends, entry.number) == candidate;
        if let Some(entry) = self.index.find(new.key(), same) {
            return Place::Known(entry.number);
        }
        if self.ends.len() as u64 >= capacity.min(Self::CAPACITY) {
            return Place::Full;
        }
        self.arena.extend_from_slice(candidate);
        self.ends.push(self.arena.len() as u64);
        self.index
            .insert_unique(new.key(), new, |entry| entry.key());
        Place::New(new.number)
    }

    /// The state of a number. `S` must be the type that was stored.
    pub fn get<S: Pod>(&self, number: u32) -> S {
        let mut state = S::zeroed();
        let packed = slice(&self.arena, &self.ends, number);
        packed::unpack(packed, bytemuck::bytes_of_mut(&mut state));
        state
    }
}

/// The packed state of a number.
fn slice<'a>(arena: &'a [u8], ends: &[u64], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &arena[start as usize..ends[number] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order_and_finds_again() {
        let mut store = Store::default();
        for value in 0..5000u64 {
            let new = store.place(&[value, 0, value], u64::MAX);
            assert_eq!(new, Place::New(value as u32));
        }
        for value in 0..5000u64 {
            let known = store.place(&[value, 0, value], u64::MAX);
            assert_eq!(known, Place::Known(value as u32));
            assert_eq!(store.get::<[u64; 3]>(value as u32), [value, 0, value]);
        }
        assert_eq!(store.len(), 5000);
    }

    #[test]
    fn refuses_what_does_not_fit_but_knows_what_it_has() {
        let mut store = Store::default();
        assert_eq!(store.place(&7u64, 1), Place::New(0));
        assert_eq!(store.place(&8u64, 1), Place::Full);
        assert_eq!(store.place(&7u64, 1), Place::Known(0));
    }
}
