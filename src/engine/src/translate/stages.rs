//! Through one or both stages, from a checked STE on.

use vm_memory::GuestMemoryBackend;

use super::failure::{Failing, Policy};
use super::substream::{Stage1, stage1_of};
use super::{identity, within_ias};
use crate::access::{Rights, Transaction, Translation};
use crate::cache::{Leaf, Missed, Pages, Route, Space, Structures, Through, untagged};
use crate::context::{Context, Region};
use crate::fault::{Fault, Origin, TranslationFault, stage1};
use crate::features::Features;
use crate::ids::{Pa, StreamId};
use crate::layout::Class;
use crate::memory::Words;
use crate::stream::Stream;
use crate::walk::Walker;

/// What the stages of a stream are walked with.
pub(crate) struct Stages<'a, 'm, M: GuestMemoryBackend, C, P> {
    pub(crate) features: &'a Features,
    pub(crate) contexts: C,
    pub(crate) walker: Walker<'a, 'm, M, P>,
}

impl<'a, 'm, M, C, P> Stages<'a, 'm, M, C, P>
where
    M: GuestMemoryBackend,
    C: Structures<(StreamId, u32), Context>,
    P: Pages,
{
    pub(crate) const fn new(
        memory: &'a mut Words<'m, M>,
        features: &'a Features,
        contexts: C,
        pages: P,
    ) -> Self {
        Stages {
            features,
            contexts,
            walker: Walker { memory, pages },
        }
    }

    /// Where the transaction goes, and the route that leads there: none if no stage translates.
    pub(crate) fn staged(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        needs: Rights,
        missed: Missed,
        failing: &mut Failing,
    ) -> Result<(Translation, Option<Route>), Fault> {
        let address = transaction.address.0;
        let (leaf, through) = match stage1_of(transaction.ssid, stream)? {
            Stage1::Skip => {
                within_ias(self.features, address)?;
                let Some(stage2) = &stream.stage2 else {
                    return Ok((identity(address), None));
                };
                failing.policy = Policy::stage2(stage2);
                let leaf = self.walker.stage2(stage2, address, Class::In, needs)?;
                (leaf, Through::Stage2(stage2.vmid))
            }
            Stage1::Cd(index) => {
                let Stages {
                    features,
                    contexts,
                    walker,
                } = self;
                let mut room = None;
                let context = contexts.get((transaction.sid, index), &mut room, || {
                    walker.fetch_context(features, stream, index, failing)
                })?;
                let leaf = walker.combined(context, stream, address, needs, missed, failing)?;
                let through = Through::Space {
                    space: space_of(stream, context),
                    tbi: context.tbi,
                };
                (leaf, through)
            }
        };
        let translation = Translation {
            pa: Pa(leaf.address(address)),
            page_bits: leaf.page_bits,
            rights: leaf.rights,
        };
        let route = Route {
            privileged: stream.privileged,
            instruction: stream.instruction,
            through,
        };
        Ok((translation, Some(route)))
    }
}

/// Whose virtual addresses a CD translates.
pub(crate) const fn space_of(stream: &Stream, context: &Context) -> Space {
    Space {
        vmid: stream.vmid,
        asid: context.asid,
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
    /// Stage 1, and stage 2 of what it yields: from the TLB, or by a walk.
    fn combined(
        &mut self,
        context: &Context,
        stream: &Stream,
        va: u64,
        needs: Rights,
        missed: Missed,
        failing: &mut Failing,
    ) -> Result<Leaf, Fault> {
        failing.policy = Policy::stage1(context);
        let region = region(context, va)?;
        let space = self.pages.space(space_of(stream, context));
        if missed == Missed::Unknown
            && let Some(leaf) = self.pages.translation(space, untagged(va))
            && leaf.rights.contains(needs)
        {
            return Ok(leaf);
        }
        let region = region.ok_or(stage1(TranslationFault::Translation))?;
        let leaf = self
            .both(space, context, region, stream, va, needs)
            .inspect_err(|fault| {
                if let Fault::Translation(_, Origin::Stage2 { .. }) = fault {
                    failing.policy =
                        Policy::stage2(stream.stage2.as_ref().expect("stage 2 faulted"));
                }
            })?;
        self.pages.keep_translation(space, untagged(va), &leaf);
        Ok(leaf)
    }

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
        if !first.rights.contains(needs) {
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
            Some(stage2) => self.stage2(stage2, first.ipa, Class::In, needs)?,
        };
        // The smaller page of the two; its base is where the access lands, cut to that size.
        let page_bits = page.page_bits.min(first.page_bits);
        Ok(Leaf {
            base: page.address(first.ipa) >> page_bits << page_bits,
            page_bits,
            rights: first.rights.and(page.rights),
            global: first.global,
            named_bits: first.page_bits,
        })
    }
}
