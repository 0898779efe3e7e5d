//! How a world begins.

use std::collections::BTreeMap;

use super::super::config::{Cd, Link, Ste, cd_words};
use super::super::past::Past;
use super::super::shape::{SPACES, STREAM_BITS, STREAMS, VMS};
use super::super::table::{NodeId, Owner};
use super::{Device, POOL, Slot, Space, Vm, World};

impl World {
    pub(super) fn add_vm(&mut self, vm: usize) {
        self.vms.push(Vm {
            stage2: None,
            kernel: NodeId(0),
            next: POOL,
            pool: BTreeMap::new(),
            hostile: false,
        });
        if vm > 0 {
            let layout = self.shape.stage2_layout(vm);
            self.vms[vm].stage2 = Some(self.add_root(Owner::Stage2(vm), layout));
        }
        for space in 0..SPACES {
            let layout = self.shape.stage1_layout(vm, space);
            let index = self.spaces.len();
            let root = self.add_root(Owner::Space(index), layout);
            self.spaces.push(Space {
                vm,
                root,
                asid: space as u16 + 1,
                old: Vec::new(),
                epd: [false; 2],
            });
        }
        let layout = self.shape.stage1_layout(vm, SPACES);
        self.vms[vm].kernel = self.add_root(Owner::Kernel(vm), layout);
    }

    pub(super) fn add_device(&mut self, index: usize) {
        let vm = index % VMS;
        let (fmt, cdmax) = self.shape.cd_table(index);
        let config = if vm == 0 { 5 } else { 7 };
        let ste = Ste {
            valid: true,
            config,
            s1dss: 2,
            eats: 1,
            vm: vm.max(1),
            record: true,
        };
        let mut device = Device {
            sid: STREAMS[index],
            vm,
            fmt,
            cdmax,
            table: 0,
            leaves: BTreeMap::new(),
            l1cds: BTreeMap::new(),
            ste: Past::new(ste),
            slots: Vec::new(),
        };
        let split = device.cd_split();
        let entries = match split {
            None => 64 << cdmax,
            Some(split) => 8 << cdmax.saturating_sub(split),
        };
        device.table = self.area(vm, entries);
        let last = (1 << cdmax) - 1;
        let mut ssids = vec![0, 1, 63, 64, 65, 1023, 1024, last];
        ssids.retain(|ssid| *ssid <= last);
        ssids.sort_unstable();
        ssids.dedup();
        for (nth, ssid) in ssids.into_iter().enumerate() {
            let at = match split {
                None => device.table + u64::from(ssid) * 64,
                Some(split) => {
                    let l1 = ssid >> split;
                    let leaf = *device
                        .leaves
                        .entry(l1)
                        .or_insert_with(|| self.area(vm, 64 << split));
                    device.l1cds.insert(l1, Past::new(Link::There));
                    self.write(vm, device.table + u64::from(l1) * 8, leaf | 1);
                    leaf + u64::from(ssid & ((1 << split) - 1)) * 64
                }
            };
            let space = vm * SPACES + nth % SPACES;
            let cd = Cd {
                valid: nth < 4,
                space,
                asid: self.spaces[space].asid,
                ..Cd::INVALID
            };
            device.slots.push(Slot {
                ssid,
                at,
                cd: Past::new(cd),
            });
            let words = cd_words(&cd, self.space_words(space));
            self.write_words(vm, at, &words);
        }
        self.devices.push(device);
    }

    pub(super) fn write_stream_table(&mut self) {
        match self.shape.split() {
            None => {
                self.stream_table = self.physical_area(64 << STREAM_BITS);
            }
            Some(split) => {
                self.stream_table = self.physical_area((8 << (STREAM_BITS - split)).max(64));
                for sid in STREAMS {
                    let l1 = sid >> split;
                    if !self.l1stds.contains_key(&l1) {
                        let array = self.physical_area(64 << split);
                        self.l1stds.insert(l1, (array, Past::new(Link::There)));
                        self.write_l1std(l1);
                    }
                }
            }
        }
        for device in 0..self.devices.len() {
            let words = self.ste_words(device);
            self.write_words(0, self.ste_at(device), &words);
        }
    }
}
