//! The array of `struct iommu_hwpt_invalidate`, as a VMM passes it.
//!
//! Source    Linux, `iommufd_hwpt_invalidate` in `drivers/iommu/iommufd/hw_pagetable.c` (what the core checks),
//!           `iommu_copy_struct_from_full_user_array` in `include/linux/iommu.h` (how entries of another length are read),
//!           `copy_struct_from_user`. `entry_num` is written back on every path.

use super::{Contract, Errno, Host, Invalidated, LARGEST, Viommu};

/// IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3.
pub const DATA_ARM_SMMUV3: u32 = 1;
/// Bytes of `struct iommu_viommu_arm_smmuv3_invalidate`.
const ENTRY: usize = 16;

/// What the ioctl is given besides the object.
#[derive(Clone, Copy, Debug)]
pub struct UserArray<'a> {
    /// `data_uptr`: the VMM's memory from there on; `None` is a null pointer.
    pub data: Option<&'a [u8]>,
    /// `data_type`.
    pub data_type: u32,
    /// `entry_len`: bytes from one entry to the next.
    pub entry_len: u32,
    /// `entry_num`.
    pub entry_num: u32,
}

impl Viommu {
    /// `IOMMU_HWPT_INVALIDATE` on this virtual SMMU: checks and copies the array, then [`Viommu::invalidate`].
    ///
    /// Before a command is looked at, it fails with [`Errno::Invalid`] for entries that are nowhere or have no length, and for another data
    /// type; with [`Errno::Fault`] where the VMM's memory ends; with [`Errno::TooBig`] if an entry says something behind what is known.
    /// Shorter entries are zero there. Then `entry_num` is 0, but for Linux's [`Errno::NoMemory`], which leaves it as it was.
    pub fn hwpt_invalidate(
        &self,
        host: &mut dyn Host,
        contract: Contract,
        array: &UserArray<'_>,
    ) -> Invalidated {
        match copy(array) {
            Ok(commands) => self.invalidate(host, contract, &commands),
            Err(errno) => Invalidated {
                result: Err(errno),
                entry_num: match (contract, errno) {
                    (Contract::Linux, Errno::NoMemory) => array.entry_num as usize,
                    _ => 0,
                },
            },
        }
    }
}

fn copy(array: &UserArray<'_>) -> Result<Vec<[u64; 2]>, Errno> {
    let (count, len) = (array.entry_num as usize, array.entry_len as usize);
    let nowhere = array.data.is_none() || len == 0;
    if count != 0 && nowhere {
        return Err(Errno::Invalid);
    }
    // The copy is allocated before anything is read.
    if count > LARGEST {
        return Err(Errno::NoMemory);
    }
    if array.data_type != DATA_ARM_SMMUV3 {
        return Err(Errno::Invalid);
    }
    let data = array.data.unwrap_or(&[]);
    (0..count)
        .map(|nth| {
            let entry = data.get(nth * len..).and_then(|data| data.get(..len));
            entry.ok_or(Errno::Fault).and_then(command)
        })
        .collect()
}

/// One entry, of whatever length the VMM knows.
fn command(entry: &[u8]) -> Result<[u64; 2], Errno> {
    let (known, beyond) = entry.split_at(entry.len().min(ENTRY));
    if beyond.iter().any(|&byte| byte != 0) {
        return Err(Errno::TooBig);
    }
    let mut words = [[0; 8]; 2];
    for (word, bytes) in words.iter_mut().zip(known.chunks(8)) {
        word[..bytes.len()].copy_from_slice(bytes);
    }
    Ok(words.map(u64::from_le_bytes))
}
