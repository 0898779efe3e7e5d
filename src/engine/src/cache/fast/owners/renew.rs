//! New numbers: how a context is forgotten.

use super::{Globals, Owners, SpaceSlot};
use crate::ids::{Asid, Vmid};
use crate::mutant::{Mutant, on};

impl Owners {
    pub(in crate::cache::fast) fn renew_space(&mut self, slot: u32) {
        let (owner, walk) = (self.number(), self.number());
        let space = &mut self.spaces[slot as usize];
        *space = SpaceSlot {
            vm: space.vm,
            owner,
            walk,
            sizes: 0,
            fractured: false,
        };
    }

    pub(in crate::cache::fast) fn renew_walk(&mut self, slot: u32) {
        self.spaces[slot as usize].walk = self.number();
    }

    pub(in crate::cache::fast) fn renew_global(&mut self, vm: u32) {
        let owners = [self.number(), self.number()];
        self.vms[vm as usize].globals = owners.map(|owner| Globals {
            owner,
            ..Globals::default()
        });
    }

    pub(in crate::cache::fast) fn renew_stage2(&mut self, vm: u32) {
        let (owner, walk) = (self.number(), self.number());
        let vm = &mut self.vms[vm as usize];
        vm.stage2_owner = owner;
        vm.stage2_walk = walk;
        vm.stage2_sizes = 0;
    }

    pub(in crate::cache::fast) fn renew_stage2_walk(&mut self, vm: u32) {
        self.vms[vm as usize].stage2_walk = self.number();
    }

    /// NH_ASID: global entries stay.
    pub(in crate::cache::fast) fn forget_space(&mut self, vmid: Vmid, asid: Asid) {
        if let Some(slot) = self.known_space(vmid, asid) {
            self.renew_space(slot);
        }
    }

    /// NH_ALL: stage-2 entries stay.
    pub(in crate::cache::fast) fn forget_stage1_of(&mut self, vmid: Vmid) {
        if let Some(vm) = self.known_vm(vmid) {
            self.vms[vm as usize].stage1 = self.number();
        }
    }

    /// S12_VMALL.
    pub(in crate::cache::fast) fn forget_vm(&mut self, vmid: Vmid) {
        self.forget_stage1_of(vmid);
        if let Some(vm) = self.known_vm(vmid)
            && !on(Mutant::S12VmallSparesStage2)
        {
            self.renew_stage2(vm);
        }
    }

    /// NSNH_ALL.
    pub(in crate::cache::fast) fn forget_all(&mut self) {
        self.everything = self.number();
    }
}
