//! A transaction's way through the SMMU: Arm IHI 0070, 3.3 "Data structures and translation procedure", 15 "Translation procedure".
//!
//! STE (here), SubstreamID rules (`substream.rs`), CD (`cd.rs`), stage 1, stage 2 (`stages.rs`, `walk.rs`), in the manual's order of
//! faults. Nothing here writes events or stalls: a [`Failure`] says what happened and what software chose to do about it.

mod ahead;
mod cd;
mod failure;
mod stages;
mod substream;

use vm_memory::GuestMemoryBackend;

use crate::access::{AddressType, Rights, Transaction, Translation};
use crate::cache::{Caches, Parts, Place, Route, Structures};
use crate::fault::{Fault, TranslationFault, stage1};
use crate::features::Features;
use crate::ids::Pa;
use crate::layout::Config;
use crate::memory::Words;
use crate::registers::Registers;
use crate::stream::Stream;
use crate::walk::Walker;

pub(crate) use failure::{Failing, Failure, Policy};
pub(crate) use stages::{Stages, region};
pub(crate) use substream::{Stage1, stage1_of};

/// Everything that translating one transaction touches.
pub(crate) struct Translator<'a, 'm, M: GuestMemoryBackend, C> {
    pub(crate) memory: &'a mut Words<'m, M>,
    pub(crate) features: &'a Features,
    pub(crate) registers: &'a Registers,
    pub(crate) caches: &'a mut C,
}

/// An address that passes, as all others of the OAS's size do.
pub(crate) const fn identity(address: u64, oas: u8) -> Translation {
    Translation {
        pa: Pa(address),
        page_bits: oas,
        rights: Rights::ALL,
    }
}

/// The check of an address that skips stage 1.
pub(crate) fn within_ias(features: &Features, address: u64) -> Result<u64, Fault> {
    if features.within_oas(address) {
        Ok(address)
    } else {
        Err(stage1(TranslationFault::AddrSize))
    }
}

impl<M: GuestMemoryBackend, C: Caches> Translator<'_, '_, M, C> {
    /// Where the transaction goes.
    pub(crate) fn translate(&mut self, transaction: &Transaction) -> Result<Translation, Failure> {
        let mut failing = Failing::new(transaction);
        let translated = match transaction.address_type {
            AddressType::Untranslated => self.untranslated(transaction, &mut failing),
            AddressType::Translated => self.translated(transaction, &mut failing),
        };
        translated.map_err(|fault| failing.with(fault))
    }

    /// Goes on where a look-up has failed at the end of a known route: STE, SubstreamID and CD were judged when the route was learnt, and
    /// nothing has invalidated them since.
    #[inline]
    pub(crate) fn resume(
        &mut self,
        transaction: &Transaction,
        place: Place,
    ) -> Option<Result<Translation, Failure>> {
        let (route, needs, pages) = self.caches.resume(place, transaction.access)?;
        let Route { stream, context } = route;
        let mut walker = Walker {
            memory: self.memory,
            pages,
        };
        let mut policy = Policy::ABORT_AND_RECORD;
        let translated = walker.along(
            self.features,
            (stream, context.as_ref()),
            transaction.address.0,
            needs,
            true,
            &mut policy,
        );
        Some(translated.map_err(|fault| Failure {
            fault,
            policy,
            access: stream.overridden(transaction.access),
        }))
    }

    fn untranslated(
        &mut self,
        transaction: &Transaction,
        failing: &mut Failing,
    ) -> Result<Translation, Fault> {
        if !self.registers.smmuen {
            return self.disabled(transaction);
        }
        let (translation, route) = self.configured(transaction, failing)?;
        if let Some(route) = route {
            self.caches.keep_route(transaction, &route);
        }
        Ok(translation)
    }

    /// As the STE says.
    fn configured(
        &mut self,
        transaction: &Transaction,
        failing: &mut Failing,
    ) -> Result<(Translation, Option<Route>), Fault> {
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
        })?;
        failing.access = stream.overridden(failing.access);
        match stream.config {
            Config::Abort => Err(Fault::Silent),
            Config::Bypass => {
                if transaction.ssid.is_some() {
                    return Err(Fault::BadSubstreamId);
                }
                let address = within_ias(self.features, transaction.address.0)?;
                Ok((identity(address, self.features.oas), None))
            }
            Config::S1 | Config::S2 | Config::Nested => {
                let needs = failing.access.needs();
                Stages::new(
                    C::ROUTES,
                    self.memory,
                    self.features,
                    contexts,
                    levels,
                    pages,
                )
                .staged(transaction, stream, needs, failing)
            }
        }
    }

    /// SMMUEN = 0: SMMU_GBPA decides; an address beyond the OAS aborts without an event (3.4).
    fn disabled(&self, transaction: &Transaction) -> Result<Translation, Fault> {
        let address = transaction.address.0;
        if self.registers.gbpa_abort || !self.features.within_oas(address) {
            Err(Fault::Silent)
        } else {
            Ok(identity(address, self.features.oas))
        }
    }
}
