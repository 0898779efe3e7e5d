//! A translation buffer unit: one device thread's way through the SMMU, with caches of its own.

mod batch;

use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use crate::access::{Access, Refusal, Transaction, Translation};
use crate::ats::AtsReply;
use crate::broadcast::{Full, Message, Reader};
use crate::cache::{Caches, Fast, Missed, Place};
use crate::ids::{Iova, StreamId, SubstreamId};
use crate::layout::Command;
use crate::memory::Words;
use crate::mutant::{Mutant, on};
use crate::registers::Registers;
use crate::smmu::{REGISTERS_CHANGED, Smmu};
use crate::translate::Translator;

/// Translates for one thread. Several may exist, and each keeps what it has learnt to itself.
#[derive(Debug)]
pub struct Tbu<'s, M, C = Fast> {
    smmu: &'s Smmu<M>,
    reader: Reader<'s>,
    registers: Registers,
    caches: C,
}

impl<'s, M, C: Caches> Tbu<'s, M, C> {
    pub(crate) fn new(smmu: &'s Smmu<M>, caches: C) -> Result<Self, Full> {
        // The reader first: a change of registers after it will be told.
        let reader = smmu.broadcast().reader()?;
        Ok(Tbu {
            smmu,
            reader,
            registers: smmu.registers(),
            caches,
        })
    }

    /// The caches, for their counters.
    pub const fn caches(&self) -> &C {
        &self.caches
    }

    /// The caches, for policies that are told what to keep.
    pub const fn caches_mut(&mut self) -> &mut C {
        &mut self.caches
    }

    /// The caches, with what they have learnt.
    pub fn into_caches(self) -> C {
        self.caches
    }
}

impl<'s, M: GuestMemoryBackend, C: Caches> Tbu<'s, M, C> {
    /// Begins a burst of transactions. Until it is dropped, CMD_SYNC waits for this thread to begin another transaction.
    pub fn burst(&mut self) -> Burst<'_, 's, M, C> {
        self.reader.arrive();
        let memory = Words::new(self.smmu.memory());
        Burst { tbu: self, memory }
    }
}

/// A run of transactions of one thread.
///
/// What a transaction was translated to may be used until the next one begins or the burst ends. A thread that goes to sleep ends its
/// burst first, or CMD_SYNC waits for it to wake, as hardware would for a device that leaves a transaction unfinished.
#[derive(Debug)]
pub struct Burst<'t, 's, M: GuestMemoryBackend, C: Caches = Fast> {
    tbu: &'t mut Tbu<'s, M, C>,
    memory: Words<'s, M>,
}

impl<M: GuestMemoryBackend, C: Caches> Burst<'_, '_, M, C> {
    /// Applies the invalidations that were consumed since the last transaction.
    #[inline]
    fn refresh(&mut self) {
        if self.tbu.reader.is_behind() {
            self.catch_up();
        }
    }

    #[cold]
    fn catch_up(&mut self) {
        let Tbu {
            smmu,
            reader,
            registers,
            caches,
        } = &mut *self.tbu;
        reader.refresh(|message| apply(message, smmu, registers, caches));
    }

    /// Where the transaction goes.
    ///
    /// # Errors
    /// [`Refusal`]: how it ends for the device, and what software was told.
    #[inline(always)]
    pub fn translate(&mut self, transaction: &Transaction) -> Result<Translation, Refusal> {
        self.refresh();
        match self.tbu.caches.route(transaction) {
            Ok(translation) => Ok(translation),
            Err(missed) => self.translate_missed(transaction, missed),
        }
    }

    #[inline(always)]
    fn translate_missed(
        &mut self,
        transaction: &Transaction,
        missed: Missed,
    ) -> Result<Translation, Refusal> {
        match missed {
            Missed::Absent(place) => self.resume(transaction, place),
            Missed::Unknown => self.translate_slowly(transaction),
        }
    }

    #[inline(never)]
    fn resume(&mut self, transaction: &Transaction, place: Place) -> Result<Translation, Refusal> {
        let Tbu {
            smmu,
            registers,
            caches,
            ..
        } = &mut *self.tbu;
        let resumed = Translator {
            memory: &mut self.memory,
            features: smmu.features(),
            registers,
            caches,
        }
        .resume(transaction, place);
        match resumed {
            Some(Ok(translation)) => Ok(translation),
            Some(Err(failure)) => Err(smmu.refuse(transaction, &failure, registers)),
            None => self.translate_slowly(transaction),
        }
    }

    #[inline(never)]
    fn translate_slowly(&mut self, transaction: &Transaction) -> Result<Translation, Refusal> {
        let Tbu {
            smmu,
            registers,
            caches,
            ..
        } = &mut *self.tbu;
        let transaction = transaction.as_seen();
        Translator {
            memory: &mut self.memory,
            features: smmu.features(),
            registers,
            caches,
        }
        .translate(&transaction)
        .map_err(|failure| smmu.refuse(&transaction, &failure, registers))
    }

    /// An ATS translation request. `transaction.access` says what is asked for besides reading: writing (!NW), and with a SubstreamID
    /// executing and privilege. The answer's rights are of that privilege alone.
    pub fn ats_request(&mut self, transaction: &Transaction) -> AtsReply {
        self.refresh();
        let Tbu {
            smmu,
            registers,
            caches,
            ..
        } = &mut *self.tbu;
        let mut transaction = *transaction;
        if transaction.ssid.is_none() {
            transaction.access = transaction.access.without_pasid();
        }
        let (reply, failure) = Translator {
            memory: &mut self.memory,
            features: smmu.features(),
            registers,
            caches,
        }
        .ats_request(&transaction);
        if let Some(failure) = failure {
            smmu.refuse(&transaction, &failure, registers);
        }
        reply
    }

    /// Reads `bytes` at a device address, page by page.
    ///
    /// # Errors
    /// The first page's refusal, or an abort if nothing answers at the physical address. Pages before it were read.
    pub fn read(
        &mut self,
        sid: StreamId,
        ssid: Option<SubstreamId>,
        address: Iova,
        bytes: &mut [u8],
    ) -> Result<(), Refusal> {
        let len = bytes.len();
        self.pages(
            sid,
            ssid,
            address,
            Access::READ,
            len,
            |memory, pa, from, to| memory.read_slice(&mut bytes[from..to], pa).is_ok(),
        )
    }

    /// Writes `bytes` at a device address, page by page.
    ///
    /// # Errors
    /// The first page's refusal, or an abort if nothing answers at the physical address. Pages before it were written.
    pub fn write(
        &mut self,
        sid: StreamId,
        ssid: Option<SubstreamId>,
        address: Iova,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        self.pages(
            sid,
            ssid,
            address,
            Access::WRITE,
            bytes.len(),
            |memory, pa, from, to| memory.write_slice(&bytes[from..to], pa).is_ok(),
        )
    }

    fn pages(
        &mut self,
        sid: StreamId,
        ssid: Option<SubstreamId>,
        address: Iova,
        access: Access,
        len: usize,
        mut access_page: impl FnMut(&M, GuestAddress, usize, usize) -> bool,
    ) -> Result<(), Refusal> {
        let mut from = 0;
        while from < len {
            let here = Iova(address.0.wrapping_add(from as u64));
            let translation = self.translate(&Transaction::new(sid, ssid, here, access))?;
            let reach = usize::try_from(translation.reach()).unwrap_or(usize::MAX);
            let to = from.saturating_add(reach).min(len);
            if !access_page(
                self.tbu.smmu.memory(),
                GuestAddress(translation.pa.0),
                from,
                to,
            ) {
                return Err(Refusal::SILENT);
            }
            from = to;
        }
        Ok(())
    }
}

impl<M: GuestMemoryBackend, C: Caches> Drop for Burst<'_, '_, M, C> {
    fn drop(&mut self) {
        self.tbu.reader.leave();
    }
}

/// What one message does to a reader's state.
fn apply<M, C: Caches>(
    message: Message,
    smmu: &Smmu<M>,
    registers: &mut Registers,
    caches: &mut C,
) {
    match message {
        Message::Lagged | Message::Words(REGISTERS_CHANGED) => {
            *registers = smmu.registers();
            if !on(Mutant::B66ResetLeavesCaches) {
                caches.clear();
            }
        }
        Message::Words(words) => {
            let command = Command::decode(words).expect("only legal commands are published");
            caches.invalidate(&command);
        }
    }
}
