//! Cached STEs and CDs.
//!
//! Arrays are direct-mapped. Each StreamID belongs to one of 256 groups, and what is kept carries its group's generation; CFGI commands
//! make a new generation.

use crate::cache::Structures;
use crate::context::Context;
use crate::fault::Fault;
use crate::ids::StreamId;
use crate::stream::Stream;

pub(super) const GROUPS: usize = 256;

/// A counter a group, and one for all groups. Counters only grow, so that equal sums mean that neither has moved.
#[derive(Debug)]
pub(super) struct Generations {
    groups: Box<[u64; GROUPS]>,
    all: u64,
}

impl Default for Generations {
    fn default() -> Self {
        Generations {
            groups: Box::new([0; GROUPS]),
            all: 0,
        }
    }
}

impl Generations {
    #[inline]
    pub(super) fn of(&self, StreamId(sid): StreamId) -> u64 {
        self.groups[sid as usize % GROUPS] + self.all
    }

    pub(super) fn renew(&mut self, StreamId(sid): StreamId) {
        self.groups[sid as usize % GROUPS] += 1;
    }

    pub(super) const fn renew_all(&mut self) {
        self.all += 1;
    }
}

#[derive(Debug)]
struct Slot<V> {
    key: u64,
    generation: u64,
    what: V,
}

/// An array of STEs, or of CDs by their index.
#[derive(Debug)]
pub(super) struct Slots<V, const N: usize> {
    slots: Box<[Option<Slot<V>>; N]>,
    pub(super) generations: Generations,
}

pub(super) type Streams = Slots<Stream, 64>;
pub(super) type Contexts = Slots<Context, 256>;

impl<V, const N: usize> Default for Slots<V, N> {
    fn default() -> Self {
        Slots {
            slots: Box::new([const { None }; N]),
            generations: Generations::default(),
        }
    }
}

impl<V, const N: usize> Slots<V, N> {
    #[inline]
    const fn key(StreamId(sid): StreamId, index: u32) -> u64 {
        (index as u64) << 32 | sid as u64
    }

    #[inline]
    const fn place(key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize & (N - 1)
    }

    #[inline]
    fn at(
        &mut self,
        sid: StreamId,
        index: u32,
        fetch: impl FnOnce() -> Result<V, Fault>,
    ) -> Result<&V, Fault> {
        let key = Self::key(sid, index);
        let slot = &mut self.slots[Self::place(key)];
        let generation = self.generations.of(sid);
        let found = slot
            .as_ref()
            .is_some_and(|slot| slot.key == key && slot.generation == generation);
        if !found {
            *slot = Some(Slot {
                key,
                generation,
                what: fetch()?,
            });
        }
        Ok(&slot.as_ref().expect("found, or filled").what)
    }

    pub(super) fn forget(&mut self, sid: StreamId, index: u32) {
        let key = Self::key(sid, index);
        let slot = &mut self.slots[Self::place(key)];
        if slot.as_ref().is_some_and(|slot| slot.key == key) {
            *slot = None;
        }
    }
}

impl Structures<StreamId, Stream> for &mut Streams {
    #[inline]
    fn get<'c>(
        &'c mut self,
        sid: StreamId,
        _: &'c mut Option<Stream>,
        fetch: impl FnOnce() -> Result<Stream, Fault>,
    ) -> Result<&'c Stream, Fault> {
        self.at(sid, 0, fetch)
    }
}

impl Structures<(StreamId, u32), Context> for &mut Contexts {
    #[inline]
    fn get<'c>(
        &'c mut self,
        (sid, index): (StreamId, u32),
        _: &'c mut Option<Context>,
        fetch: impl FnOnce() -> Result<Context, Fault>,
    ) -> Result<&'c Context, Fault> {
        self.at(sid, index, fetch)
    }
}
