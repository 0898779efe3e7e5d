//! Changes of the world, each with the invalidations that it asks for.
//!
//! What the manual asks of software is asked of the world: break before make (a location, or the region of a block, gets another valid
//! value only when nobody can see an older one), an ASID is used again only when no entry of it is left, a global entry is the same in
//! all spaces of its VM. An operation that is not allowed yet says [`Busy`]; the run then follows all changes and tries again.

use super::config::{Cd, Link, Ste, cd_words};
use super::geometry::{Layout, PAGES};
use super::need::{Need, Span};
use super::operation::Operation;
use super::past::{RecordId, Stages, View};
use super::shape::{SPACES, VMIDS, VMS};
use super::table::{Entry, NodeId, Owner, bits};
use super::world::{NOWHERE, World};

/// Older changes have to be followed first.
#[derive(Debug)]
pub struct Busy;

type Done = Result<(), Busy>;

impl World {
    /// The root that `half` picks.
    fn half(&self, half: u8) -> NodeId {
        let half = usize::from(half) % (VMS * (SPACES + 1));
        match half.checked_sub(VMS * SPACES) {
            None => self.spaces[half].root,
            Some(vm) => self.vms[vm].kernel,
        }
    }

    /// The stage-2 root that `vm` picks.
    fn stage2(&self, vm: u8) -> (usize, NodeId) {
        let vm = 1 + usize::from(vm) % (VMS - 1);
        (vm, self.vms[vm].stage2.expect("guests have stage 2"))
    }

    fn hostile(&self, owner: Owner) -> bool {
        self.vms[self.lies_in(owner)].hostile
    }

    /// Performs a change; what is not one does nothing.
    pub fn change(&mut self, operation: Operation) -> Done {
        match operation {
            Operation::Map {
                half,
                page,
                level,
                output,
                attributes,
                limits,
            } => {
                let limits = if limits < 200 {
                    0
                } else {
                    u64::from(limits % 16) << 59
                };
                self.map1(half, page, level, output, attributes, limits)
            }
            Operation::Fill {
                half,
                level,
                output,
            } => (0..PAGES as u8).try_for_each(|page| {
                self.map1(half, page, level, output.wrapping_add(page) % 240, 0, 0)
            }),
            Operation::Unmap {
                half,
                page,
                level,
                junk,
            } => self.unmap(self.half(half), page, level, junk),
            Operation::Protect {
                half,
                page,
                attributes,
            } => {
                let root = self.half(half);
                let attributes = self.stage1_attributes(root, attributes);
                self.protect(root, page, attributes, bits::NG)
            }
            Operation::Limit {
                half,
                page,
                level,
                limits,
            } => self.limit(self.half(half), page, level, limits),
            Operation::Nowhere { half, page, level } => self.nowhere(self.half(half), page, level),
            Operation::Map2 {
                vm,
                page,
                level,
                attributes,
            } => self.map2(vm, page, level, attributes),
            Operation::Fill2 { vm, level } => (0..PAGES as u8)
                .try_for_each(|page| self.map2(vm, page, level.wrapping_add(page / 6), 0)),
            Operation::Unmap2 { vm, page, level } => self.unmap(self.stage2(vm).1, page, level, 0),
            Operation::Protect2 {
                vm,
                page,
                attributes,
            } => self.protect(self.stage2(vm).1, page, stage2_attributes(attributes), 0),
            Operation::Nowhere2 { vm, page, level } => self.nowhere(self.stage2(vm).1, page, level),
            Operation::Pool { vm, page, how } => self.pool(vm, page, how),
            Operation::Cd {
                device,
                slot,
                space,
                flags,
            } => self.cd(device, slot, space, flags),
            Operation::L1Cd { device, slot, how } => self.l1cd(device, slot, how),
            Operation::L1Std { device, how } => self.l1std(device, how),
            Operation::Rollover { space } => self.rollover(space),
            Operation::Epd { space, upper } => self.epd(space, upper),
            Operation::Break { device } => {
                let device = usize::from(device) % self.devices.len();
                self.set_ste(
                    device,
                    Ste {
                        valid: false,
                        ..self.devices[device].ste.now
                    },
                );
                Ok(())
            }
            _ => Ok(()),
        }
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

    fn map1(
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

    fn map2(&mut self, vm: u8, page: u8, level: u8, attributes: u8) -> Done {
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
    fn output(&mut self, root: NodeId, level: u8, output: u8) -> u64 {
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

    fn stage1_attributes(&self, root: NodeId, pick: u8) -> u64 {
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

    fn map(
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
    fn in_the_way(&self, root: NodeId, input: u64, level: u8) -> Done {
        let (_, _, entry) = self.find(root, input, level);
        if entry.valid() { Ok(()) } else { Err(Busy) }
    }

    fn set_leaf(&mut self, at: NodeId, index: u64, output: u64, attributes: u64) -> Done {
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

    fn unmap(&mut self, root: NodeId, page: u8, level: u8, junk: u8) -> Done {
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
    fn holds_tables(&self, at: NodeId, index: u64) -> bool {
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

    fn protect(&mut self, root: NodeId, page: u8, attributes: u64, keep: u64) -> Done {
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

    fn limit(&mut self, root: NodeId, page: u8, level: u8, limits: u8) -> Done {
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

    fn nowhere(&mut self, root: NodeId, page: u8, level: u8) -> Done {
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

    fn pool(&mut self, vm: u8, page: u8, how: u8) -> Done {
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

    /// Changes a valid entry, and opens a record if the old one may be kept.
    fn replace(&mut self, at: NodeId, index: u64, entry: Entry) {
        let mut needs = Vec::new();
        let old = self.node(at).entries[&index].now;
        if old == entry {
            return;
        }
        self.reached(at, index, old, &mut needs);
        let owner = self.node(at).owner;
        let stages = match owner {
            Owner::Stage2(vm) => {
                let vmid = VMIDS[vm];
                let combined = if needs.is_empty() {
                    vec![]
                } else {
                    vec![Need::Combined { vmid }]
                };
                let atc = if needs.is_empty() {
                    vec![]
                } else {
                    self.atcs_of_stage2(vm)
                };
                Stages {
                    needs: vec![needs, combined, atc],
                    stage2: 1,
                    smmu: 2,
                }
            }
            Owner::Space(_) | Owner::Kernel(_) => {
                let mut atc = Vec::new();
                for need in &needs {
                    if let Need::Va { span, .. } = need
                        && span.leaf
                    {
                        self.atcs_of_stage1(owner, *span, &mut atc);
                    }
                }
                Stages {
                    needs: vec![needs, atc],
                    stage2: 1,
                    smmu: 1,
                }
            }
        };
        let record = self.pending.open(stages);
        self.set_entry(at, index, entry, record);
    }

    /// All that may be kept of an entry and of what it leads to.
    fn reached(&self, at: NodeId, index: u64, entry: Entry, needs: &mut Vec<Need>) {
        if !entry.cacheable() {
            return;
        }
        let node = self.node(at);
        let span = Span {
            from: node.input(index),
            bits: node.layout.entry_bits(node.level),
            level: node.level,
            leaf: matches!(entry, Entry::Leaf { .. }),
            granule: node.layout.granule,
        };
        let global = matches!(entry, Entry::Leaf { attributes, .. } if attributes & bits::NG == 0);
        match node.owner {
            Owner::Stage2(vm) => needs.push(Need::Ipa {
                vmid: VMIDS[vm],
                span,
            }),
            owner => {
                let vmid = VMIDS[self.lies_in(owner)];
                let tags = if global {
                    vec![None]
                } else {
                    self.tags(owner).into_iter().map(Some).collect()
                };
                needs.extend(tags.into_iter().map(|asid| Need::Va { vmid, asid, span }));
            }
        }
        if let Entry::Table { node, .. } = entry {
            for (index, entry) in &self.node(node).entries {
                self.reached(node, *index, entry.now, needs);
            }
        }
    }

    /// The contexts that may have translations of stage 1 in their ATCs.
    fn atcs_of_stage1(&self, owner: Owner, span: Span, needs: &mut Vec<Need>) {
        for device in self
            .devices
            .iter()
            .filter(|device| device.vm == self.lies_in(owner))
        {
            for slot in &device.slots {
                let uses = |cd: &Cd| match owner {
                    Owner::Space(space) => cd.valid && cd.space == space,
                    _ => cd.valid,
                };
                if slot.cd.seen(&self.pending, View::Atc).any(uses) {
                    let need = Need::Atc {
                        sid: device.sid,
                        ssid: ssid(slot.ssid),
                        from: span.from,
                        bits: span.bits,
                    };
                    if !needs.contains(&need) {
                        needs.push(need);
                    }
                }
            }
        }
    }

    fn atcs_of_stage2(&self, vm: usize) -> Vec<Need> {
        let uses = |ste: &Ste| ste.stage2() && ste.vm == vm;
        let devices = self.devices.iter();
        devices
            .filter(|device| device.ste.seen(&self.pending, View::Atc).any(uses))
            .map(|device| everything(device.sid, None))
            .collect()
    }

    fn cd(&mut self, device: u8, slot: u8, space: u8, flags: u8) -> Done {
        let device = usize::from(device) % self.devices.len();
        let slots = self.devices[device].slots.len();
        let slot = usize::from(slot) % slots;
        let vm = self.devices[device].vm;
        if self.vms[vm].hostile {
            return Ok(());
        }
        let space = vm * SPACES + usize::from(space) % SPACES;
        let Space { asid, epd } = self.space(space);
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

    fn space(&self, space: usize) -> Space {
        let super::world::Space { asid, epd, .. } = self.spaces[space];
        Space { asid, epd }
    }

    fn set_cd(&mut self, device: usize, slot: usize, cd: Cd) {
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
    fn store_cd(&mut self, device: usize, slot: usize, cd: Cd, record: Option<RecordId>) {
        let (vm, at) = (self.devices[device].vm, self.devices[device].slots[slot].at);
        let [word0, word1, word2] = cd_words(&cd, self.space_words(cd.space));
        if cd.valid && !self.devices[device].slots[slot].cd.now.valid {
            self.write(vm, at + 8, word1);
            self.write(vm, at + 16, word2);
        }
        self.write(vm, at, word0);
        self.devices[device].slots[slot].cd.set(cd, record);
    }

    fn l1cd(&mut self, device: u8, slot: u8, how: u8) -> Done {
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

    fn l1std(&mut self, device: u8, how: u8) -> Done {
        let device = usize::from(device) % self.devices.len();
        let Some(split) = self.shape.split() else {
            return Ok(());
        };
        let l1 = self.devices[device].sid >> split;
        let (mut config, mut atc) = (
            vec![Need::L1Std {
                sid: l1 << split,
                split,
            }],
            Vec::new(),
        );
        for device in self
            .devices
            .iter()
            .filter(|device| device.sid >> split == l1)
        {
            config.push(Need::Ste(device.sid));
            atc.push(everything(device.sid, None));
        }
        let record = self.pending.open(Stages {
            needs: vec![config, atc],
            stage2: 1,
            smmu: 1,
        });
        let (_, l1std) = self.l1stds.get_mut(&l1).expect("every device has an L1STD");
        let link = l1std.now.other(how);
        l1std.set(link, record);
        self.write_l1std(l1);
        Ok(())
    }

    fn rollover(&mut self, space: u8) -> Done {
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

    fn epd(&mut self, space: u8, upper: bool) -> Done {
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
    fn rewrite_cds(&mut self, space: usize, change: impl Fn(Cd) -> Cd) -> Option<RecordId> {
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

    /// The STE with other S1DSS or EATS.
    pub fn ste_with(&self, device: usize, s1dss: Option<u8>, eats: u8) -> Ste {
        let old = self.devices[device].ste.now;
        let s1dss = s1dss.map_or(old.s1dss, |s1dss| s1dss % 3);
        let eats = eats_of(&Ste { s1dss, ..old }, eats);
        Ste { s1dss, eats, ..old }
    }

    /// The STE that operands describe.
    pub fn ste_of(&self, device: usize, [config, s1dss, eats, vm]: [u8; 4], record: bool) -> Ste {
        let host = self.devices[device].vm == 0;
        let config = match host {
            true => [5, 5, 5, 5, 4, 6, 0, 5],
            false => [7, 7, 7, 7, 6, 7, 4, 0],
        }[usize::from(config % 8)];
        let own = self.devices[device].vm;
        let vm = if config == 6 || host {
            1 + usize::from(vm) % (VMS - 1)
        } else {
            own
        };
        let s1dss = s1dss % 3;
        let ste = Ste {
            valid: true,
            config,
            s1dss,
            eats: 0,
            vm,
            record,
        };
        Ste {
            eats: eats_of(&ste, eats),
            ..ste
        }
    }

    /// Whether a change of an STE is seen in one word only, and is safe while devices have translations: what split-stage ATS has told
    /// them is IPAs, with full ATS they would be physical addresses.
    pub fn in_one_word(&self, device: usize, ste: &Ste) -> bool {
        let device = &self.devices[device];
        let old = device.ste.now;
        let words = old.valid
            && ste.vm == old.vm
            && ste.record == old.record
            && ste.stage2() == old.stage2();
        let word0 = ste.config != old.config;
        let word1 = (ste.s1dss, ste.eats) != (old.s1dss, old.eats);
        let ats = ste.eats == old.eats || ste.eats == 0 || old.eats == 0;
        words && ats && !(word0 && word1)
    }

    /// Writes an STE, word 0 last.
    pub fn set_ste(&mut self, device: usize, ste: Ste) {
        let sid = self.devices[device].sid;
        if self.devices[device].ste.now == ste {
            return;
        }
        let needs = vec![vec![Need::Ste(sid)], vec![everything(sid, None)]];
        let record = self.pending.open(Stages {
            needs,
            stage2: 1,
            smmu: 1,
        });
        let old = self.devices[device].ste.now;
        self.devices[device].ste.set(ste, record);
        let words = self.ste_words(device);
        let at = self.ste_at(device);
        // What breaks an entry touches word 0 alone.
        let first = if old.valid && !ste.valid { 0 } else { 3 };
        for word in (0..=first).rev() {
            self.write(0, at + word as u64 * 8, words[word]);
        }
    }
}

/// EATS that an STE may have: split-stage ATS is for nested streams, of which stage 1 is not bypassed.
fn eats_of(ste: &Ste, pick: u8) -> u8 {
    match pick % 4 {
        0 => 0,
        3 if ste.config == 7 && ste.s1dss != 1 => 2,
        _ if ste.stage1() || ste.stage2() => 1,
        _ => 0,
    }
}

/// What a CD repeats of its space.
struct Space {
    asid: u16,
    epd: [bool; 2],
}

/// Traffic with SubstreamID 0 may have none: CMD_ATC_INV without one reaches both.
fn ssid(ssid: u32) -> Option<u32> {
    (ssid != 0).then_some(ssid)
}

fn everything(sid: u32, ssid: Option<u32>) -> Need {
    Need::Atc {
        sid,
        ssid,
        from: 0,
        bits: 64,
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
