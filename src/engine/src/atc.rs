//! A device function's address translation cache: the device's side of ATS.
//!
//! Source    PCI Express Base Specification, chapter 10 "ATS Specification"; Arm IHI 0070, 3.9.1 "ATS Interface", 4.5.1 CMD_ATC_INV.
//! Keyed     by PASID and address, never by ASID: the device does not know its ASIDs.
//! Order     an invalidation that arrives while a request is under way voids the request's answer: it is not kept. Nor is it used if
//!           the invalidation was complete before the translated transaction began: the device then begins anew.

use std::collections::HashMap;
use std::sync::Mutex;

use vm_memory::GuestMemoryBackend;

use crate::access::{Access, AddressType, Refusal, Rights, Transaction, Translation};
use crate::ats::AtsReply;
use crate::cache::Caches;
use crate::endpoints::AtcInvalidation;
use crate::ids::{Iova, StreamId, SubstreamId};
use crate::mutant::{Mutant, on};
use crate::tbu::Burst;

/// Why an access through the ATC did not get an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtcMiss {
    /// The SMMU has no translation, or not these rights: a device with PRI would request the page.
    NoTranslation,
    /// UR: ATS is off for this function.
    UnsupportedRequest,
    /// CA: configuration or memory is broken.
    CompleterAbort,
    /// The translated access itself was refused.
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Where the page begins: physical, or an IPA with split-stage ATS.
    base: u64,
    rights: Rights,
}

#[derive(Debug, Default)]
struct Inner {
    /// By PASID (`None` without), page number and log2 of the page's bytes.
    kept: HashMap<(Option<u32>, u64, u8), Kept>,
    /// Page sizes that occur.
    sizes: u64,
    /// Invalidations so far.
    invalidations: u64,
    hits: u64,
    requests: u64,
}

/// One function's cache of at most `capacity` translations; when it is full, it is emptied.
///
/// Shared between the device's thread and whoever delivers invalidations, under a lock: it is a device, not the SMMU's hot path.
#[derive(Debug)]
pub struct Atc {
    sid: StreamId,
    capacity: usize,
    inner: Mutex<Inner>,
}

impl Atc {
    /// An empty cache of the function that `sid` names.
    pub fn new(sid: StreamId, capacity: usize) -> Self {
        Atc {
            sid,
            capacity,
            inner: Mutex::new(Inner::default()),
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no thread panics while it holds the cache")
    }

    /// Translations found here, and requests made to the SMMU.
    pub fn counts(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.hits, inner.requests)
    }

    /// How many translations are kept.
    pub fn len(&self) -> usize {
        self.inner().kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where an access goes, as the memory system sees it: from the cache, or by an ATS request; then as a translated transaction. PCIe
    /// says with a PASID only that an access is privileged or an instruction fetch.
    ///
    /// # Errors
    /// [`AtcMiss`].
    pub fn translate<M: GuestMemoryBackend, C: Caches>(
        &self,
        burst: &mut Burst<'_, '_, M, C>,
        ssid: Option<SubstreamId>,
        address: Iova,
        access: Access,
    ) -> Result<Translation, AtcMiss> {
        let access = match ssid {
            Some(_) => access,
            None => access.without_pasid(),
        };
        loop {
            let before = self.inner().invalidations;
            let translated = match self.find(ssid, address, access) {
                Some(translated) => translated,
                None => self.request(burst, ssid, address, access)?,
            };
            let result = burst.translate(&Transaction {
                sid: self.sid,
                ssid,
                address: Iova(translated),
                access,
                address_type: AddressType::Translated,
            });
            // The CMD_SYNC behind a CMD_ATC_INV waits for transactions that have begun; this one began just now, with an address from
            // before. An invalidation that comes later finds it under way, and is waited with.
            if self.inner().invalidations == before {
                return result.map_err(AtcMiss::Refused);
            }
        }
    }

    fn find(&self, ssid: Option<SubstreamId>, Iova(address): Iova, access: Access) -> Option<u64> {
        let mut inner = self.inner();
        let sizes = inner.sizes;
        let found = (12..=64)
            .filter(|bits| sizes >> (bits - 1) & 1 == 1)
            .find_map(|bits: u8| {
                let page = address.checked_shr(bits.into()).unwrap_or(0);
                let kept = inner.kept.get(&(ssid.map(|ssid| ssid.0), page, bits))?;
                kept.rights
                    .contains(access.needs())
                    .then(|| kept.base | (address & mask(bits)))
            })?;
        inner.hits += 1;
        Some(found)
    }

    fn request<M: GuestMemoryBackend, C: Caches>(
        &self,
        burst: &mut Burst<'_, '_, M, C>,
        ssid: Option<SubstreamId>,
        address: Iova,
        access: Access,
    ) -> Result<u64, AtcMiss> {
        let before = {
            let mut inner = self.inner();
            inner.requests += 1;
            inner.invalidations
        };
        // It asks for Execute wherever it may: rights that it does not ask for it is not told of.
        let asked = Access {
            instruction: ssid.is_some(),
            ..access
        };
        let reply = burst.ats_request(&Transaction::new(self.sid, ssid, address, asked));
        let translation = match reply {
            AtsReply::Success(translation) if translation.rights.contains(access.needs()) => {
                translation
            }
            AtsReply::Success(_) => return Err(AtcMiss::NoTranslation),
            AtsReply::UnsupportedRequest => return Err(AtcMiss::UnsupportedRequest),
            AtsReply::CompleterAbort => return Err(AtcMiss::CompleterAbort),
        };
        let bits = translation.page_bits;
        let mut inner = self.inner();
        if inner.invalidations == before || on(Mutant::AtcKeepsVoidAnswer) {
            if inner.kept.len() >= self.capacity {
                inner.kept.clear();
            }
            let page = address.0.checked_shr(bits.into()).unwrap_or(0);
            let base = translation.pa.0 & !mask(bits);
            let kept = inner.kept.entry((ssid.map(|ssid| ssid.0), page, bits));
            let kept = kept.or_insert(Kept {
                base,
                rights: Rights::NONE,
            });
            // An answer is about one privilege; the other's stays, unless the page has moved.
            let others = match kept.base == base {
                true => kept.rights,
                false => Rights::NONE,
            };
            *kept = Kept {
                base,
                rights: others.or(translation.rights),
            };
            inner.sizes |= 1 << (bits - 1);
        }
        Ok(translation.pa.0)
    }

    /// An ATS invalidation request: forgets what lies in its span, of its PASID. Without a PASID, and with the global flag, of every
    /// PASID; that is also what Linux expects of devices (`arm_smmu_atc_inv_to_cmd` in arm-smmu-v3.c).
    pub fn invalidate(&self, invalidation: &AtcInvalidation) {
        let mut inner = self.inner();
        inner.invalidations += 1;
        let ssid = invalidation.ssid.map(|ssid| ssid.0);
        inner.kept.retain(|&(kept, page, bits), _| {
            let all = ssid.is_none() && !on(Mutant::AtcInvSparesPasids);
            let named = all || invalidation.global || kept == ssid;
            let wider = invalidation.span_bits.max(bits);
            let base = page.checked_shl(bits.into()).unwrap_or(0);
            let overlaps = (base ^ invalidation.address.0) & !mask(wider) == 0;
            !(named && overlaps)
        });
    }

    /// The function whose cache this is.
    pub const fn sid(&self) -> StreamId {
        self.sid
    }
}

/// Address bits within 2^bits bytes.
const fn mask(bits: u8) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}
