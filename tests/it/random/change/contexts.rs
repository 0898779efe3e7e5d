//! CDs, L1CDs, and what all CDs of a space repeat.

use super::super::config::{Cd, Link, cd_words};
use super::super::need::Need;
use super::super::past::{RecordId, Stages};
use super::super::shape::{SPACES, VMIDS};
use super::super::world::World;
use super::{Busy, Done, everything, ssid};

impl World {
    pub(super) fn cd(&mut self, device: u8, slot: u8, space: u8, flags: u8) -> Done {
        let device = usize::from(device) % self.devices.len();
        let slots = self.devices[device].slots.len();
        let slot = usize::from(slot) % slots;
        let vm = self.devices[device].vm;
        if self.vms[vm].hostile {
            return Ok(());
        }
        let space = vm * SPACES + usize::from(space) % SPACES;
        let (asid, epd) = (self.spaces[space].asid, self.spaces[space].epd);
        let cd = Cd {
            valid: flags & 7 != 0,
            space,
            asid,
            epd,
            record: flags & 0x18 != 0,
            abort: flags & 0x60 != 0,
        };
        let old = self.devices[device].slots[slot].cd.now;
        if old == cd || !old.valid && !cd.valid {
            return Ok(());
        }
        // More than one word changes only while the CD is invalid, and nobody sees that it was not.
        let in_place = old.valid && (!cd.valid || old.space == cd.space);
        if !in_place && (old.valid || !self.pending.is_empty()) {
            if old.valid {
                self.set_cd(
                    device,
                    slot,
                    Cd {
                        valid: false,
                        ..old
                    },
                );
            }
            return Err(Busy);
        }
        self.set_cd(
            device,
            slot,
            if cd.valid {
                cd
            } else {
                Cd {
                    valid: false,
                    ..old
                }
            },
        );
        Ok(())
    }

    pub(super) fn set_cd(&mut self, device: usize, slot: usize, cd: Cd) {
        let (sid, at) = (self.devices[device].sid, &self.devices[device].slots[slot]);
        let needs = vec![
            vec![Need::Cd { sid, ssid: at.ssid }],
            vec![everything(sid, ssid(at.ssid))],
        ];
        let record = self.pending.open(Stages {
            needs,
            stage2: 1,
            smmu: 1,
        });
        self.store_cd(device, slot, cd, record);
    }

    /// Word 0 last: it has V.
    pub(super) fn store_cd(
        &mut self,
        device: usize,
        slot: usize,
        cd: Cd,
        record: Option<RecordId>,
    ) {
        let (vm, at) = (self.devices[device].vm, self.devices[device].slots[slot].at);
        let [word0, word1, word2] = cd_words(&cd, self.space_words(cd.space));
        if cd.valid && !self.devices[device].slots[slot].cd.now.valid {
            self.write(vm, at + 8, word1);
            self.write(vm, at + 16, word2);
        }
        self.write(vm, at, word0);
        self.devices[device].slots[slot].cd.set(cd, record);
    }

    pub(super) fn l1cd(&mut self, device: u8, slot: u8, how: u8) -> Done {
        let device = usize::from(device) % self.devices.len();
        let it = &self.devices[device];
        let Some(split) = it.cd_split() else {
            return Ok(());
        };
        if self.vms[it.vm].hostile {
            return Ok(());
        }
        let (sid, vm) = (it.sid, it.vm);
        let l1 = it.slots[usize::from(slot) % it.slots.len()].ssid >> split;
        let (at, leaf) = (it.table + u64::from(l1) * 8, it.leaves[&l1]);
        let link = it.l1cds[&l1].now.other(how);
        let word = match link {
            Link::There => leaf | 1,
            Link::Invalid => 0,
            Link::Astray => it.astray() | 1,
        };
        let mut config = vec![Need::L1Cd {
            sid,
            ssid: l1 << split,
            split,
        }];
        let mut atc = Vec::new();
        for slot in it.slots.iter().filter(|slot| slot.ssid >> split == l1) {
            config.push(Need::Cd {
                sid,
                ssid: slot.ssid,
            });
            atc.push(everything(sid, ssid(slot.ssid)));
        }
        let record = self.pending.open(Stages {
            needs: vec![config, atc],
            stage2: 1,
            smmu: 1,
        });
        self.write(vm, at, word);
        let l1cd = self.devices[device]
            .l1cds
            .get_mut(&l1)
            .expect("every slot has an L1CD");
        l1cd.set(link, record);
        Ok(())
    }

    pub(super) fn rollover(&mut self, space: u8) -> Done {
        let space = usize::from(space) % self.spaces.len();
        let vm = self.spaces[space].vm;
        if self.vms[vm].hostile {
            return Ok(());
        }
        if !self.pending.is_empty() {
            return Err(Busy);
        }
        let used: Vec<_> = self
            .spaces
            .iter()
            .filter(|space| space.vm == vm)
            .map(|space| space.asid)
            .collect();
        let old = self.spaces[space].asid;
        let asid = (1..)
            .map(|step| (old + step - 1) % 4 + 1)
            .find(|asid| !used.contains(asid))
            .expect("four ASIDs are enough");
        let record = self.rewrite_cds(space, |cd| Cd { asid, ..cd });
        self.spaces[space].asid = asid;
        self.spaces[space].old = record.map(|record| (old, record)).into_iter().collect();
        Ok(())
    }

    pub(super) fn epd(&mut self, space: u8, upper: bool) -> Done {
        let space = usize::from(space) % self.spaces.len();
        if self.vms[self.spaces[space].vm].hostile {
            return Ok(());
        }
        if !self.pending.is_empty() {
            return Err(Busy);
        }
        let mut epd = self.spaces[space].epd;
        epd[usize::from(upper)] ^= true;
        self.spaces[space].epd = epd;
        self.rewrite_cds(space, |cd| Cd { epd, ..cd });
        Ok(())
    }

    /// Changes word 0 of all valid CDs of a space in a way that its TLB entries are tagged or bound by.
    pub(super) fn rewrite_cds(
        &mut self,
        space: usize,
        change: impl Fn(Cd) -> Cd,
    ) -> Option<RecordId> {
        let (vmid, asid) = (VMIDS[self.spaces[space].vm], self.spaces[space].asid);
        let mut places = Vec::new();
        let (mut config, mut atc) = (Vec::new(), Vec::new());
        for (index, device) in self.devices.iter().enumerate() {
            for (slot, at) in device.slots.iter().enumerate() {
                if at.cd.now.valid && at.cd.now.space == space {
                    places.push((index, slot));
                    config.push(Need::Cd {
                        sid: device.sid,
                        ssid: at.ssid,
                    });
                    atc.push(everything(device.sid, ssid(at.ssid)));
                }
            }
        }
        let needs = vec![config, vec![Need::Asid { vmid, asid }], atc];
        let record = self.pending.open(Stages {
            needs,
            stage2: 2,
            smmu: 2,
        });
        for (device, slot) in places {
            let cd = change(self.devices[device].slots[slot].cd.now);
            self.store_cd(device, slot, cd, record);
        }
        record
    }
}
