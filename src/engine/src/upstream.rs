//! What a device's bus may say besides accesses and ATS: transactions of a kind that is not supported, and hints.

use vm_memory::GuestMemoryBackend;

use crate::access::{AddressType, Outcome, Refusal, Rights, Transaction};
use crate::fault::Fault;
use crate::layout::{Event, EventId, EventWord0, EventWord1, PageRequestWord1};
use crate::smmu::Smmu;
use crate::translate::{Failure, Policy};

impl<M: GuestMemoryBackend> Smmu<M> {
    /// Ends a transaction that the bus cannot carry further: F_UUT. Which ones these are is the bus's matter (Arm IHI 0070, 7.3.2, 16.7.1
    /// "Reporting of Unsupported Client Transactions"): an atomic, say, that nothing downstream performs. So is `reason`.
    ///
    /// Recorded even while SMMUEN is 0, as 7.3.2 permits, and with the incoming attributes; not recorded if it came translated (3.9.1.3).
    pub fn refuse_unsupported(&self, transaction: &Transaction, reason: u16) -> Refusal {
        let fault = match transaction.address_type {
            AddressType::Untranslated => Fault::UnsupportedTransaction(reason),
            AddressType::Translated => Fault::Silent,
        };
        let failure = Failure {
            fault,
            policy: Policy::ABORT_AND_RECORD,
            access: transaction.access,
        };
        let refusal = self.refuse(transaction, &failure, &self.registers());
        debug_assert_eq!(refusal.outcome, Outcome::Abort, "nothing of this stalls");
        refusal
    }

    /// A device says that it will soon access `pages` pages of 4 KiB from the transaction's address on, with these rights:
    /// E_PAGE_REQUEST (Arm IHI 0070, 7.3.19). Software may bring them in; nobody answers, and the hint may be lost. While the SMMU is
    /// off or events are, there is nobody to tell.
    pub fn hint_pages(&self, transaction: &Transaction, pages: u8, rights: Rights) {
        let registers = self.registers();
        if !(registers.smmuen && registers.eventqen) {
            return;
        }
        let expected = PageRequestWord1::new()
            .with_span(pages)
            .with_ur(rights.contains(Rights::UNPRIVILEGED_READ))
            .with_uw(rights.contains(Rights::UNPRIVILEGED_WRITE))
            .with_ux(rights.contains(Rights::UNPRIVILEGED_EXECUTE))
            .with_pr(rights.contains(Rights::PRIVILEGED_READ))
            .with_pw(rights.contains(Rights::PRIVILEGED_WRITE))
            .with_px(rights.contains(Rights::PRIVILEGED_EXECUTE));
        self.record(Event {
            word0: EventWord0::new()
                .with_id(EventId::E_PAGE_REQUEST as u8)
                .with_ssv(transaction.ssid.is_some())
                .with_substreamid(transaction.ssid.map_or(0, |ssid| ssid.0))
                .with_streamid(transaction.sid.0),
            word1: EventWord1::from_bits(expected.into_bits()),
            input_addr: transaction.address.0 & !0xfff,
            ipa_or_fetch_addr: 0,
        });
    }
}
