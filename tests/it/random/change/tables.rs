//! Descriptors of either stage: mapped, unmapped, changed in place.

use super::super::geometry::Layout;
use super::super::operation::Operation;
use super::super::shape::{SPACES, VMS};
use super::super::table::{Entry, NodeId, Owner, bits};
use super::super::world::{NOWHERE, World};
use super::{Busy, Done};

impl World {
    /// The root that `half` picks.
    pub(super) fn half(&self, half: u8) -> NodeId {
        let half = usize::from(half) % (VMS * (SPACES + 1));
        match half.checked_sub(VMS * SPACES) {
            None => self.spaces[half].root,
            Some(vm) => self.vms[vm].kernel,
        }
    }

    /// The stage-2 root that `vm` picks.
    pub(super) fn stage2(&self, vm: u8) -> (usize, NodeId) {
        let vm = 1 + usize::from(vm) % (VMS - 1);
        (vm, self.vms[vm].stage2.expect("guests have stage 2"))
    }

    pub(super) fn hostile(&self, owner: Owner) -> bool {
        self.vms[self.lies_in(owner)].hostile
    }

    /// Maps all that can be mapped.
    pub fn fill(&mut self) {
        let spaces = (0..(VMS * (SPACES + 1)) as u8).map(|half| Operation::Fill {
            half,
            level: 255 - half,
            output: half * 7,
        });
        let guests = (0..VMS as u8 - 1).map(|vm| Operation::Fill2 { vm, level: vm });
        for fill in guests.chain(spaces) {
            self.change(fill)
                .expect("nothing is in the way of what comes first");
        }
    }

    pub(super) fn map1(
        &mut self,
        half: u8,
        page: u8,
        level: u8,
        output: u8,
        attributes: u8,
        limits: u64,
    ) -> Done {
        let root = self.half(half);
        let level = pick(&self.node(root).layout.leaf_levels(), level);
        let output = self.output(root, level, output);
        let attributes = self.stage1_attributes(root, attributes);
        self.map(root, page, level, output, attributes, limits)
    }

    pub(super) fn map2(&mut self, vm: u8, page: u8, level: u8, attributes: u8) -> Done {
        let (vm, root) = self.stage2(vm);
        let most = self.shape.s2ps(vm).1;
        let layout = self.node(root).layout;
        let level = pick(&layout.leaf_levels(), level);
        let output = self.fresh_output(layout.entry_bits(level), most);
        let large = attributes % 32 == 31 && most < 44;
        let output = if large { output | 1 << 44 } else { output };
        self.map(root, page, level, output, stage2_attributes(attributes), 0)
    }

    /// What stage 1 maps to: pages of stage 2, or physical ones; now and then more than CD.IPS allows.
    pub(super) fn output(&mut self, root: NodeId, level: u8, output: u8) -> u64 {
        let node = self.node(root);
        let layout = node.layout;
        let vm = self.lies_in(node.owner);
        let entry = layout.entry_bits(level);
        let most = self.shape.ips(vm).1;
        let large = if output >= 250 && most < 48 {
            1 << 47
        } else {
            0
        };
        let output = match self.vms[vm].stage2 {
            None => self.fresh_output(entry, most.max(entry + 1).min(48)),
            Some(root) => self.node(root).layout.page(output),
        };
        (output >> entry << entry) | large
    }

    pub(super) fn stage1_attributes(&self, root: NodeId, pick: u8) -> u64 {
        // Mostly what is accessible to all.
        let ap = [1, 1, 1, 1, 0, 2, 3, 1][usize::from(pick % 8)] << 6;
        let af = if pick >> 3 & 7 == 7 { 0 } else { bits::AF };
        let global = matches!(self.node(root).owner, Owner::Kernel(_)) && pick & 0x40 != 0;
        let xn = if pick & 0x80 != 0 {
            u64::from(pick >> 3 & 3) * bits::PXN
        } else {
            0
        };
        ap | af | if global { 0 } else { bits::NG } | xn
    }

    pub(super) fn map(
        &mut self,
        root: NodeId,
        page: u8,
        level: u8,
        output: u64,
        attributes: u64,
        limits: u64,
    ) -> Done {
        let layout = self.node(root).layout;
        let input = layout.page(page);
        if self.hostile(self.node(root).owner) {
            return Ok(());
        }
        let Some((node, index)) = self.descend(root, input, level, limits) else {
            return self.in_the_way(root, input, level);
        };
        self.set_leaf(node, index, output, attributes)
    }

    /// Something is mapped above, which stays; or it may still be seen.
    pub(super) fn in_the_way(&self, root: NodeId, input: u64, level: u8) -> Done {
        let (_, _, entry) = self.find(root, input, level);
        if entry.valid() { Ok(()) } else { Err(Busy) }
    }

    pub(super) fn set_leaf(
        &mut self,
        at: NodeId,
        index: u64,
        output: u64,
        attributes: u64,
    ) -> Done {
        let entry = self.node(at).entries.get(&index);
        if entry.is_some_and(|entry| entry.now.valid()) {
            return Ok(());
        }
        if entry.is_some_and(|entry| !entry.settled(&self.pending)) {
            return Err(Busy);
        }
        self.set_entry(at, index, Entry::Leaf { output, attributes }, None);
        Ok(())
    }

    pub(super) fn unmap(&mut self, root: NodeId, page: u8, level: u8, junk: u8) -> Done {
        let layout = self.node(root).layout;
        if self.hostile(self.node(root).owner) {
            return Ok(());
        }
        let level = layout.start + level % (4 - layout.start);
        let (at, index, entry) = self.find(root, layout.page(page), level);
        if !entry.valid() || self.holds_tables(at, index) {
            return Ok(());
        }
        let junk = u64::from(junk / 16) * 0x1234_5678_9abc;
        self.replace(at, index, Entry::Invalid(junk));
        Ok(())
    }

    /// Whether stage 2 reaches a guest's tables through an entry.
    pub(super) fn holds_tables(&self, at: NodeId, index: u64) -> bool {
        let node = self.node(at);
        let Owner::Stage2(vm) = node.owner else {
            return false;
        };
        let (from, bits) = (node.input(index), node.layout.entry_bits(node.level));
        let granule = node.layout.granule;
        self.vms[vm]
            .pool
            .keys()
            .any(|page| (page << granule) >> bits == from >> bits)
    }

    pub(super) fn protect1(&mut self, half: u8, page: u8, attributes: u8) -> Done {
        let root = self.half(half);
        let attributes = self.stage1_attributes(root, attributes);
        // Global stays global: what is in a TLB under one tag does not come under another.
        self.protect(root, page, attributes, bits::NG)
    }

    pub(super) fn protect2(&mut self, vm: u8, page: u8, attributes: u8) -> Done {
        self.protect(self.stage2(vm).1, page, stage2_attributes(attributes), 0)
    }

    pub(super) fn protect(&mut self, root: NodeId, page: u8, attributes: u64, keep: u64) -> Done {
        if self.hostile(self.node(root).owner) {
            return Ok(());
        }
        let input = self.node(root).layout.page(page);
        let (at, index, entry) = self.find(root, input, 3);
        if let Entry::Leaf {
            output,
            attributes: old,
        } = entry
            && !self.holds_tables(at, index)
        {
            let attributes = attributes & !keep | old & keep;
            self.replace(at, index, Entry::Leaf { output, attributes });
        }
        Ok(())
    }

    pub(super) fn limit(&mut self, root: NodeId, page: u8, level: u8, limits: u8) -> Done {
        let layout = self.node(root).layout;
        if self.hostile(self.node(root).owner) || layout.start == 3 {
            return Ok(());
        }
        let level = layout.start + level % (3 - layout.start);
        let (at, index, entry) = self.find(root, layout.page(page), level);
        if let Entry::Table { node, .. } = entry {
            let limits = u64::from(limits % 16) << 59;
            self.replace(at, index, Entry::Table { node, limits });
        }
        Ok(())
    }

    pub(super) fn nowhere(&mut self, root: NodeId, page: u8, level: u8) -> Done {
        let Layout { start, granule, .. } = self.node(root).layout;
        if self.hostile(self.node(root).owner) || start == 3 {
            return Ok(());
        }
        let level = start + level % (3 - start);
        let input = self.node(root).layout.page(page);
        let Some((at, index)) = self.descend(root, input, level, 0) else {
            return self.in_the_way(root, input, level);
        };
        let entry = self.node(at).entries.get(&index);
        if entry.is_some_and(|entry| !entry.settled(&self.pending)) {
            return Err(Busy);
        }
        // A guest's table lies where its stage 2 maps nothing, or something that is not memory.
        let to = match self.lies_in(self.node(root).owner) {
            0 => NOWHERE,
            vm => {
                let (_, stage2) = self.stage2(vm as u8 - 1);
                self.node(stage2).layout.page(page) >> granule << granule
            }
        };
        if !entry.is_some_and(|entry| entry.now.valid()) {
            self.set_entry(at, index, Entry::Nowhere(to), None);
        }
        Ok(())
    }

    pub(super) fn pool(&mut self, vm: u8, page: u8, how: u8) -> Done {
        let (vm, root) = self.stage2(vm);
        let pool = &self.vms[vm].pool;
        let (&page, &output) = pool
            .iter()
            .nth(usize::from(page) % pool.len())
            .expect("a guest has tables");
        let granule = self.node(root).layout.granule;
        let (at, index, old) = self.find(root, page << granule, 3);
        let readable = bits::S2_READ | bits::S2_WRITE | bits::AF;
        let entry = match how {
            0 => Entry::Invalid(0),
            1 => Entry::Leaf {
                output,
                attributes: bits::S2_WRITE | bits::AF,
            },
            2 => Entry::Leaf {
                output,
                attributes: readable & !bits::AF,
            },
            _ => Entry::Leaf {
                output,
                attributes: readable,
            },
        };
        if old == entry {
            return Ok(());
        }
        if !old.valid() && !self.node(at).entries[&index].settled(&self.pending) {
            return Err(Busy);
        }
        self.replace(at, index, entry);
        Ok(())
    }
}

fn stage2_attributes(pick: u8) -> u64 {
    let ap = [3, 3, 3, 3, 1, 2, 0, 3][usize::from(pick % 8)] << 6;
    let af = if pick >> 3 & 7 == 7 { 0 } else { bits::AF };
    let xn = if pick & 0xc0 == 0xc0 { bits::XN } else { 0 };
    ap | af | xn
}

fn pick(levels: &[u8], pick: u8) -> u8 {
    levels[usize::from(pick) % levels.len()]
}
