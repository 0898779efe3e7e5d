//! A transaction's way through the SMMU: Arm IHI 0070, 3.3 "Data structures and translation procedure", 15 "Translation procedure".
//!
//! STE, SubstreamID rules, CD, stage 1, stage 2, in the manual's order of faults. Nothing here writes events or stalls: a
//! [`Failure`] says what happened and what software chose to do about it.

use vm_memory::GuestMemoryBackend;

use crate::access::{Access, AddressType, Rights, Transaction, Translation};
use crate::cache::{Caches, Leaf, Space, untagged};
use crate::context::{Context, Region};
use crate::fault::{Fault, Origin, TranslationFault, stage1};
use crate::features::{Features, fits};
use crate::ids::{Pa, SubstreamId};
use crate::layout::{Cd, Class, Config, L1Cd};
use crate::memory::{read_word, read_words};
use crate::registers::Registers;
use crate::stream::{CdTable, CdTableFormat, DefaultSubstream, Stage2, Stream};
use crate::walk::Walker;

/// How a fault is handled: CD.{A,R,S}, or STE.{S2R,S2S} with an implied A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) abort: bool,
    pub(crate) record: bool,
    pub(crate) stall: bool,
}

impl Policy {
    pub(crate) const ABORT_AND_RECORD: Policy = Policy {
        abort: true,
        record: true,
        stall: false,
    };
}

/// A refused transaction, before anyone has been told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) policy: Policy,
    /// After STE.{PRIVCFG,INSTCFG}.
    pub(crate) access: Access,
}

/// Which way stage 1 goes.
pub(crate) enum Stage1 {
    Skip,
    Cd(u32),
}

/// Everything that translating one transaction touches.
pub(crate) struct Translator<'a, M, C> {
    pub(crate) memory: &'a M,
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

impl<M: GuestMemoryBackend, C: Caches> Translator<'_, M, C> {
    /// Where the transaction goes.
    pub(crate) fn translate(&mut self, transaction: &Transaction) -> Result<Translation, Failure> {
        let mut failing = Failing {
            policy: Policy::ABORT_AND_RECORD,
            access: transaction.access,
        };
        let translated = match transaction.address_type {
            AddressType::Untranslated => self.untranslated(transaction, &mut failing),
            AddressType::Translated => self.translated(transaction, &mut failing),
        };
        translated.map_err(|fault| Failure {
            fault,
            policy: failing.policy,
            access: failing.access,
        })
    }

    fn untranslated(
        &mut self,
        transaction: &Transaction,
        failing: &mut Failing,
    ) -> Result<Translation, Fault> {
        if !self.registers.smmuen {
            return self.disabled(transaction);
        }
        let stream = self.stream(transaction)?;
        failing.overridden_by(&stream);
        let needs = failing.access.needs();
        match stream.config {
            Config::Abort => Err(Fault::Silent),
            Config::Bypass => {
                if transaction.ssid.is_some() {
                    return Err(Fault::BadSubstreamId);
                }
                self.within_ias(transaction.address.0)
                    .map(|address| identity(address, self.features.oas))
            }
            Config::S1 | Config::S2 | Config::Nested => {
                self.staged(transaction, &stream, needs, failing)
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

    /// The check of an address that skips stage 1.
    pub(crate) fn within_ias(&self, address: u64) -> Result<u64, Fault> {
        if self.features.within_oas(address) {
            Ok(address)
        } else {
            Err(stage1(TranslationFault::AddrSize))
        }
    }

    pub(crate) fn stream(&mut self, transaction: &Transaction) -> Result<Stream, Fault> {
        if let Some(stream) = self.caches.stream(transaction.sid) {
            return Ok(stream);
        }
        let stream = Stream::fetch(self.memory, self.features, self.registers, transaction.sid)?;
        self.caches.keep_stream(transaction.sid, &stream);
        Ok(stream)
    }

    /// Through one or both stages.
    pub(crate) fn staged(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        needs: Rights,
        failing: &mut Failing,
    ) -> Result<Translation, Fault> {
        let address = transaction.address.0;
        let leaf = match stage1_of(transaction.ssid, stream)? {
            Stage1::Skip => {
                self.within_ias(address)?;
                let Some(stage2) = &stream.stage2 else {
                    return Ok(identity(address, self.features.oas));
                };
                failing.policy = stage2_policy(stage2);
                let leaf = self.walker().stage2(stage2, address, Class::In, needs)?;
                self.caches.keep_route(transaction, stream, None);
                leaf
            }
            Stage1::Cd(index) => {
                let context = self.context(transaction, stream, index, failing)?;
                let leaf = self.combined(&context, stream, address, needs, failing)?;
                self.caches.keep_route(transaction, stream, Some(&context));
                leaf
            }
        };
        Ok(Translation {
            pa: Pa(leaf.address(address)),
            page_bits: leaf.page_bits,
            rights: leaf.rights,
        })
    }

    pub(crate) fn walker(&mut self) -> Walker<'_, M, C> {
        Walker {
            memory: self.memory,
            features: self.features,
            caches: self.caches,
        }
    }

    /// Finds and checks the CD with this index: Arm IHI 0070, 5.3 L1CD and 5.4 CD. Its address is an IPA if stage 2 translates.
    pub(crate) fn context(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        index: u32,
        failing: &mut Failing,
    ) -> Result<Context, Fault> {
        if let Some(context) = self.caches.context(transaction.sid, index) {
            return Ok(context);
        }
        let cds = stream
            .cds
            .as_ref()
            .expect("a CD is only looked for where stage 1 translates");
        let slot = match cds.format {
            CdTableFormat::Linear => cds.pointer + u64::from(index) * Cd::SIZE,
            CdTableFormat::TwoLevel { leaf_bits } => {
                let address = cds.pointer + u64::from(index >> leaf_bits) * 8;
                let address = self.structure_address(stream, address, failing)?;
                let l1cd = read_word(self.memory, address).map_err(|_| Fault::CdFetch(address))?;
                let l1cd = L1Cd::from_bits(l1cd);
                // 3.4.3, notes 3 and 4: a pointer beyond the OAS or IAS is a bad SubstreamID.
                if !l1cd.v() || !self.features.within_oas(l1cd.l2_table()) {
                    return Err(Fault::BadSubstreamId);
                }
                let within = u64::from(index) & ((1 << leaf_bits) - 1);
                l1cd.l2_table() + within * Cd::SIZE
            }
        };
        let address = self.structure_address(stream, slot, failing)?;
        let words = read_words(self.memory, address).map_err(|_| Fault::CdFetch(address))?;
        let context = Context::check(&Cd::from_words(words), self.features, cds)?;
        self.caches.keep_context(transaction.sid, index, &context);
        Ok(context)
    }

    /// Where a structure that the stream's owner placed lies in memory.
    fn structure_address(
        &mut self,
        stream: &Stream,
        address: u64,
        failing: &mut Failing,
    ) -> Result<u64, Fault> {
        let Some(stage2) = &stream.stage2 else {
            return if self.features.within_oas(address) {
                Ok(address)
            } else {
                Err(Fault::CdFetch(address))
            };
        };
        let before = std::mem::replace(&mut failing.policy, stage2_policy(stage2));
        let page = self
            .walker()
            .stage2(stage2, address, Class::Cd, Rights::UNPRIVILEGED_READ)?;
        failing.policy = before;
        Ok(page.address(address))
    }

    /// Stage 1, and stage 2 of what it yields.
    fn combined(
        &mut self,
        context: &Context,
        stream: &Stream,
        va: u64,
        needs: Rights,
        failing: &mut Failing,
    ) -> Result<Leaf, Fault> {
        failing.policy = Policy {
            abort: context.abort,
            record: context.record,
            stall: context.stall,
        };
        let space = Space {
            vmid: stream.vmid,
            asid: context.asid,
        };
        let region = self.region(context, va)?;
        if let Some(leaf) = self.caches.translation(space, untagged(va))
            && leaf.rights.contains(needs)
        {
            return Ok(leaf);
        }
        let region = region.ok_or(stage1(TranslationFault::Translation))?;
        let leaf = self
            .stages(space, context, region, stream, va, needs)
            .inspect_err(|fault| {
                if let Fault::Translation(_, Origin::Stage2 { .. }) = fault {
                    failing.policy =
                        stage2_policy(stream.stage2.as_ref().expect("stage 2 faulted"));
                }
            })?;
        self.caches.keep_translation(space, untagged(va), &leaf);
        Ok(leaf)
    }

    /// The tables for `va`. An address that no half can hold faults at once; one whose half has no walks (CD.EPDx) or is too small for
    /// it may still be in the TLB: Arm IHI 0070, CD.EPD0.
    pub(crate) fn region<'c>(
        &self,
        context: &'c Context,
        va: u64,
    ) -> Result<Option<&'c Region>, Fault> {
        match context.half(va) {
            None => Err(stage1(TranslationFault::Translation)),
            Some(_) => Ok(context.region(va)),
        }
    }

    fn stages(
        &mut self,
        space: Space,
        context: &Context,
        region: &Region,
        stream: &Stream,
        va: u64,
        needs: Rights,
    ) -> Result<Leaf, Fault> {
        let mut walker = self.walker();
        let first = walker.stage1(space, context, region, stream.stage2.as_ref(), untagged(va))?;
        if !first.rights.contains(needs) {
            return Err(stage1(TranslationFault::Permission));
        }
        let page = match &stream.stage2 {
            None => Leaf {
                base: first.ipa >> first.page_bits << first.page_bits,
                page_bits: first.page_bits,
                rights: Rights::ALL,
                global: first.global,
                named_bits: first.page_bits,
            },
            Some(stage2) => walker.stage2(stage2, first.ipa, Class::In, needs)?,
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

/// What is known of a transaction while it is being translated, in case it fails.
pub(crate) struct Failing {
    pub(crate) policy: Policy,
    pub(crate) access: Access,
}

impl Failing {
    pub(crate) fn overridden_by(&mut self, stream: &Stream) {
        if let Some(privileged) = stream.privileged {
            self.access.privileged = privileged;
        }
        if let Some(instruction) = stream.instruction {
            self.access.instruction = instruction;
        }
    }
}

pub(crate) const fn stage2_policy(stage2: &Stage2) -> Policy {
    Policy {
        abort: true,
        record: stage2.record,
        stall: stage2.stall,
    }
}

/// The SubstreamID rules: STE.{S1DSS,S1CDMax}, 7.3.7 F_STREAM_DISABLED, 7.3.9 C_BAD_SUBSTREAMID.
pub(crate) fn stage1_of(ssid: Option<SubstreamId>, stream: &Stream) -> Result<Stage1, Fault> {
    let Some(cds) = &stream.cds else {
        return match ssid {
            None => Ok(Stage1::Skip),
            Some(_) => Err(Fault::BadSubstreamId),
        };
    };
    match (ssid, cds) {
        (None, CdTable { cdmax: 0, .. }) => Ok(Stage1::Cd(0)),
        (None, cds) => match cds.dss {
            DefaultSubstream::Terminate => Err(Fault::StreamDisabled),
            DefaultSubstream::Bypass => Ok(Stage1::Skip),
            DefaultSubstream::Cd0 => Ok(Stage1::Cd(0)),
        },
        (Some(_), CdTable { cdmax: 0, .. }) => Err(Fault::BadSubstreamId),
        (Some(SubstreamId(ssid)), cds) if !fits(u64::from(ssid), cds.cdmax) => {
            Err(Fault::BadSubstreamId)
        }
        (Some(SubstreamId(0)), cds) if cds.dss == DefaultSubstream::Cd0 => {
            Err(Fault::StreamDisabled)
        }
        (Some(SubstreamId(ssid)), _) => Ok(Stage1::Cd(ssid)),
    }
}
