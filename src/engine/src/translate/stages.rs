//! Through one or both stages, from a checked STE on.

use vm_memory::GuestMemoryBackend;

use super::failure::{Failing, Policy};
use super::substream::{Stage1, stage1_of};
use super::{identity, within_ias};
use crate::access::{Rights, Transaction, Translation};
use crate::cache::{Leaf, Levels, Pages, Route, Space, Structures, untagged};
use crate::context::{Context, Region};
use crate::fault::{Fault, TranslationFault, stage1};
use crate::features::Features;
use crate::ids::{Pa, StreamId};
use crate::layout::Class;
use crate::memory::Words;
use crate::mutant::{Mutant, on};
use crate::stream::Stream;
use crate::walk::Walker;

/// What the stages of a stream are walked with.
pub(crate) struct Stages<'a, 'm, M: GuestMemoryBackend, C, P> {
    /// Whether routes are remembered.
    pub(crate) routes: bool,
    pub(crate) features: &'a Features,
    pub(crate) contexts: C,
    pub(crate) levels: Option<&'a mut Levels>,
    pub(crate) walker: Walker<'a, 'm, M, P>,
}

impl<'a, 'm, M, C, P> Stages<'a, 'm, M, C, P>
where
    M: GuestMemoryBackend,
    C: Structures<(StreamId, u32), Context>,
    P: Pages,
{
    pub(crate) const fn new(
        routes: bool,
        memory: &'a mut Words<'m, M>,
        features: &'a Features,
        contexts: C,
        levels: Option<&'a mut Levels>,
        pages: P,
    ) -> Self {
        Stages {
            routes,
            features,
            contexts,
            levels,
            walker: Walker { memory, pages },
        }
    }

    /// Where the transaction goes; and the route that leads there, if routes are remembered and a stage translates.
    pub(crate) fn staged(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        needs: Rights,
        failing: &mut Failing,
    ) -> Result<(Translation, Option<Route>), Fault> {
        let Stages {
            features,
            contexts,
            levels,
            walker,
            ..
        } = self;
        let mut room = None;
        let context = match stage1_of(transaction.ssid, stream)? {
            Stage1::Skip if stream.stage2.is_none() => {
                let address = within_ias(features, transaction.address.0)?;
                return Ok((identity(address, features.oas), None));
            }
            Stage1::Skip => None,
            Stage1::Cd(index) => {
                let key = (transaction.sid, index);
                let context = contexts.get(key, &mut room, || {
                    walker.fetch_context(features, stream, key, levels.as_deref_mut(), failing)
                })?;
                Some(context)
            }
        };
        let address = transaction.address.0;
        let policy = &mut failing.policy;
        let translation =
            walker.along(features, (stream, context), address, needs, false, policy)?;
        let route = self.routes.then(|| Route {
            stream: *stream,
            context: context.copied(),
        });
        Ok((translation, route))
    }
}

/// The tables for `va`. An address that no half can hold faults at once; one whose half has no walks (CD.EPDx) or is too small for
/// it may still be in the TLB: Arm IHI 0070, CD.EPD0.
#[inline]
pub(crate) fn region(context: &Context, va: u64) -> Result<Option<&Region>, Fault> {
    context
        .region(va)
        .map_err(|_| stage1(TranslationFault::Translation))
}

impl<M: GuestMemoryBackend, P: Pages> Walker<'_, '_, M, P> {
    /// Where an STE and a CD lead to, for an access that needs one right of `needs`; without a CD, stage 1 is skipped. `absent`: the TLB has been looked in, in vain.
    #[inline(always)]
    pub(super) fn along(
        &mut self,
        features: &Features,
        (stream, context): (&Stream, Option<&Context>),
        address: u64,
        needs: Rights,
        absent: bool,
        policy: &mut Policy,
    ) -> Result<Translation, Fault> {
        let leaf = match (context, &stream.stage2) {
            (Some(context), _) => self
                .combined(context, stream, address, needs, absent)
                .inspect_err(|fault| *policy = Policy::both(fault, context, stream))?,
            (None, Some(stage2)) => {
                within_ias(features, address)?;
                self.stage2(stage2, address, Class::In, needs)
                    .inspect_err(|_| *policy = Policy::stage2(stage2))?
            }
            (None, None) => unreachable!("a route has a stage that translates"),
        };
        Ok(Translation {
            pa: Pa(leaf.address(address)),
            page_bits: leaf.page_bits,
            rights: leaf.rights,
        })
    }

    /// Stage 1, and stage 2 of what it yields: from the TLB, or by a walk.
    #[inline(always)]
    fn combined(
        &mut self,
        context: &Context,
        stream: &Stream,
        va: u64,
        needs: Rights,
        absent: bool,
    ) -> Result<Leaf, Fault> {
        let region = region(context, va)?;
        let space = self.pages.space(Space::of(stream, context));
        if !absent && let Some(leaf) = self.pages.translation(space, untagged(va)) {
            if leaf.rights.meets(needs) {
                return Ok(leaf);
            }
            if on(Mutant::B62CombinedPermission) {
                return Err(stage1(TranslationFault::Permission));
            }
        }
        let region = region.ok_or(stage1(TranslationFault::Translation))?;
        let leaf = self.both(space, context, region, stream, va, needs)?;
        self.pages.keep_translation(space, untagged(va), &leaf);
        Ok(leaf)
    }

    #[inline(always)]
    fn both(
        &mut self,
        space: P::Owner,
        context: &Context,
        region: &Region,
        stream: &Stream,
        va: u64,
        needs: Rights,
    ) -> Result<Leaf, Fault> {
        let stage2 = stream.stage2.as_ref();
        let first = self.stage1(space, context, region, stage2, untagged(va))?;
        if !first.rights.meets(needs) {
            return Err(stage1(TranslationFault::Permission));
        }
        let page = match stage2 {
            None => Leaf {
                base: first.ipa >> first.page_bits << first.page_bits,
                page_bits: first.page_bits,
                rights: Rights::ALL,
                global: first.global,
                named_bits: first.page_bits,
            },
            Some(stage2) => self.stage2_here(stage2, first.ipa, Class::In, needs)?,
        };
        // The smaller page of the two; its base is where the access lands, cut to that size.
        let page_bits = match on(Mutant::CombinedPageOfStage1) {
            true => first.page_bits,
            false => page.page_bits.min(first.page_bits),
        };
        Ok(Leaf {
            base: page.address(first.ipa) >> page_bits << page_bits,
            page_bits,
            rights: match on(Mutant::CombinedRightsOfStage1) {
                true => first.rights,
                false => first.rights.and(page.rights),
            },
            global: first.global,
            named_bits: first.page_bits,
        })
    }
}
