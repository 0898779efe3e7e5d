//! ATS, the SMMU's side: translation requests, and transactions that come back translated.
//!
//! Arm IHI 0070, 3.9.1 "ATS Interface", STE.EATS, 13.6 "PCIe and ATS attribute/permissions handling".

use vm_memory::GuestMemoryBackend;

use crate::access::{Access, Rights, Transaction, Translation};
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
                // An address beyond the IAS is a fault of stage 1, of which STE.S2R says nothing.
                within_ias(self.features, address)?;
                failing.policy = Policy::stage2(stage2);
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
    /// F_BAD_ATS_TREQ is the only event, unless SMMU_CR2.REC_CFG_ATS has configuration errors recorded.
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
        let asked = Asked::of(stream, transaction.access);
        let mut stages = Stages::new(false, self.memory, self.features, contexts, levels, pages);
        let answer = match (stream.config, stream.ats) {
            (Config::Abort, _) => return (AtsReply::UnsupportedRequest, None),
            (_, Ats::Off) if !on(Mutant::RequestIgnoresEats) => {
                return (AtsReply::UnsupportedRequest, Some(denied));
            }
            (_, Ats::Full | Ats::Off) => stages
                .staged(transaction, stream, asked.useful(), &mut failing)
                .map(|(translation, _)| translation),
            (_, Ats::SplitStage) => stages.split(transaction, stream, &asked, &mut failing),
        };
        let reply = match answer {
            Ok(translation) => match asked.granted(translation.rights) {
                Rights::NONE => no_access(self.features),
                rights => AtsReply::Success(Translation {
                    rights,
                    ..translation
                }),
            },
            Err(fault) if fault.is_translation_related() && !on(Mutant::AtsFaultIsAbort) => {
                no_access(self.features)
            }
            Err(fault) => return aborted(fault, failing.access),
        };
        (reply, None)
    }
}

/// Success with R = W = 0, of one STU: the smallest granule (3.9.1.2).
const fn no_access(features: &Features) -> AtsReply {
    let page_bits = match features {
        Features { gran4k: true, .. } => 12,
        Features { gran16k: true, .. } => 14,
        _ => 16,
    };
    AtsReply::Success(Translation {
        pa: Pa(0),
        page_bits,
        rights: Rights::NONE,
    })
}

/// What a request asks for, and the STE's overrides of it: 13.7.1 "Permission attributes granted in ATS Translation Completions".
struct Asked {
    execute: bool,
    privileged: bool,
    /// The privilege whose rights are granted, after STE.PRIVCFG.
    effective: bool,
    /// STE.INSTCFG, where it overrides.
    instruction: Option<bool>,
}

impl Asked {
    fn of(stream: &Stream, access: Access) -> Self {
        Asked {
            execute: access.instruction,
            privileged: access.privileged,
            effective: stream.privileged.unwrap_or(access.privileged),
            instruction: stream.instruction,
        }
    }

    /// The rights of which one at least leads to a grant. Where stage 1 has none of them, stage 2 is not asked (3.9.1.2).
    const fn useful(&self) -> Rights {
        let read = match self.instruction {
            Some(true) => 4,
            _ => 1,
        };
        Rights((read | 2) << (3 * self.effective as u8))
    }

    /// What is granted to the privilege that asked, out of what a translation allows.
    const fn granted(&self, allowed: Rights) -> Rights {
        let allowed = allowed.0 >> (3 * self.effective as u8);
        let (read, write, execute) = (allowed & 1, allowed >> 1 & 1, allowed >> 2 & 1);
        let (read, execute) = match self.instruction {
            // To execute is to read: what is execute-only grants nothing.
            None => (read, read & execute),
            // Reads and instruction fetches are all one or all the other.
            Some(true) => (execute, execute),
            Some(false) => (read, read),
        };
        let execute = execute & self.execute as u8;
        Rights((read | write << 1 | execute << 2) << (3 * self.privileged as u8))
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
        asked: &Asked,
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
        if !rights.meets(asked.useful()) {
            return Err(stage1(TranslationFault::Permission));
        }
        let second = walker.stage2(stage2, ipa, Class::In, asked.useful())?;
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
