//! Who gets which ASID and which VMID.

use vocab::{Space, Viommu, Vmid};

use crate::caches::ste2;
use crate::machine::{Machine, VmidPer};
use crate::operand::first;
use crate::state::State;
use crate::step::Stop;

impl Machine {
    /// The ASIDs that may be given to a space, as a bit set; none if it has one.
    pub(crate) fn asids_for(&self, state: &State, space: Space) -> u8 {
        let asids = state.memory.asid;
        let viommu = self.viommu_of(space);
        let others =
            (0..self.bounds.spaces).filter(|&other| self.viommu_of(Space(other)) == viommu);
        let taken = others
            .filter_map(|other| asids[other as usize].checked_sub(1))
            .fold(0, |set, asid| set | 1 << asid);
        if asids[space.index()] != 0 {
            return 0;
        }
        first(self.bounds.asids) & !taken
    }

    /// The VMIDs that may be given to a vIOMMU, as a bit set; none if it has one.
    pub(crate) fn vmids_for(&self, state: &State, viommu: Viommu) -> u8 {
        let vmids = state.memory.vmid;
        if vmids[viommu.index()] != 0 {
            return 0;
        }
        let shares = |other: &Viommu| self.vm_of(*other) == self.vm_of(viommu);
        let used = |by: &dyn Fn(&Viommu) -> bool| {
            (0..self.bounds.viommus)
                .map(Viommu)
                .filter(by)
                .filter_map(|other| vmids[other.index()].checked_sub(1))
                .fold(0, |set, vmid| set | 1 << vmid)
        };
        match self.axes.vmid {
            VmidPer::Host => 1,
            VmidPer::Vm if used(&shares) != 0 => used(&shares),
            VmidPer::Vm | VmidPer::Viommu => first(self.bounds.vmids) & !used(&|_| true),
        }
    }

    /// STE word 2 for a vIOMMU's VMID, stored plus one.
    pub(crate) fn ste_word2(&self, vmid: u8, viommu: Viommu) -> u8 {
        vmid.checked_sub(1)
            .map_or(ste2::NONE, |vmid| ste2::new(Vmid(vmid), self.vm_of(viommu)))
    }
}

/// An allocator's choice among candidates. Where there are none, only choice 0 is possible, and takes none.
pub(crate) fn pick(candidates: u8, choice: u8) -> Result<Option<u8>, Stop> {
    match candidates {
        0 if choice == 0 => Ok(None),
        _ if candidates >> choice & 1 == 1 => Ok(Some(choice)),
        _ => Err(Stop::NoSuchChoice),
    }
}
