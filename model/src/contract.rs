//! When an operation may begin: what the users of a driver, and of a host, see to.
//!
//! The same for every variant. One operation at a time for each page of a space and for each slot; a process that exits has no thread left
//! that could map or bind; a guest gives a device back before it is unplugged, a hostile one is not waited for.

use vocab::{Device, Ipa, Slot, Space, Threat, Vm};

use crate::caches::ste0;
use crate::machine::Machine;
use crate::op::{Op, PARAM};
use crate::program::{OpKind, Start};
use crate::state::{State, leaf};

impl Machine {
    /// The operations that other threads are in.
    pub(crate) fn others(&self, state: &State, thread: usize) -> impl Iterator<Item = Op> {
        let threads = &state.threads;
        (0..self.threads())
            .filter(move |&other| other != thread)
            .filter_map(move |other| {
                let entry = threads[other].entry.checked_sub(1)?;
                let Start::Operation(kind) = self.code.entries[entry as usize].start else {
                    return None;
                };
                let regs = &threads[other].regs;
                Some(Op {
                    kind,
                    args: [regs[0], regs[1], regs[2]],
                })
            })
    }

    /// Whether a device is being attached or detached.
    pub(crate) fn is_moving(&self, state: &State, device: Device) -> bool {
        self.others(state, usize::MAX)
            .any(|op| op.device() == Some(device))
    }

    /// Whether the users of a driver (or of a host) may ask for an operation now; `others` are what other threads are in.
    pub(crate) fn may_begin(&self, state: &State, thread: usize, op: Op, others: &[Op]) -> bool {
        match self.vm_of_thread(thread) {
            Some(vm) => self.guest_may_begin(state, vm, op, others),
            None => self.host_may_begin(state, op, others),
        }
    }

    fn guest_may_begin(&self, state: &State, vm: Vm, op: Op, others: &[Op]) -> bool {
        let (ghost, memory) = (&state.ghost, &state.memory);
        let space = op.space().expect(PARAM);
        let viommu = self.viommu_of(space);
        let exits = |space: Space| {
            others
                .iter()
                .any(|other| other.kind == OpKind::Exit && other.space() == Some(space))
        };
        let is_dead = |space: Space| ghost.dead >> space.0 & 1 == 1;
        // One operation at a time for each page of a space, and for each slot: users of a driver see to that.
        let page_is_busy = op.page().is_some_and(|page| {
            others
                .iter()
                .any(|other| other.space() == Some(space) && other.page() == Some(page))
        });
        let slot_is_busy =
            op.slot().is_some() && others.iter().any(|other| other.slot() == op.slot());
        if self.vm_of(viommu) != vm || page_is_busy || slot_is_busy {
            return false;
        }
        let bound = |slot: Slot| ghost.bound[slot.index()];
        // With no ASID left a driver refuses before it does anything.
        let has_asid = memory.asid[space.index()] != 0 || self.asids_for(state, space) != 0;
        let serves = |slot: Slot| {
            let device = self.device_of(slot);
            ghost.attached[device.index()] == 1 << viommu.0
                && !others.iter().any(|other| other.device() == Some(device))
        };
        let is_free = |slot: Slot| {
            let device = self.device_of(slot);
            ghost.attached[device.index()] == 0
                && !others.iter().any(|other| other.device() == Some(device))
        };
        match op.kind {
            OpKind::Map => {
                let place = leaf(space, op.page().expect(PARAM));
                memory.pte[place] == 0
                    && ghost.grant[place] == 0
                    && !is_dead(space)
                    && !exits(space)
            }
            OpKind::Unmap => memory.pte[leaf(space, op.page().expect(PARAM))] != 0 && !exits(space),
            OpKind::Bind => {
                let slot = op.slot().expect(PARAM);
                let waits = self.axes.early_bind && is_free(slot);
                let translates = memory.ste0[self.device_of(slot).index()] != ste0::S2_TRANS;
                (serves(slot) && translates || waits)
                    && !self.bypasses_stage_1(slot)
                    && has_asid
                    && bound(slot) == 0
                    && !is_dead(space)
                    && !exits(space)
            }
            OpKind::Unbind => bound(op.slot().expect(PARAM)) == 1 << space.0,
            OpKind::Replace => {
                let old = op.old().expect(PARAM);
                old != space
                    && has_asid
                    && self.viommu_of(old) == viommu
                    && bound(op.slot().expect(PARAM)) == 1 << old.0
                    && !is_dead(space)
                    && !exits(space)
                    && !exits(old)
            }
            OpKind::Exit => {
                let is_bound = ghost.bound.iter().any(|&set| set >> space.0 & 1 == 1);
                // A process that exits has no thread left that could map, unmap or bind; the driver may still unbind.
                let is_used = others.iter().any(|other| {
                    (other.space() == Some(space) || other.old() == Some(space))
                        && other.kind != OpKind::Unbind
                });
                is_bound && !is_dead(space) && !is_used
            }
            _ => unreachable!("{:?} is the host's", op.kind),
        }
    }

    fn host_may_begin(&self, state: &State, op: Op, others: &[Op]) -> bool {
        let (ghost, memory) = (&state.ghost, &state.memory);
        let busy = |same: fn(&Op, &Op) -> bool| others.iter().any(|other| same(&op, other));
        let same_ipa = |a: &Op, b: &Op| a.vm().is_some() && (a.vm(), a.ipa()) == (b.vm(), b.ipa());
        let same_device = |a: &Op, b: &Op| a.device().is_some() && a.device() == b.device();
        let same_viommu = |a: &Op, b: &Op| a.viommu().is_some() && a.viommu() == b.viommu();
        let mapped = |vm: Vm, ipa: Ipa| memory.s2[vm.index()] >> ipa.0 & 1 == 1;
        match op.kind {
            OpKind::Reclaim => {
                mapped(op.vm().expect(PARAM), op.ipa().expect(PARAM)) && !busy(same_ipa)
            }
            OpKind::Lend => {
                !mapped(op.vm().expect(PARAM), op.ipa().expect(PARAM)) && !busy(same_ipa)
            }
            OpKind::Attach => {
                let device = op.device().expect(PARAM);
                let destroys = |a: &Op, b: &Op| same_viommu_destroy(a, b);
                let viommu = op.viommu().expect(PARAM);
                let has_vmid = memory.vmid[viommu.index()] != 0;
                ghost.attached[device.index()] == 0
                    && (has_vmid || self.vmids_for(state, viommu) != 0)
                    && !busy(same_device)
                    && !busy(destroys)
            }
            OpKind::Detach => {
                let (device, viommu) = (op.device().expect(PARAM), op.viommu().expect(PARAM));
                ghost.attached[device.index()] == 1 << viommu.0
                    && !busy(same_device)
                    && self.is_released(state, device, others)
            }
            OpKind::Destroy => {
                let viommu = op.viommu().expect(PARAM);
                memory.vmid[viommu.index()] != 0
                    && ghost.attached.iter().all(|&set| set >> viommu.0 & 1 == 0)
                    && !busy(same_viommu)
            }
            OpKind::Translate | OpKind::Bypass => {
                let (device, viommu) = (op.device().expect(PARAM), op.viommu().expect(PARAM));
                let begins_with = match op.kind {
                    OpKind::Translate => ste0::S2_TRANS,
                    _ => ste0::nested(viommu),
                };
                ghost.attached[device.index()] == 1 << viommu.0
                    && memory.ste0[device.index()] == begins_with
                    && !busy(same_device)
                    && self.is_released(state, device, others)
            }
            _ => unreachable!("{:?} is a guest's", op.kind),
        }
    }

    /// Whether a guest has given a device back before it is unplugged. A hostile guest is not waited for.
    fn is_released(&self, state: &State, device: Device, others: &[Op]) -> bool {
        self.threat == Threat::Hostile
            || self.slots_of(device).all(|slot| {
                state.ghost.bound[slot.index()] == 0
                    && !others.iter().any(|other| other.slot() == Some(slot))
            })
    }
}

fn same_viommu_destroy(a: &Op, b: &Op) -> bool {
    b.kind == OpKind::Destroy && a.viommu().is_some() && a.viommu() == b.viommu()
}
