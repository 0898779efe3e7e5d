//! What puts properties to the test: without a witness "holds" means nothing.

use vocab::{Device, Page, PropertyId, Slot, Space, Threat, Viommu};

use crate::caches::values;
use crate::machine::Machine;
use crate::op::{Op, PARAM};
use crate::program::OpKind;
use crate::property::{hitless, tear, usable};
use crate::state::State;

impl Machine {
    /// The properties that the return of an operation puts to the test.
    pub(crate) fn tested_by_return(&self, state: &State, op: Op, issued: bool) -> u16 {
        match op.kind {
            // Something that a device may have cached is revoked, by somebody who knew that it may be.
            OpKind::Unmap | OpKind::Exit => {
                let space = op.space().expect(PARAM);
                let is_used = (0..self.slots()).map(Slot).any(|slot| {
                    state.ghost.bound[slot.index()] >> space.0 & 1 == 1
                        && self.may_request(state, slot)
                });
                match is_used && issued {
                    true => PropertyId::S1.bit(),
                    false => 0,
                }
            }
            OpKind::Unbind | OpKind::Replace => PropertyId::Cfg.bit(),
            OpKind::Reclaim => {
                let vm = op.vm().expect(PARAM);
                let in_use = (0..self.bounds.devices).map(Device).any(|device| {
                    Machine::any_stage_2_in_use(&state.caches, device).any(|(_, other)| other == vm)
                });
                let ipa = op.ipa().expect(PARAM);
                let is_mapped = self.threat != Threat::Honest
                    || (0..self.bounds.spaces).map(Space).any(|space| {
                        self.vm_of(self.viommu_of(space)) == vm
                            && state.ghost.bound.iter().any(|&set| set >> space.0 & 1 == 1)
                            && (0..self.bounds.pages)
                                .any(|page| state.memory.ipa(space, Page(page)) == Some(ipa))
                    });
                if in_use && is_mapped {
                    PropertyId::S2.bit()
                } else {
                    0
                }
            }
            // A device has come to a vIOMMU other than its first: what it left behind is put to the test.
            OpKind::Attach => {
                let first = op.device().expect(PARAM).0 % self.bounds.viommus;
                match op.viommu().expect(PARAM).0 == first {
                    true => 0,
                    false => PropertyId::Iso.bit(),
                }
            }
            _ => 0,
        }
    }

    /// The properties that a state puts to the test by what it is.
    pub(crate) fn witnesses_of(&self, state: &State) -> u16 {
        let in_use = usable::pages_in_use(self, state).next().is_some();
        let used = if in_use { PropertyId::Use.bit() } else { 0 };
        used | self.isolation_is_tested(state)
            | tear::witness(self, state)
            | hitless::witness(self, state)
    }

    fn isolation_is_tested(&self, state: &State) -> u16 {
        // Isolation is tested when devices of two VMs can both reach something, or one device has served both.
        if self.bounds.vms < 2 {
            return 0;
        }
        let mut vms = 0u8;
        for slot in (0..self.slots()).map(Slot) {
            let reaches =
                (0..self.bounds.pages).any(|page| self.reach(state, slot, Page(page)) != 0);
            if reaches {
                let attached = state.ghost.attached[self.device_of(slot).index()];
                let device = self.device_of(slot);
                let first = self.vm_of(Viommu(device.0 % self.bounds.viommus));
                for vm in values(attached).map(|viommu| self.vm_of(Viommu(viommu))) {
                    vms |= 1 << vm.0;
                    if vm != first {
                        // It began under another VM: it has moved.
                        vms |= 1 << first.0;
                    }
                }
            }
        }
        if vms.count_ones() > 1 {
            PropertyId::Iso.bit()
        } else {
            0
        }
    }
}
