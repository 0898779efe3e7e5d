//! What may be remembered between transactions, and how it is forgotten.
//!
//! Manual     Arm IHI 0070, 3.17 "TLB tagging, VMIDs, ASIDs", 3.21 "Structure access rules", 4.3 and 4.4 (what each invalidation hits).
//! Policies   [`NoCaches`] remembers nothing and is what the others are held against; [`Fast`] forgets whole contexts in O(1) and may
//!            forget too much; [`Exact`] has a stated capacity and replacement, and forgets exactly what a command names.
//! Rule       A remembered translation carries the rights of the whole walk. A remembered denial is never final: whoever finds too few
//!            rights walks again, so that faults always name the right stage and address.

mod exact;
mod fast;
mod levels;
mod none;
mod range;

pub use exact::{Counts, Exact, Preset, Replacement};
pub use fast::Fast;
pub use levels::Levels;
pub use none::NoCaches;

use crate::access::{Rights, Transaction, Translation};
use crate::context::{Context, Inherited};
use crate::ids::{Asid, StreamId, Vmid};
use crate::layout::{Command, Granule};
use crate::stream::Stream;

/// Whose virtual addresses: the tag of stage-1 and combined translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    /// Of which machine.
    pub vmid: Vmid,
    /// Which of its address spaces. Global entries are found from every one of the same VMID.
    pub asid: Asid,
}

/// A translated page: the smaller of what the stages map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Physical address of the page's first byte.
    pub base: u64,
    /// Log2 of its bytes.
    pub page_bits: u8,
    /// Rights of the whole walk, of all stages that this entry combines.
    pub rights: Rights,
    /// nG = 0: belongs to every ASID of the VMID.
    pub global: bool,
    /// Log2 of the bytes of stage 1's page, which an invalidation by address names; for stage-2 translations, of their own page.
    pub named_bits: u8,
}

impl Leaf {
    /// Stage 1's page is larger: one invalidation by address means several entries.
    pub const fn fractured(&self) -> bool {
        self.named_bits > self.page_bits
    }

    /// Where an address of this page lies.
    pub const fn address(&self, input: u64) -> u64 {
        self.base | (input & ((1 << self.page_bits) - 1))
    }
}

/// A table on the way of a walk, by its physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its level.
    pub level: u8,
    /// Physical address of its first byte.
    pub base: u64,
    /// What tables above took away (stage 1).
    pub inherited: Inherited,
}

/// Where a table was found, and what it is looked up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableOf {
    /// Stage-1 tables of a space.
    Stage1(Space),
    /// Stage-2 tables of a VMID.
    Stage2(Vmid),
}

/// Storage for everything that the architecture lets an SMMU cache.
///
/// Each `keep` may be ignored, and what was kept may be gone at any time. What is found must be what was kept, unless an
/// invalidation that hits it came between. Virtual addresses are used without their top byte.
pub trait Caches {
    /// A translation without any further look-up: for streams whose route through STE and CD is remembered.
    fn route(&mut self, transaction: &Transaction) -> Option<Translation>;
    /// Remembers that transactions of this StreamID and SubstreamID go through `space` (`None`: through stage 2 of the stream alone).
    fn keep_route(&mut self, transaction: &Transaction, stream: &Stream, context: Option<&Context>);

    /// The STE of a StreamID.
    fn stream(&mut self, sid: StreamId) -> Option<Stream>;
    /// Remembers it.
    fn keep_stream(&mut self, sid: StreamId, stream: &Stream);

    /// The CD with this index, reached through a StreamID.
    fn context(&mut self, sid: StreamId, index: u32) -> Option<Context>;
    /// Remembers it.
    fn keep_context(&mut self, sid: StreamId, index: u32, context: &Context);

    /// A virtual address's translation.
    fn translation(&mut self, space: Space, va: u64) -> Option<Leaf>;
    /// Remembers it.
    fn keep_translation(&mut self, space: Space, va: u64, leaf: &Leaf);

    /// An intermediate address's translation.
    fn stage2(&mut self, vmid: Vmid, ipa: u64) -> Option<Leaf>;
    /// Remembers it.
    fn keep_stage2(&mut self, vmid: Vmid, ipa: u64, leaf: &Leaf);

    /// The deepest table known on the way to `input`, below the start level.
    fn table(
        &mut self,
        of: TableOf,
        granule: Granule,
        start_level: u8,
        input: u64,
    ) -> Option<Table>;
    /// Remembers it.
    fn keep_table(&mut self, of: TableOf, granule: Granule, input: u64, table: &Table);

    /// Level-1 descriptors; `None` where they are read anew each time.
    fn levels(&mut self) -> Option<&mut Levels> {
        None
    }

    /// Forgets at least what an invalidation command names; other commands do nothing.
    fn invalidate(&mut self, command: &Command);
    /// Forgets everything.
    fn clear(&mut self);
}

/// The bits of a virtual address that tag it: all but the top byte, which TBI may ignore and which otherwise repeats bit 55.
pub(crate) const fn untagged(va: u64) -> u64 {
    va & (u64::MAX >> 8)
}
