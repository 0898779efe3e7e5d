//! `vm_memory::Iommu`: one stream of an [`Smmu`] as the IOMMU of a device back-end, for [`vm_memory::IommuMemory`].
//!
//! The trait keeps mappings in a [`vm_memory::Iotlb`], which knows neither ASIDs nor page sizes and is read under a lock that the user
//! holds while it accesses memory. This implementation fills it page by page from the SMMU, and empties it whenever something was
//! invalidated: CMD_SYNC cannot wait for this trait's users, who hold a guard, so [`StreamIommu::invalidated`] must be called once the
//! SYNC has completed, and waits for their guards.

use std::fmt;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use vm_memory::iommu::{Error, IotlbIterator, IovaRange};
use vm_memory::{GuestAddress, GuestMemoryBackend, Iommu, Iotlb, Permissions};

use crate::access::{Access, Rights, Transaction};
use crate::ids::{Iova, StreamId, SubstreamId};
use crate::smmu::Smmu;

/// Mappings that are kept before all are dropped: `Iotlb` has no replacement of its own.
const MOST: usize = 4096;

/// One stream and SubstreamID of an SMMU.
pub struct StreamIommu<M> {
    smmu: Arc<Smmu<M>>,
    sid: StreamId,
    ssid: Option<SubstreamId>,
    iotlb: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    iotlb: Iotlb,
    pages: usize,
    /// Up to where the SMMU's invalidations have been applied.
    position: u64,
}

impl<M> StreamIommu<M> {
    /// The stream's view of memory.
    pub fn new(smmu: Arc<Smmu<M>>, sid: StreamId, ssid: Option<SubstreamId>) -> Self {
        StreamIommu {
            smmu,
            sid,
            ssid,
            iotlb: RwLock::default(),
        }
    }

    /// Drops every mapping if anything was invalidated since they were made. Waits for users that still access memory.
    pub fn invalidated(&self) {
        let mut kept = self.iotlb.write().expect("filling does not panic");
        let position = self.smmu.broadcast().position();
        if kept.position != position {
            *kept = Kept {
                position,
                ..Kept::default()
            };
        }
    }

    fn is_current(&self, kept: &Kept) -> bool {
        kept.position == self.smmu.broadcast().position()
    }
}

impl<M> fmt::Debug for StreamIommu<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamIommu")
            .field("sid", &self.sid)
            .field("ssid", &self.ssid)
            .finish_non_exhaustive()
    }
}

/// Read access to the mappings.
pub struct Guard<'a>(RwLockReadGuard<'a, Kept>);

impl std::ops::Deref for Guard<'_> {
    type Target = Iotlb;

    fn deref(&self) -> &Iotlb {
        &self.0.iotlb
    }
}

impl<M: GuestMemoryBackend + Send + Sync> StreamIommu<M> {
    /// Translates the pages of a range, which ends within the address space, and keeps them.
    fn fill(&self, iova: u64, length: usize, access: Permissions) -> Result<(), Error> {
        let resolve = |reason: String| Error::CannotResolve {
            iova_range: IovaRange {
                base: GuestAddress(iova),
                length,
            },
            reason,
        };
        let end = iova + length as u64;
        let mut tbu = self.smmu.tbu().map_err(|full| resolve(full.to_string()))?;
        let mut kept = self.iotlb.write().expect("filling does not panic");
        let position = self.smmu.broadcast().position();
        if kept.position != position || kept.pages > MOST {
            *kept = Kept {
                position,
                ..Kept::default()
            };
        }
        let mut burst = tbu.burst();
        let mut at = iova;
        while at < end {
            let mut granted = Rights::ALL;
            let mut answer = None;
            for access in accesses(access) {
                let transaction = Transaction::new(self.sid, self.ssid, Iova(at), access);
                let translation = burst
                    .translate(&transaction)
                    .map_err(|refusal| resolve(format!("{:?} at {at:#x}", refusal.outcome)))?;
                granted = granted.and(translation.rights);
                answer = Some(translation);
            }
            let Some(translation) = answer else { break };
            // Clipped to the range: a bypassed stream's page is the whole address space.
            let reach = translation.reach().min(end - at);
            kept.iotlb.set_mapping(
                GuestAddress(at),
                GuestAddress(translation.pa.0),
                reach as usize,
                permissions(granted),
            )?;
            kept.pages += 1;
            at += reach;
        }
        Ok(())
    }
}

/// Devices behind this trait are unprivileged and access data.
fn accesses(access: Permissions) -> impl Iterator<Item = Access> {
    let read = access.allow(Permissions::Read) || access == Permissions::No;
    let read = read.then_some(Access::READ);
    let write = access.has_write().then_some(Access::WRITE);
    read.into_iter().chain(write)
}

fn permissions(rights: Rights) -> Permissions {
    let read = rights.contains(Rights::UNPRIVILEGED_READ);
    let write = rights.contains(Rights::UNPRIVILEGED_WRITE);
    match (read, write) {
        (true, true) => Permissions::ReadWrite,
        (true, false) => Permissions::Read,
        (false, true) => Permissions::Write,
        (false, false) => Permissions::No,
    }
}

impl<M: GuestMemoryBackend + Send + Sync + 'static> Iommu for StreamIommu<M> {
    type IotlbGuard<'a> = Guard<'a>;

    fn translate(
        &self,
        iova: GuestAddress,
        length: usize,
        access: Permissions,
    ) -> Result<IotlbIterator<Guard<'_>>, Error> {
        // `Iotlb` adds these without looking.
        if iova.0.checked_add(length as u64).is_none() {
            return Err(Error::CannotResolve {
                iova_range: IovaRange { base: iova, length },
                reason: "the range runs beyond the address space".to_owned(),
            });
        }
        // The second round may find its mappings dropped by an invalidation; whoever invalidates all the time is told so.
        for _ in 0..3 {
            let kept = self.iotlb.read().expect("filling does not panic");
            if self.is_current(&kept) {
                if let Ok(found) = Iotlb::lookup(Guard(kept), iova, length, access) {
                    return Ok(found);
                }
            } else {
                // Filling takes the lock for writing.
                drop(kept);
            }
            self.fill(iova.0, length, access)?;
        }
        Err(Error::CannotResolve {
            iova_range: IovaRange { base: iova, length },
            reason: "invalidations come faster than translations".to_owned(),
        })
    }
}
