//! Faults, and the event records they become: Arm IHI 0070, 7.3.

use crate::access::{Access, Transaction};
use crate::ids::Stag;
use crate::layout::{AtsRequestWord1, Class, Event, EventId, EventWord0, EventWord1};
use crate::mutant::{Mutant, on};

/// Which stage a translation-related fault belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Stage 1, always of the transaction's own address.
    Stage1,
    /// Stage 2.
    Stage2 {
        /// What was being translated.
        class: Class,
        /// The address that stage 2 was given.
        ipa: u64,
    },
}

/// The four faults that CD.{A,R,S} and STE.{S2R,S2S} govern: Arm IHI 0070, 5.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranslationFault {
    /// F_TRANSLATION.
    Translation,
    /// F_ADDR_SIZE.
    AddrSize,
    /// F_ACCESS.
    Access,
    /// F_PERMISSION.
    Permission,
}

/// Why a transaction is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The STE says abort (Config = 0b0xx), or an ATS rule says so: no event.
    Silent,
    /// F_UUT, with an IMPLEMENTATION DEFINED Reason.
    UnsupportedTransaction(u16),
    /// C_BAD_STREAMID.
    BadStreamId,
    /// F_STE_FETCH, with the address.
    SteFetch(u64),
    /// C_BAD_STE.
    BadSte,
    /// F_BAD_ATS_TREQ.
    BadAtsTreq,
    /// F_STREAM_DISABLED.
    StreamDisabled,
    /// F_TRANSL_FORBIDDEN.
    TranslForbidden,
    /// C_BAD_SUBSTREAMID.
    BadSubstreamId,
    /// F_CD_FETCH, with the address.
    CdFetch(u64),
    /// C_BAD_CD.
    BadCd,
    /// F_WALK_EABT.
    WalkEabt {
        /// A stage-2 descriptor was being fetched.
        s2: bool,
        /// For which purpose.
        class: Class,
        /// From where.
        fetch: u64,
    },
    /// One of the four that software chooses the handling of.
    Translation(TranslationFault, Origin),
}

impl Fault {
    /// Whether it can be stalled or be kept silent.
    pub const fn is_translation_related(&self) -> bool {
        matches!(self, Fault::Translation(..))
    }

    /// The record that tells software of this, or `None` for the silent abort.
    ///
    /// `access` is the transaction's after STE.{PRIVCFG,INSTCFG}.
    pub fn event(
        &self,
        transaction: &Transaction,
        access: Access,
        stall: Option<Stag>,
    ) -> Option<Event> {
        let access_word = EventWord1::new()
            .with_pnu(access.privileged)
            .with_ind(access.instruction && !access.write)
            .with_rnw(!access.write || on(Mutant::RnwSaysRead));
        let address = transaction.address.0;
        // 7.3: a record has only the fields that its definition names; the rest is RES0.
        let (id, word1, input_addr, ipa_or_fetch_addr) = match *self {
            Fault::Silent => return None,
            Fault::UnsupportedTransaction(reason) => {
                (EventId::F_UUT, access_word.with_stag(reason), address, 0)
            }
            Fault::BadStreamId => (EventId::C_BAD_STREAMID, EventWord1::new(), 0, 0),
            Fault::SteFetch(fetch) => (EventId::F_STE_FETCH, EventWord1::new(), 0, fetch),
            Fault::BadSte => (EventId::C_BAD_STE, EventWord1::new(), 0, 0),
            Fault::BadAtsTreq => {
                // A request here asks for one STU, and PCIe has no request without read.
                let asked = AtsRequestWord1::new()
                    .with_span(1)
                    .with_r(true)
                    .with_w(access.write)
                    .with_x(access.instruction)
                    .with_privileged(access.privileged);
                let word1 = EventWord1::from_bits(asked.into_bits());
                (EventId::F_BAD_ATS_TREQ, word1, address & !0xfff, 0)
            }
            Fault::StreamDisabled => (EventId::F_STREAM_DISABLED, EventWord1::new(), 0, 0),
            Fault::TranslForbidden => {
                let word1 = EventWord1::new().with_rnw(!access.write);
                (EventId::F_TRANSL_FORBIDDEN, word1, address, 0)
            }
            Fault::BadSubstreamId => (EventId::C_BAD_SUBSTREAMID, EventWord1::new(), 0, 0),
            Fault::CdFetch(fetch) => (EventId::F_CD_FETCH, EventWord1::new(), 0, fetch),
            Fault::BadCd => (EventId::C_BAD_CD, EventWord1::new(), 0, 0),
            Fault::WalkEabt { s2, class, fetch } => {
                let word1 = access_word.with_s2(s2).with_class(class as u8);
                (EventId::F_WALK_EABT, word1, address, fetch)
            }
            Fault::Translation(kind, origin) => {
                let id = match kind {
                    TranslationFault::Translation => EventId::F_TRANSLATION,
                    TranslationFault::AddrSize if on(Mutant::AddrSizeIsTranslation) => {
                        EventId::F_TRANSLATION
                    }
                    TranslationFault::AddrSize => EventId::F_ADDR_SIZE,
                    TranslationFault::Access => EventId::F_ACCESS,
                    TranslationFault::Permission => EventId::F_PERMISSION,
                };
                let (s2, class, ipa) = match origin {
                    Origin::Stage1 => (false, Class::In, 0),
                    Origin::Stage2 { class, .. } if on(Mutant::B64Ipa) => (true, class, address),
                    Origin::Stage2 { ipa, .. } if on(Mutant::B64Class) => (true, Class::In, ipa),
                    Origin::Stage2 { class, ipa } => (true, class, ipa),
                };
                let walk_read = kind == TranslationFault::Permission
                    && class == Class::Tt
                    && !on(Mutant::TtrnwNever);
                let word1 = access_word
                    .with_s2(s2 && !on(Mutant::S2SaysStage1))
                    .with_class(class as u8)
                    .with_ttrnw(walk_read)
                    .with_stall(stall.is_some())
                    .with_stag(stall.map_or(0, |stag| stag.0));
                (id, word1, address, ipa & 0x00ff_ffff_ffff_f000)
            }
        };
        let word0 = EventWord0::new()
            .with_id(id as u8)
            // C_BAD_SUBSTREAMID has no SSV: its SubstreamID is always valid, 0 where none came (7.3.9).
            .with_ssv(
                transaction.ssid.is_some()
                    && (id != EventId::C_BAD_SUBSTREAMID || on(Mutant::SsvOfBadSubstream)),
            )
            .with_substreamid(transaction.ssid.map_or(0, |ssid| ssid.0))
            .with_streamid(transaction.sid.0);
        Some(Event {
            word0,
            word1,
            input_addr,
            ipa_or_fetch_addr,
        })
    }
}

/// A stage-1 fault.
pub(crate) const fn stage1(fault: TranslationFault) -> Fault {
    Fault::Translation(fault, Origin::Stage1)
}
