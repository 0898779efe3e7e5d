//! From an index to a checked CD: Arm IHI 0070, 5.3 L1CD and 5.4 CD. Its address is an IPA if stage 2 translates.

use vm_memory::GuestMemoryBackend;

use super::failure::{Failing, Policy};
use crate::access::Rights;
use crate::cache::{Levels, Pages};
use crate::context::Context;
use crate::fault::Fault;
use crate::features::Features;
use crate::ids::StreamId;
use crate::layout::{Cd, Class, L1Cd};
use crate::mutant::{Mutant, on};
use crate::stream::{CdTableFormat, Stream};
use crate::walk::Walker;

impl<M: GuestMemoryBackend, P: Pages> Walker<'_, '_, M, P> {
    /// Reads and checks a stream's CD with this index.
    #[cold]
    pub(crate) fn fetch_context(
        &mut self,
        features: &Features,
        stream: &Stream,
        (sid, index): (StreamId, u32),
        levels: Option<&mut Levels>,
        failing: &mut Failing,
    ) -> Result<Context, Fault> {
        let cds = stream
            .cds
            .as_ref()
            .expect("a CD is only looked for where stage 1 translates");
        let slot = match cds.format {
            CdTableFormat::Linear => cds.pointer + u64::from(index) * Cd::SIZE,
            CdTableFormat::TwoLevel { leaf_bits } => {
                let address = cds.pointer + u64::from(index >> leaf_bits) * 8;
                let known = levels.as_ref();
                let l1cd = match known.and_then(|known| known.l1cd(sid, leaf_bits, index)) {
                    Some(l1cd) => l1cd,
                    None => {
                        let address = self.structure_address(features, stream, address, failing)?;
                        let l1cd = self.memory.word(address).map(L1Cd::from_bits);
                        l1cd.map_err(|_| Fault::CdFetch(address))?
                    }
                };
                if let Some(levels) = levels {
                    levels.keep_l1cd(sid, leaf_bits, index, l1cd);
                }
                // 3.4.3, notes 3 and 4: a pointer beyond the OAS or IAS is a bad SubstreamID.
                if !l1cd.v() || !features.within_oas(l1cd.l2_table()) {
                    return Err(Fault::BadSubstreamId);
                }
                let within = u64::from(index) & ((1 << leaf_bits) - 1);
                // Leaves are aligned to their size: with 64 KiB, bits 15:12 of L2Ptr are RES0 (STE.S1Fmt).
                let leaf = l1cd.l2_table() >> (leaf_bits + 6) << (leaf_bits + 6);
                leaf + within * Cd::SIZE
            }
        };
        let address = self.structure_address(features, stream, slot, failing)?;
        let words = self.memory.words(address);
        let words = words.map_err(|_| Fault::CdFetch(address))?;
        Context::check(&Cd::from_words(words), features, cds)
    }

    /// Where a structure that the stream's owner placed lies in memory.
    fn structure_address(
        &mut self,
        features: &Features,
        stream: &Stream,
        address: u64,
        failing: &mut Failing,
    ) -> Result<u64, Fault> {
        let direct = on(Mutant::B63CdNotThroughStage2);
        let Some(stage2) = stream.stage2.as_ref().filter(|_| !direct) else {
            return if features.within_oas(address) {
                Ok(address)
            } else {
                Err(Fault::CdFetch(address))
            };
        };
        let page = self
            .stage2(stage2, address, Class::Cd, Rights::UNPRIVILEGED_READ)
            .inspect_err(|_| failing.policy = Policy::stage2(stage2))?;
        Ok(page.address(address))
    }
}
