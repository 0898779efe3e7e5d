//! The state in which a run begins.

use vocab::{Device, Ipa, Viommu, Vm};

use crate::caches::{ste0, ste1};
use crate::machine::{Machine, S1dss, VmidPer};
use crate::program::{Kind, TableStart};
use crate::state::State;

impl Machine {
    /// Memory and ghosts before anybody moves: stage 2 maps everything, every device that can be is attached, nothing is bound.
    pub(crate) fn set_up(&self, state: &mut State) {
        let bounds = &self.bounds;
        for vm in (0..bounds.vms).map(Vm) {
            state.memory.s2[vm.index()] = ((1u16 << bounds.ipas) - 1) as u8;
            for ipa in (0..bounds.ipas).map(Ipa) {
                state.ghost.lent[vm.index()] |= 1 << self.frame(vm, ipa).0;
                state.ghost.steady_frames |= 1 << self.frame(vm, ipa).0;
            }
        }
        for viommu in (0..bounds.viommus).map(Viommu) {
            let vmid = match self.axes.vmid {
                VmidPer::Viommu => viommu.0,
                VmidPer::Vm => self.vm_of(viommu).0,
                VmidPer::Host => 0,
            };
            if vmid < bounds.vmids {
                state.memory.vmid[viommu.index()] = vmid + 1;
            }
        }
        for device in (0..bounds.devices).map(Device) {
            let viommu = Viommu(device.0 % bounds.viommus);
            let vmid = state.memory.vmid[viommu.index()];
            if vmid == 0 {
                continue;
            }
            state.memory.ste0[device.index()] = ste0::nested(viommu);
            let bypass = self.axes.s1dss == S1dss::Bypass;
            state.memory.ste1[device.index()] = ste1::new(self.axes.ats, bypass);
            state.memory.ste2[device.index()] = self.ste_word2(vmid, viommu);
            state.ghost.attached[device.index()] = 1 << viommu.0;
            state.ghost.steady_devices |= 1 << device.0;
            for (table, content) in self.code.tables.iter().zip(&mut state.memory.tables) {
                match (table.start, table.key) {
                    (TableStart::Empty, _) => {}
                    (TableStart::Attached, Kind::Vm) => {
                        content[self.vm_of(viommu).index()] |= 1 << viommu.0;
                    }
                    (TableStart::Attached, _) => content[viommu.index()] |= 1 << device.0,
                }
            }
        }
    }
}
