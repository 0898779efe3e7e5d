//! Cached STEs and CDs.
//!
//! Arrays are direct-mapped. Each StreamID belongs to one of 256 groups, and what is kept carries its group's generation; CFGI commands
//! make a new generation.

use crate::context::Context;
use crate::ids::StreamId;
use crate::stream::Stream;

const GROUPS: usize = 256;
const STREAMS: usize = 64;
const CONTEXTS: usize = 256;

/// A counter a group, and one for all groups. Counters only grow, so that equal sums mean that neither has moved.
#[derive(Debug)]
struct Generations {
    groups: Box<[u64; GROUPS]>,
    all: u64,
}

impl Generations {
    fn new() -> Self {
        Generations {
            groups: Box::new([0; GROUPS]),
            all: 0,
        }
    }

    #[inline]
    fn of(&self, StreamId(sid): StreamId) -> u64 {
        self.groups[sid as usize % GROUPS] + self.all
    }

    fn renew(&mut self, StreamId(sid): StreamId) {
        self.groups[sid as usize % GROUPS] += 1;
    }
}

#[derive(Debug)]
struct Kept<T> {
    sid: StreamId,
    index: u32,
    generation: u64,
    what: T,
}

/// Cached configuration.
#[derive(Debug)]
pub(super) struct Config {
    streams: Box<[Option<Kept<Stream>>]>,
    contexts: Box<[Option<Kept<Context>>]>,
    stream_generations: Generations,
    context_generations: Generations,
    route_generations: Generations,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            streams: (0..STREAMS).map(|_| None).collect(),
            contexts: (0..CONTEXTS).map(|_| None).collect(),
            stream_generations: Generations::new(),
            context_generations: Generations::new(),
            route_generations: Generations::new(),
        }
    }
}

#[inline]
const fn place(sid: u32, index: u32, of: usize) -> usize {
    (sid.wrapping_mul(0x9e37_79b1) ^ index.wrapping_mul(0x85eb_ca6b)) as usize >> 8 & (of - 1)
}

impl Config {
    /// What a route of this stream must have been kept in to be used.
    pub(super) fn route_generation(&self, sid: StreamId) -> u64 {
        self.route_generations.of(sid)
    }

    pub(super) fn stream(&self, sid: StreamId) -> Option<Stream> {
        let kept = self.streams[place(sid.0, 0, STREAMS)].as_ref()?;
        (kept.sid == sid && kept.generation == self.stream_generations.of(sid)).then_some(kept.what)
    }

    pub(super) fn keep_stream(&mut self, sid: StreamId, stream: &Stream) {
        self.streams[place(sid.0, 0, STREAMS)] = Some(Kept {
            sid,
            index: 0,
            generation: self.stream_generations.of(sid),
            what: *stream,
        });
    }

    pub(super) fn context(&self, sid: StreamId, index: u32) -> Option<Context> {
        let kept = self.contexts[place(sid.0, index, CONTEXTS)].as_ref()?;
        let generation = self.context_generations.of(sid);
        (kept.sid == sid && kept.index == index && kept.generation == generation)
            .then_some(kept.what)
    }

    pub(super) fn keep_context(&mut self, sid: StreamId, index: u32, context: &Context) {
        self.contexts[place(sid.0, index, CONTEXTS)] = Some(Kept {
            sid,
            index,
            generation: self.context_generations.of(sid),
            what: *context,
        });
    }

    /// CFGI_STE: the entry and everything that was reached through it.
    pub(super) fn forget_stream(&mut self, sid: StreamId) {
        self.stream_generations.renew(sid);
        self.forget_contexts(sid);
    }

    /// CFGI_STE_RANGE: 2^(range+1) entries, aligned. In 64 bits, where range 31 is no overflow.
    pub(super) fn forget_streams(&mut self, sid: StreamId, range: u8) {
        let count = 2u64 << range.min(31);
        if count >= GROUPS as u64 {
            self.stream_generations.all += 1;
            self.context_generations.all += 1;
            self.route_generations.all += 1;
            return;
        }
        let first = u64::from(sid.0) & !(count - 1);
        for sid in first..first + count {
            self.forget_stream(StreamId(sid as u32));
        }
    }

    /// CFGI_CD.
    pub(super) fn forget_context(&mut self, sid: StreamId, index: u32) {
        let kept = &mut self.contexts[place(sid.0, index, CONTEXTS)];
        if kept
            .as_ref()
            .is_some_and(|kept| kept.sid == sid && kept.index == index)
        {
            *kept = None;
        }
        // Traffic without a SubstreamID may use the CD of index 0: all routes of the stream are looked up again.
        self.route_generations.renew(sid);
    }

    /// CFGI_CD_ALL.
    pub(super) fn forget_contexts(&mut self, sid: StreamId) {
        self.context_generations.renew(sid);
        self.route_generations.renew(sid);
    }
}
