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

use crate::access::{Access, Rights, Transaction, Translation};
use crate::context::{Context, Inherited};
use crate::fault::Fault;
use crate::ids::{Asid, StreamId, Vmid};
use crate::layout::Command;
use crate::mutant::{Mutant, on};
use crate::stream::Stream;
use crate::tables::Tables;

/// Whose virtual addresses: the tag of stage-1 and combined translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    /// Of which machine.
    pub vmid: Vmid,
    /// Which of its address spaces. Global entries are found from every one of the same VMID and ASET.
    pub asid: Asid,
    /// CD.ASET. Entries that are not global are found whichever it is (3.17.1 "The Global flag in the translation table descriptor").
    pub aset: bool,
}

impl Space {
    /// Of what a CD translates, reached through an STE.
    pub fn of(stream: &Stream, context: &Context) -> Self {
        let untagged = on(Mutant::B61NoVmidTag);
        Space {
            vmid: if untagged { Vmid(0) } else { stream.vmid },
            asid: context.asid,
            aset: context.aset,
        }
    }
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
    /// nG = 0: belongs to every ASID of the VMID, with the same ASET.
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

/// Where a StreamID and a SubstreamID lead to: what the rules of both made of STE and CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// An STE with a stage that translates.
    pub stream: Stream,
    /// The CD, unless stage 1 is skipped.
    pub context: Option<Context>,
}

impl Route {
    /// Whose virtual addresses are translated, if stage 1 is not skipped.
    pub fn space(&self) -> Option<Space> {
        self.context
            .as_ref()
            .map(|context| Space::of(&self.stream, context))
    }
}

/// Where and when caches found a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) at: u8,
    pub(crate) moment: u64,
}

/// What a look-up that did not succeed has found out, for whoever goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Unknown,
    /// The route is known and up to date, and at its end no translation allows the access.
    Absent(Place),
}

/// STEs by StreamID, or CDs by StreamID and index.
pub trait Structures<K, V> {
    /// The structure that is remembered, or what `fetch` yields, which may be remembered from then on. `room` is for those that
    /// nothing remembers.
    ///
    /// # Errors
    /// What `fetch` failed with; nothing is remembered.
    fn get<'c>(
        &'c mut self,
        key: K,
        room: &'c mut Option<V>,
        fetch: impl FnOnce() -> Result<V, Fault>,
    ) -> Result<&'c V, Fault>;
}

/// What walks yield. Virtual addresses are used without their top byte.
pub trait Pages {
    /// Whose translations and tables, found once for several look-ups. Good until something is invalidated.
    type Owner: Copy;

    /// The owner of a space's stage-1 tables, and of its stage-1 or combined translations.
    fn space(&mut self, space: Space) -> Self::Owner;
    /// The owner of a VMID's stage-2 tables and translations.
    fn vm(&mut self, vmid: Vmid) -> Self::Owner;

    /// A virtual address's translation.
    fn translation(&mut self, space: Self::Owner, va: u64) -> Option<Leaf>;
    /// Remembers it.
    fn keep_translation(&mut self, space: Self::Owner, va: u64, leaf: &Leaf);

    /// An intermediate address's translation.
    fn stage2(&mut self, vm: Self::Owner, ipa: u64) -> Option<Leaf>;
    /// Remembers it.
    fn keep_stage2(&mut self, vm: Self::Owner, ipa: u64, leaf: &Leaf);

    /// The deepest of a space's tables that is known on the way to `va`, below the start level.
    fn table1(&mut self, space: Self::Owner, tables: &Tables, va: u64) -> Option<Table>;
    /// Remembers it.
    fn keep_table1(&mut self, space: Self::Owner, tables: &Tables, va: u64, table: &Table);

    /// The deepest of a VM's tables that is known on the way to `ipa`, below the start level.
    fn table2(&mut self, vm: Self::Owner, tables: &Tables, ipa: u64) -> Option<Table>;
    /// Remembers it.
    fn keep_table2(&mut self, vm: Self::Owner, tables: &Tables, ipa: u64, table: &Table);
}

/// What a translation looks things up in. Apart, so that an STE and a CD can be used where they are kept while pages are remembered.
#[derive(Debug)]
pub struct Parts<'c, S, C, P> {
    /// STEs.
    pub streams: S,
    /// CDs.
    pub contexts: C,
    /// Level-1 descriptors of both; `None` where they are read anew each time.
    pub levels: Option<&'c mut Levels>,
    /// Translations and tables.
    pub pages: P,
}

/// Storage for everything that the architecture lets an SMMU cache.
///
/// Each `keep` may be ignored, and what was kept may be gone at any time. What is found must be what was kept, unless an
/// invalidation that hits it came between.
pub trait Caches {
    /// Whether routes are remembered; else nobody needs to put one together.
    const ROUTES: bool;

    /// A translation without any further look-up: for streams whose route through STE and CD is remembered.
    ///
    /// # Errors
    /// [`Missed`]: what is known of the transaction nonetheless.
    fn route(&mut self, transaction: &Transaction) -> Result<Translation, Missed>;
    /// Remembers where transactions of this StreamID and SubstreamID lead to.
    fn keep_route(&mut self, transaction: &Transaction, route: &Route);
    /// The route of a look-up that failed, the right that the access needs, and what is remembered along the route; unless something
    /// has come between.
    fn resume(&mut self, place: Place, access: Access) -> Option<(&Route, Rights, impl Pages)>;

    /// Whether so many tables are known that their descriptors hardly stay in a processor's caches.
    fn spread_out(&self) -> bool;

    /// The parts, for one translation.
    fn parts(
        &mut self,
    ) -> Parts<
        '_,
        impl Structures<StreamId, Stream>,
        impl Structures<(StreamId, u32), Context>,
        impl Pages,
    >;

    /// Forgets at least what an invalidation command names; other commands do nothing.
    fn invalidate(&mut self, command: &Command);
    /// Forgets everything.
    fn clear(&mut self);
}

/// The bits of a virtual address that tag it: all but the top byte, which TBI may ignore and which otherwise repeats bit 55.
pub(crate) const fn untagged(va: u64) -> u64 {
    va & (u64::MAX >> 8)
}
