//! ATS, the SMMU's side: translation requests, and transactions that come back translated.
//!
//! Arm IHI 0070, 3.9.1 "ATS Interface", STE.EATS, 13.6 "PCIe and ATS attribute/permissions handling".

use vm_memory::GuestMemoryBackend;

use crate::access::{Rights, Transaction, Translation};
use crate::cache::{Caches, Space, untagged};
use crate::fault::{Fault, TranslationFault, stage1};
use crate::features::fits;
use crate::ids::Pa;
use crate::layout::{Class, Config};
use crate::stream::{Ats, Stream};
use crate::translate::{
    Failing, Failure, Policy, Stage1, Translator, identity, stage1_of, stage2_policy,
};

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

impl<M: GuestMemoryBackend, C: Caches> Translator<'_, M, C> {
    /// A translated transaction: Arm IHI 0070, 3.9.1, STE.EATS, 13.6.3.
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
            return self.translated_bypass(address);
        }
        // STE.V: translated transactions that select a broken STE abort without an event.
        let stream = self.stream(transaction).map_err(|_| Fault::Silent)?;
        failing.overridden_by(&stream);
        let needs = failing.access.needs();
        match (stream.config, stream.ats) {
            (Config::Abort, _) => Err(Fault::Silent),
            (_, Ats::Off) => Err(Fault::TranslForbidden),
            (_, Ats::Full) => self.translated_bypass(address),
            (_, Ats::SplitStage) => {
                let stage2 = stream
                    .stage2
                    .as_ref()
                    .expect("split-stage ATS is for nested streams");
                failing.policy = stage2_policy(stage2);
                self.within_ias(address)?;
                let leaf = self.walker().stage2(stage2, address, Class::In, needs)?;
                Ok(Translation {
                    pa: Pa(leaf.address(address)),
                    page_bits: leaf.page_bits,
                    rights: leaf.rights,
                })
            }
        }
    }

    fn translated_bypass(&self, address: u64) -> Result<Translation, Fault> {
        if fits(address, self.features.oas) {
            Ok(identity(address, self.features.oas))
        } else {
            Err(Fault::Silent)
        }
    }

    /// An ATS translation request: Arm IHI 0070, 3.9.1.2 "Responses to ATS Translation Requests", STE.EATS, 5.5, 13.6.
    ///
    /// The access of the transaction says the privilege that is asked for, nothing else. Of events only F_BAD_ATS_TREQ occurs.
    pub(crate) fn ats_request(&mut self, transaction: &Transaction) -> (AtsReply, Option<Failure>) {
        let mut failing = Failing {
            policy: Policy::ABORT_AND_RECORD,
            access: transaction.access,
        };
        let denied = Failure {
            fault: Fault::BadAtsTreq,
            policy: Policy::ABORT_AND_RECORD,
            access: transaction.access,
        };
        if !self.registers.smmuen || !self.features.ats {
            return (AtsReply::UnsupportedRequest, Some(denied));
        }
        let stream = match self.stream(transaction) {
            Ok(stream) => stream,
            Err(_) => return (AtsReply::CompleterAbort, None),
        };
        failing.overridden_by(&stream);
        let answer = match (stream.config, stream.ats) {
            (Config::Abort, _) => return (AtsReply::UnsupportedRequest, None),
            (_, Ats::Off) => return (AtsReply::UnsupportedRequest, Some(denied)),
            (_, Ats::Full) => self.staged(transaction, &stream, Rights::NONE, &mut failing),
            (_, Ats::SplitStage) => self.split_stage(transaction, &stream, &mut failing),
        };
        let reply = match answer {
            Ok(translation) => AtsReply::Success(Translation {
                rights: as_overridden(translation.rights, &stream),
                ..translation
            }),
            Err(fault) if fault.is_translation_related() => AtsReply::Success(Translation {
                pa: Pa(0),
                page_bits: 12,
                rights: Rights::NONE,
            }),
            Err(_) => AtsReply::CompleterAbort,
        };
        (reply, None)
    }

    /// Stage 1's result, with the rights and page size of both stages: 13.6.3 and 13.6.5.
    fn split_stage(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        failing: &mut Failing,
    ) -> Result<Translation, Fault> {
        let address = transaction.address.0;
        let stage2 = stream
            .stage2
            .as_ref()
            .expect("split-stage ATS is for nested streams");
        let (ipa, page_bits, rights) = match stage1_of(transaction.ssid, stream)? {
            Stage1::Skip => (self.within_ias(address)?, self.features.oas, Rights::ALL),
            Stage1::Cd(index) => {
                let context = self.context(transaction, stream, index, failing)?;
                let region = self
                    .region(&context, address)?
                    .ok_or(stage1(TranslationFault::Translation))?;
                let space = Space {
                    vmid: stream.vmid,
                    asid: context.asid,
                };
                let first = self.walker().stage1(
                    space,
                    &context,
                    region,
                    Some(stage2),
                    untagged(address),
                )?;
                (first.ipa, first.page_bits, first.rights)
            }
        };
        let second = self.walker().stage2(stage2, ipa, Class::In, Rights::NONE)?;
        Ok(Translation {
            pa: Pa(ipa),
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
