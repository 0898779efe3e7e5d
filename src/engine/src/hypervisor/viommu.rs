//! A virtual SMMU, as the host's kernel knows it: a VMID, the stage 2 below everything, and the guest's devices.

use super::convert::convert;
use super::{Errno, Vdevices, VirtualSte};
use crate::ids::{StreamId, Vmid};
use crate::layout::{Config, Ste};

/// `IOMMU_VIOMMU_ALLOC` of type ARM_SMMUV3: a slice of one physical SMMU.
#[derive(Clone, Debug)]
pub struct Viommu {
    parent: Ste,
    /// The guest's devices.
    pub devices: Vdevices,
}

impl Viommu {
    /// A virtual SMMU on the stage 2 that `parent` describes. Its VMID is the parent's (`arm_vsmmu_init`), so that two virtual SMMUs on
    /// one parent share their ASIDs' namespace: give each a parent with a VMID of its own.
    ///
    /// # Errors
    /// [`Errno::Invalid`] if `parent` is not a valid STE for stage 2 alone.
    pub fn new(parent: Ste) -> Result<Self, Errno> {
        if !parent.word0.v() || parent.config() != Config::S2 {
            return Err(Errno::Invalid);
        }
        Ok(Viommu {
            parent,
            devices: Vdevices::default(),
        })
    }

    /// The VMID that every translation of this guest carries.
    pub const fn vmid(&self) -> Vmid {
        Vmid(self.parent.word2.s2vmid())
    }

    /// The physical STE of the device `sid` attached to a nested HWPT. Whoever writes it into the stream table invalidates it there,
    /// with CMD_CFGI_STE.
    ///
    /// # Errors
    /// [`Errno::NoEntry`] if the guest's STE translates and the device has no vDEVICE: nobody could name it in an invalidation
    /// (`arm_smmu_attach_prepare_vmaster`).
    pub fn attach(&self, sid: StreamId, vste: &VirtualSte, device_ats: bool) -> Result<Ste, Errno> {
        if vste.config() == Config::S1 && self.devices.virtual_of(sid).is_none() {
            return Err(Errno::NoEntry);
        }
        Ok(vste.physical(&self.parent, device_ats))
    }

    /// A guest's command as the physical SMMU may see it: the VMID is overwritten, the StreamID looked up, everything else kept.
    ///
    /// # Errors
    /// [`Errno::Io`]: an opcode that guests may not use, or a StreamID that is not theirs.
    pub fn convert(&self, command: [u64; 2]) -> Result<[u64; 2], Errno> {
        convert(command, self.vmid(), &self.devices)
    }
}
