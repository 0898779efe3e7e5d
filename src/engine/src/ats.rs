//! ATS, the SMMU's side: translation requests, and transactions that come back translated.
//!
//! Arm IHI 0070, 3.9.1 "ATS Interface", STE.EATS, 13.6 "PCIe and ATS attribute/permissions handling".

use vm_memory::GuestMemoryBackend;

use crate::access::{Rights, Transaction, Translation};
use crate::cache::{Caches, Pages, Parts, Space, Structures, untagged};
use crate::context::Context;
use crate::fault::{Fault, TranslationFault, stage1};
use crate::features::{Features, fits};
use crate::ids::{Pa, StreamId};
use crate::layout::{Class, Config};
use crate::mutant::{Mutant, on};
use crate::registers::Registers;
use crate::stream::{Ats, Stream};
use crate::translate::{
    Failing, Failure, Policy, Stage1, Stages, Translator, identity, region, stage1_of, within_ias,
};
use crate::walk::Walker;

/// What an ATS translation request is answered with. PCIe: UR and CA are unsuccessful completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtsReply {
    /// Success. Without rights in [`Translation::rights`] it means R = W = 0: there is no translation.
    Success(Translation),
    /// UR: ATS is not allowed for this stream.
    UnsupportedRequest,
    /// CA: configuration or memory is broken.
    CompleterAbort,
}

impl<M: GuestMemoryBackend, C: Caches> Translator<'_, '_, M, C> {
    /// A translated transaction: Arm IHI 0070, 3.9.1, STE.EATS, 13.6.3.
    #[inline(never)]
    pub(crate) fn translated(
        &mut self,
        transaction: &Transaction,
        failing: &mut Failing,
    ) -> Result<Translation, Fault> {
        let address = transaction.address.0;
        if !self.registers.smmuen || !self.features.ats {
            return Err(Fault::TranslForbidden);
        }
        if !self.registers.atschk {
            return translated_bypass(self.features, address);
        }
        let Parts {
            mut streams,
            levels,
            pages,
            ..
        } = self.caches.parts();
        let mut room = None;
        let stream = streams.get(transaction.sid, &mut room, || {
            Stream::fetch(
                self.memory,
                self.features,
                self.registers,
                levels,
                transaction.sid,
            )
        });
        // 3.9.1.3: translated transactions that select a broken STE abort without an event, unless software asks for it.
        let recorded = records_configuration(self.features, self.registers);
        let stream = stream.map_err(|fault| if recorded { fault } else { Fault::Silent })?;
        failing.access = stream.overridden(failing.access);
        let needs = failing.access.needs();
        match (stream.config, stream.ats) {
            (Config::Abort, _) => Err(Fault::Silent),
            (_, Ats::Off) if on(Mutant::EatsIgnored) => translated_bypass(self.features, address),
            (_, Ats::Off) => Err(Fault::TranslForbidden),
            (_, Ats::Full) => translated_bypass(self.features, address),
            (_, Ats::SplitStage) => {
                let stage2 = stream
                    .stage2
                    .as_ref()
                    .expect("split-stage ATS is for nested streams");
                failing.policy = Policy::stage2(stage2);
                within_ias(self.features, address)?;
                let mut walker = Walker {
                    memory: self.memory,
                    pages,
                };
                let leaf = walker.stage2(stage2, address, Class::In, needs)?;
                Ok(Translation {
                    pa: Pa(leaf.address(address)),
                    page_bits: leaf.page_bits,
                    rights: leaf.rights,
                })
            }
        }
    }

    /// An ATS translation request: Arm IHI 0070, 3.9.1.2 "Responses to ATS Translation Requests", STE.EATS, 5.5, 13.6.
    ///
    /// The access of the transaction says the privilege that is asked for; what else it says only F_BAD_ATS_TREQ tells. That is the only
    /// event, unless SMMU_CR2.REC_CFG_ATS has configuration errors recorded.
    pub(crate) fn ats_request(&mut self, transaction: &Transaction) -> (AtsReply, Option<Failure>) {
        let mut failing = Failing::new(transaction);
        let denied = Failure {
            fault: Fault::BadAtsTreq,
            policy: Policy::ABORT_AND_RECORD,
            access: transaction.access,
        };
        if !self.registers.smmuen || !self.features.ats {
            return (AtsReply::UnsupportedRequest, Some(denied));
        }
        let aborted = |fault, access| {
            let failure = records_configuration(self.features, self.registers).then_some(Failure {
                fault,
                policy: Policy::ABORT_AND_RECORD,
                access,
            });
            (AtsReply::CompleterAbort, failure)
        };
        let Parts {
            mut streams,
            contexts,
            mut levels,
            pages,
        } = self.caches.parts();
        let mut room = None;
        let stream = streams.get(transaction.sid, &mut room, || {
            Stream::fetch(
                self.memory,
                self.features,
                self.registers,
                levels.as_deref_mut(),
                transaction.sid,
            )
        });
        let stream = match stream {
            Ok(stream) => stream,
            Err(fault) => return aborted(fault, transaction.access),
        };
        failing.access = stream.overridden(failing.access);
        let mut stages = Stages::new(false, self.memory, self.features, contexts, levels, pages);
        let answer = match (stream.config, stream.ats) {
            (Config::Abort, _) => return (AtsReply::UnsupportedRequest, None),
            (_, Ats::Off) if !on(Mutant::RequestIgnoresEats) => {
                return (AtsReply::UnsupportedRequest, Some(denied));
            }
            (_, Ats::Full | Ats::Off) => stages
                .staged(transaction, stream, Rights::NONE, &mut failing)
                .map(|(translation, _)| translation),
            (_, Ats::SplitStage) => stages.split(transaction, stream, &mut failing),
        };
        let reply = match answer {
            Ok(translation) => AtsReply::Success(Translation {
                rights: as_overridden(translation.rights, stream),
                ..translation
            }),
            Err(fault) if fault.is_translation_related() && !on(Mutant::AtsFaultIsAbort) => {
                AtsReply::Success(Translation {
                    pa: Pa(0),
                    page_bits: 12,
                    rights: Rights::NONE,
                })
            }
            Err(fault) => return aborted(fault, failing.access),
        };
        (reply, None)
    }
}

/// SMMU_CR2.REC_CFG_ATS, where it exists.
const fn records_configuration(features: &Features, registers: &Registers) -> bool {
    features.atsrecerr && registers.rec_cfg_ats
}

fn translated_bypass(features: &Features, address: u64) -> Result<Translation, Fault> {
    if fits(address, features.oas) {
        Ok(identity(address, features.oas))
    } else {
        Err(Fault::Silent)
    }
}

impl<M, C, P> Stages<'_, '_, M, C, P>
where
    M: GuestMemoryBackend,
    C: Structures<(StreamId, u32), Context>,
    P: Pages,
{
    /// Stage 1's result, with the rights and page size of both stages: 13.6.3 and 13.6.5.
    fn split(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        failing: &mut Failing,
    ) -> Result<Translation, Fault> {
        let Stages {
            features,
            contexts,
            levels,
            walker,
            ..
        } = self;
        let address = transaction.address.0;
        let stage2 = stream
            .stage2
            .as_ref()
            .expect("split-stage ATS is for nested streams");
        let (ipa, page_bits, rights) = match stage1_of(transaction.ssid, stream)? {
            Stage1::Skip => (within_ias(features, address)?, features.oas, Rights::ALL),
            Stage1::Cd(index) => {
                let mut room = None;
                let key = (transaction.sid, index);
                let context = contexts.get(key, &mut room, || {
                    walker.fetch_context(features, stream, key, levels.as_deref_mut(), failing)
                })?;
                let region =
                    region(context, address)?.ok_or(stage1(TranslationFault::Translation))?;
                let space = walker.pages.space(Space::of(stream, context));
                let first =
                    walker.stage1(space, context, region, Some(stage2), untagged(address))?;
                (first.ipa, first.page_bits, first.rights)
            }
        };
        let second = walker.stage2(stage2, ipa, Class::In, Rights::NONE)?;
        Ok(Translation {
            pa: Pa(match on(Mutant::SplitStageGivesPa) {
                true => second.address(ipa),
                false => ipa,
            }),
            page_bits: page_bits.min(second.page_bits),
            rights: rights.and(second.rights),
        })
    }
}

/// The rights that accesses have after STE.{PRIVCFG,INSTCFG}, by what they are before: 13.7 "PCIe permission attribute interpretation".
fn as_overridden(rights: Rights, stream: &Stream) -> Rights {
    let unprivileged = rights.0 & Rights::UNPRIVILEGED.0;
    let privileged = rights.0 >> 3;
    let (unprivileged, privileged) = match stream.privileged {
        None => (unprivileged, privileged),
        Some(false) => (unprivileged, unprivileged),
        Some(true) => (privileged, privileged),
    };
    let of_one = |rights: u8| match stream.instruction {
        None => rights,
        // Reads, bit 0, and instruction fetches, bit 2, are all one or all the other.
        Some(false) => rights & 3 | (rights & 1) << 2,
        Some(true) => rights & 6 | rights >> 2 & 1,
    };
    Rights(of_one(unprivileged) | of_one(privileged) << 3)
}
