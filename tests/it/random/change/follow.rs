//! What has to be forgotten of an entry that changes: itself, all that it leads to, under every tag, and in devices.

use super::super::config::{Cd, Ste};
use super::super::need::{Need, Span};
use super::super::past::{Stages, View};
use super::super::shape::VMIDS;
use super::super::table::{Entry, NodeId, Owner, bits};
use super::super::world::World;
use super::{everything, ssid};

impl World {
    /// Changes a valid entry, and opens a record if the old one may be kept.
    pub(super) fn replace(&mut self, at: NodeId, index: u64, entry: Entry) {
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
    pub(super) fn reached(&self, at: NodeId, index: u64, entry: Entry, needs: &mut Vec<Need>) {
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
    pub(super) fn atcs_of_stage1(&self, owner: Owner, span: Span, needs: &mut Vec<Need>) {
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

    pub(super) fn atcs_of_stage2(&self, vm: usize) -> Vec<Need> {
        let uses = |ste: &Ste| ste.stage2() && ste.vm == vm;
        let devices = self.devices.iter();
        devices
            .filter(|device| device.ste.seen(&self.pending, View::Atc).any(uses))
            .map(|device| everything(device.sid, None))
            .collect()
    }
}
