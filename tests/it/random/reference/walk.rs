//! Walks of both stages, and who may do what.

use super::super::answer::{Answer, Class, Fault, Kind};
use super::super::config::{Cd, Ste};
use super::super::table::{Entry, NodeId, bits};
use super::super::world::RAM;
use super::{Judge, READ};

const WRITE: u8 = 0b010010;
const EXECUTE: u8 = 0b100100;

/// A leaf that a walk found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) output: u64,
    pub(super) bits: u8,
    pub(super) rights: u8,
    pub(super) global: bool,
}

/// Why stage 2 yields nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage2Fault {
    Kind(Kind),
    Eabt(u64),
}

/// A fault, and whether the CD says something of it.
pub(super) type Ended = (Fault, Option<Cd>);

impl Judge<'_> {
    /// A walk of stage 1 from a table on; `limits` are those of the tables above.
    pub(super) fn stage1(
        &self,
        ste: &Ste,
        cd: &Cd,
        (at, input): (NodeId, u64),
        (vm, limits): (usize, u64),
        ends: &mut Vec<Result<Found, Ended>>,
    ) {
        let node = self.world.node(at);
        let index = node.layout.index(node.level, input);
        if !self.fetched(ste, node.at + index * 8, ends) {
            return;
        }
        let entries = node.entries.get(&index);
        let none = [Entry::Invalid(0)];
        let entries: Vec<_> = match entries {
            None => none.iter().collect(),
            Some(entries) => entries.seen(&self.world.pending, self.view).collect(),
        };
        let stage1 = |kind| Err((Fault::Stage1(kind), Some(*cd)));
        for entry in entries {
            match *entry {
                Entry::Invalid(_) => ends.push(stage1(Kind::Translation)),
                Entry::Table { node, limits: more } => {
                    self.stage1(ste, cd, (node, input), (vm, limits | more), ends)
                }
                // A table beyond the output size is a fault of its own.
                Entry::Nowhere(to) if to >> self.world.shape.ips(vm).1 != 0 => {
                    ends.push(stage1(Kind::AddrSize))
                }
                Entry::Nowhere(to) => {
                    let next = node.level + 1;
                    self.fetched(ste, to + node.layout.index(next, input) * 8, ends);
                }
                Entry::Leaf { output, attributes } => {
                    let entry_bits = node.layout.entry_bits(node.level);
                    let most = self.world.shape.ips(vm).1;
                    self.leaves
                        .borrow_mut()
                        .push((1, node.layout.granule, node.level));
                    ends.push(if output >> most != 0 {
                        stage1(Kind::AddrSize)
                    } else if attributes & bits::AF == 0 {
                        stage1(Kind::Access)
                    } else {
                        Ok(Found {
                            output: output | input & ((1 << entry_bits) - 1),
                            bits: entry_bits,
                            rights: stage1_rights(attributes, limits),
                            global: attributes & bits::NG == 0,
                        })
                    });
                }
            }
        }
    }

    /// Whether a descriptor of stage 1 can be fetched; notes why not.
    pub(super) fn fetched(&self, ste: &Ste, at: u64, ends: &mut Vec<Result<Found, Ended>>) -> bool {
        let mut can = false;
        // 7.3.12: a walk of stage 1 is of class TT, whether or not there is stage 2.
        let eabt = |fetch| {
            Err((
                Fault::WalkEabt {
                    stage2: false,
                    class: Class::Tt,
                    fetch,
                },
                None,
            ))
        };
        if !ste.stage2() {
            if at >= RAM {
                ends.push(eabt(at));
            }
            return at < RAM;
        }
        for found in self.stage2(ste.vm, at) {
            match found {
                Ok(found) if found.rights & READ == 0 => {
                    ends.push(Err((Fault::Stage2(Kind::Permission, Class::Tt, at), None)));
                }
                Ok(found) if found.output >= RAM => ends.push(eabt(found.output)),
                Ok(_) => can = true,
                Err(Stage2Fault::Kind(kind)) => {
                    ends.push(Err((Fault::Stage2(kind, Class::Tt, at), None)))
                }
                Err(Stage2Fault::Eabt(fetch)) => {
                    let fault = Fault::WalkEabt {
                        stage2: true,
                        class: Class::Tt,
                        fetch,
                    };
                    ends.push(Err((fault, None)));
                }
            }
        }
        can
    }

    /// What stage 2 makes of an access's own address, and of what stage 1 says. To a split-stage request it gives its rights, and the IPA
    /// stays (13.6.3); where it maps nothing, no rights are given (3.9.1.2).
    pub(super) fn stage2_of(
        &self,
        ste: &Ste,
        (ipa, rights, bits): (u64, u8, u8),
        split_stage: bool,
        answers: &mut Vec<Answer>,
    ) {
        for found in self.stage2(ste.vm, ipa) {
            answers.push(match found {
                Err(fault) => self.stage2_fault(fault, Class::In, ipa, ste),
                Ok(found) if self.asked.needs() & found.rights == 0 => self.fault(
                    Fault::Stage2(Kind::Permission, Class::In, ipa),
                    Some(ste),
                    None,
                ),
                Ok(found) => Answer::Reached {
                    pa: if split_stage { ipa } else { found.output },
                    rights: Some(found.rights & rights),
                    bits: found.bits.min(bits),
                },
            });
        }
    }

    pub(super) fn stage2_fault(
        &self,
        fault: Stage2Fault,
        class: Class,
        ipa: u64,
        ste: &Ste,
    ) -> Answer {
        let fault = match fault {
            Stage2Fault::Kind(kind) => Fault::Stage2(kind, class, ipa),
            Stage2Fault::Eabt(fetch) => Fault::WalkEabt {
                stage2: true,
                class,
                fetch,
            },
        };
        self.fault(fault, Some(ste), None)
    }

    pub(super) fn stage2(&self, vm: usize, ipa: u64) -> Vec<Result<Found, Stage2Fault>> {
        let root = self.world.vms[vm]
            .stage2
            .expect("the STE says that there is one");
        let mut found = Vec::new();
        match ipa >> self.world.node(root).layout.input_bits {
            0 => self.stage2_from(root, ipa, self.world.shape.s2ps(vm).1, &mut found),
            _ => found.push(Err(Stage2Fault::Kind(Kind::Translation))),
        }
        found
    }

    pub(super) fn stage2_from(
        &self,
        at: NodeId,
        ipa: u64,
        most: u8,
        found: &mut Vec<Result<Found, Stage2Fault>>,
    ) {
        let node = self.world.node(at);
        let index = node.layout.index(node.level, ipa);
        let Some(entries) = node.entries.get(&index) else {
            found.push(Err(Stage2Fault::Kind(Kind::Translation)));
            return;
        };
        for entry in entries.seen(&self.world.pending, self.view) {
            match *entry {
                Entry::Invalid(_) => found.push(Err(Stage2Fault::Kind(Kind::Translation))),
                Entry::Table { node, .. } => self.stage2_from(node, ipa, most, found),
                Entry::Nowhere(to) => {
                    let fetch = to + node.layout.index(node.level + 1, ipa) * 8;
                    found.push(Err(Stage2Fault::Eabt(fetch)));
                }
                Entry::Leaf { output, attributes } => {
                    let entry_bits = node.layout.entry_bits(node.level);
                    self.leaves
                        .borrow_mut()
                        .push((2, node.layout.granule, node.level));
                    found.push(if output >> most != 0 {
                        Err(Stage2Fault::Kind(Kind::AddrSize))
                    } else if attributes & bits::AF == 0 {
                        Err(Stage2Fault::Kind(Kind::Access))
                    } else {
                        Ok(Found {
                            output: output | ipa & ((1 << entry_bits) - 1),
                            bits: entry_bits,
                            rights: stage2_rights(attributes),
                            global: false,
                        })
                    });
                }
            }
        }
    }
}

/// Who may do what: Arm DDI 0487, D8.4, for EL1&0, with what the tables above limit.
fn stage1_rights(leaf: u64, limits: u64) -> u8 {
    let user = leaf & bits::AP1 != 0 && limits & bits::NO_USER_TABLE == 0;
    let writable = leaf & bits::AP2 == 0 && limits & bits::READ_ONLY_TABLE == 0;
    let user_executes = leaf & bits::XN == 0 && limits & bits::XN_TABLE == 0;
    let never = leaf & bits::PXN != 0 || limits & bits::PXN_TABLE != 0;
    let mut rights = 1 << 3;
    if user {
        rights |= 1;
    }
    if writable {
        rights |= 2 << 3;
    }
    if user && writable {
        rights |= 2;
    }
    if user_executes {
        rights |= 4;
    }
    // What unprivileged software can write is never executed by privileged software.
    let user_writes = user && writable;
    if !(never || user_writes) {
        rights |= 4 << 3;
    }
    rights
}

/// Stage 2 knows no privilege; and unlike VMSAv8-32 (G5), VMSAv8-64 lets be executed what cannot be read.
fn stage2_rights(leaf: u64) -> u8 {
    let mut rights = 0;
    if leaf & bits::S2_READ != 0 {
        rights |= READ;
    }
    if leaf & bits::XN == 0 {
        rights |= EXECUTE;
    }
    if leaf & bits::S2_WRITE != 0 {
        rights |= WRITE;
    }
    rights
}
