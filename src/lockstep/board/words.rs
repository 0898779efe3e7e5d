//! The model's words of memory as 64-bit stores.

use model::state::{Memory as Words, descriptor, leaf};
use vocab::{Device, Ipa, Page, Slot, Space, Viommu, Vm};

use super::Board;
use crate::lockstep::{encode, map};

impl Board<'_> {
    /// Stores every word that differs, each with one 64-bit store (words 2 and 3 of an STE with two).
    pub(super) fn write(&mut self, new: &Words) {
        let old = std::mem::replace(&mut self.held, *new);
        let (old, machine) = (&old, self.machine);
        for space in (0..machine.bounds.spaces).map(Space) {
            for page in (0..machine.bounds.pages).map(Page) {
                let place = leaf(space, page);
                if old.pte[place] != new.pte[place] {
                    let at = self.of_space(space, map::stage_1_entry(space, page));
                    self.store(at, encode::leaf(new.pte[place]));
                }
            }
        }
        for viommu in (0..machine.bounds.viommus).map(Viommu) {
            for slot in (0..machine.slots()).map(Slot) {
                self.write_cd(viommu, slot, old, new);
            }
        }
        for device in (0..machine.bounds.devices).map(Device) {
            let place = device.index();
            let at = map::ste(device);
            if old.ste0[place] != new.ste0[place] {
                self.store(at, encode::ste_word0(device, new.ste0[place]));
            }
            if old.ste1[place] != new.ste1[place] {
                self.store(at + 8, encode::ste_word1(machine, new.ste1[place]));
            }
            if old.ste2[place] != new.ste2[place] {
                let [word2, word3] = encode::ste_words2(new.ste2[place]);
                self.store(at + 24, word3);
                self.store(at + 16, word2);
            }
        }
        for vm in (0..machine.bounds.vms).map(Vm) {
            for ipa in (0..machine.bounds.ipas).map(Ipa) {
                let has = |words: &Words| words.s2[vm.index()] >> ipa.0 & 1 == 1;
                if has(old) != has(new) {
                    let leaf = match has(new) {
                        true => encode::stage_2_leaf(encode::frame(vm, ipa)),
                        false => 0,
                    };
                    self.store(map::stage_2_entry(vm, ipa), leaf);
                }
            }
        }
    }

    fn write_cd(&mut self, viommu: Viommu, slot: Slot, old: &Words, new: &Words) {
        let place = descriptor(viommu, slot);
        let table = map::cd_table(viommu, self.machine.device_of(slot));
        let vm = self.machine.vm_of(viommu);
        let at = map::physical(
            vm,
            table + u64::from(encode::index(self.machine, slot).0) * 64,
        );
        if old.cd0[place] != new.cd0[place] {
            self.store(at, encode::cd_word0(new.cd0[place]));
        }
        if old.cd1[place] != new.cd1[place] {
            self.store(at + 8, encode::cd_word1(new.cd1[place]));
        }
    }
}
