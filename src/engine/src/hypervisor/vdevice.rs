//! vDEVICEs: by which StreamID a guest knows which device.

use std::collections::BTreeMap;

use super::Errno;
use crate::ids::StreamId;

/// The virtual StreamIDs of one virtual SMMU: `IOMMU_VDEVICE_ALLOC`.
#[derive(Clone, Debug, Default)]
pub struct Vdevices {
    by_virtual: BTreeMap<StreamId, StreamId>,
}

impl Vdevices {
    /// Gives the device `sid` the virtual StreamID `vsid`.
    ///
    /// # Errors
    /// [`Errno::Exists`] if the number is taken, or the device has one already.
    pub fn add(&mut self, vsid: StreamId, sid: StreamId) -> Result<(), Errno> {
        if self.by_virtual.contains_key(&vsid) || self.virtual_of(sid).is_some() {
            return Err(Errno::Exists);
        }
        self.by_virtual.insert(vsid, sid);
        Ok(())
    }

    /// Destroys a vDEVICE.
    ///
    /// # Errors
    /// [`Errno::NoEntry`] if there is none.
    pub fn remove(&mut self, vsid: StreamId) -> Result<(), Errno> {
        self.by_virtual
            .remove(&vsid)
            .map(|_| ())
            .ok_or(Errno::NoEntry)
    }

    /// The device that a guest's command names (`arm_vsmmu_vsid_to_sid`).
    ///
    /// # Errors
    /// [`Errno::Io`] if the guest has no such device.
    pub fn physical(&self, vsid: StreamId) -> Result<StreamId, Errno> {
        self.by_virtual.get(&vsid).copied().ok_or(Errno::Io)
    }

    /// How the guest calls a device; for events, too.
    pub fn virtual_of(&self, sid: StreamId) -> Option<StreamId> {
        self.by_virtual
            .iter()
            .find_map(|(&vsid, &known)| (known == sid).then_some(vsid))
    }
}
