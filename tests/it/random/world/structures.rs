//! Where STEs and L1STDs lie, and the words of what is meant.

use super::super::config::{Link, SpaceWords, Stage2Words, ste_words};
use super::super::shape::VMIDS;
use super::{NOWHERE, World};

impl World {
    /// The L1STD as it is meant: Span says 2^split, or nothing.
    pub fn write_l1std(&self, l1: u32) {
        let (array, link) = &self.l1stds[&l1];
        let split = self.shape.split().expect("L1STDs are of two-level tables");
        let word = match link.now {
            Link::There => array | u64::from(split + 1),
            Link::Invalid => 0,
            Link::Astray => NOWHERE | u64::from(split + 1),
        };
        self.write(0, self.stream_table + u64::from(l1) * 8, word);
    }

    /// Where a device's STE lies.
    pub fn ste_at(&self, device: usize) -> u64 {
        let sid = self.devices[device].sid;
        match self.shape.split() {
            None => self.stream_table + u64::from(sid) * 64,
            Some(split) => {
                self.l1stds[&(sid >> split)].0 + u64::from(sid & ((1 << split) - 1)) * 64
            }
        }
    }

    /// The words of a device's STE as it is meant now.
    pub fn ste_words(&self, device: usize) -> [u64; 4] {
        let device = &self.devices[device];
        let ste = &device.ste.now;
        let layout = self.shape.stage2_layout(ste.vm);
        let root = self.vms[ste.vm].stage2.map_or(0, |root| self.node(root).at);
        // S2VMID tags whatever stages there are.
        let vmid = VMIDS[if ste.stage2() { ste.vm } else { device.vm }];
        let stage2 = Stage2Words {
            vmid,
            granule: layout.granule,
            input_bits: layout.input_bits,
            start: layout.start,
            ps: self.shape.s2ps(ste.vm).0,
            root,
        };
        ste_words(ste, (device.fmt, device.cdmax, device.table), stage2)
    }

    /// What CDs say of a space.
    pub fn space_words(&self, space: usize) -> SpaceWords {
        let vm = self.spaces[space].vm;
        let roots = [self.spaces[space].root, self.vms[vm].kernel];
        let layouts = roots.map(|root| self.node(root).layout);
        SpaceWords {
            granules: layouts.map(|layout| layout.granule),
            input_bits: layouts.map(|layout| layout.input_bits),
            roots: roots.map(|root| self.node(root).at),
            ips: self.shape.ips(vm).0,
        }
    }
}
