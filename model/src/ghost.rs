//! What operations promise: when one may begin, what may legitimately be reached while it runs, and what its return revokes.
//!
//! This is the contract between a guest's driver and its users (and between a host and its VMs), the same for every variant:
//! a frame may be reached from the beginning of map to the return of unmap, a space may be used by a slot from the beginning of
//! bind to the return of unbind, a VM may reach a frame from the beginning of lend to the return of reclaim.

use vocab::{Device, Ipa, Page, PropertyId, Slot, Space, Threat, Viommu, Vm};

use crate::caches::{ste0, values};
use crate::machine::Machine;
use crate::program::{Kind, OpKind, Start, TableStart};
use crate::property::usable;
use crate::state::{State, leaf, note};
use crate::step::Seen;

/// Arguments of an operation in progress or about to begin.
#[derive(Clone, Copy)]
struct Op {
    kind: OpKind,
    args: [u8; 3],
}

impl Op {
    fn arg(&self, kind: Kind, nth: usize) -> Option<u8> {
        let mut places = self
            .kind
            .params()
            .iter()
            .enumerate()
            .filter(|(_, param)| **param == kind);
        places.nth(nth).map(|(place, _)| self.args[place] - 1)
    }

    fn slot(&self) -> Option<Slot> {
        self.arg(Kind::Slot, 0).map(Slot)
    }

    fn space(&self) -> Option<Space> {
        self.arg(Kind::Space, 0).map(Space)
    }

    /// The space that `replace` replaces.
    fn old(&self) -> Option<Space> {
        self.arg(Kind::Space, 1).map(Space)
    }

    fn page(&self) -> Option<Page> {
        self.arg(Kind::Page, 0).map(Page)
    }

    fn ipa(&self) -> Option<Ipa> {
        self.arg(Kind::Ipa, 0).map(Ipa)
    }

    fn vm(&self) -> Option<Vm> {
        self.arg(Kind::Vm, 0).map(Vm)
    }

    fn device(&self) -> Option<Device> {
        self.arg(Kind::Device, 0).map(Device)
    }

    fn viommu(&self) -> Option<Viommu> {
        self.arg(Kind::Viommu, 0).map(Viommu)
    }
}

const PARAM: &str = "an operation has the parameters that OpKind::params lists";

impl Machine {
    /// Memory and ghosts before anybody moves: stage 2 maps everything, every device that can be is attached, nothing is bound.
    pub(crate) fn set_up(&self, state: &mut State) {
        let bounds = &self.bounds;
        for vm in (0..bounds.vms).map(Vm) {
            state.memory.s2[vm.index()] = ((1u16 << bounds.ipas) - 1) as u8;
            for ipa in (0..bounds.ipas).map(Ipa) {
                state.ghost.lent[vm.index()] |= 1 << self.frame(vm, ipa).0;
                state.ghost.steady_frames |= 1 << self.frame(vm, ipa).0;
            }
        }
        for viommu in (0..bounds.viommus).map(Viommu) {
            let vmid = match self.axes.vmid {
                crate::machine::VmidPer::Viommu => viommu.0,
                crate::machine::VmidPer::Vm => self.vm_of(viommu).0,
                crate::machine::VmidPer::Host => 0,
            };
            if vmid < bounds.vmids {
                state.memory.vmid[viommu.index()] = vmid + 1;
            }
        }
        for device in (0..bounds.devices).map(Device) {
            let viommu = Viommu(device.0 % bounds.viommus);
            let vmid = state.memory.vmid[viommu.index()];
            if vmid == 0 {
                continue;
            }
            state.memory.ste0[device.index()] = ste0::nested(viommu);
            state.memory.ste1[device.index()] = self.axes.ats as u8;
            state.memory.ste2[device.index()] = self.ste_word2(vmid, viommu);
            state.ghost.attached[device.index()] = 1 << viommu.0;
            state.ghost.steady_devices |= 1 << device.0;
            for (table, content) in self.code.tables.iter().zip(&mut state.memory.tables) {
                match (table.start, table.key) {
                    (TableStart::Empty, _) => {}
                    (TableStart::Attached, Kind::Vm) => {
                        content[self.vm_of(viommu).index()] |= 1 << viommu.0;
                    }
                    (TableStart::Attached, _) => content[viommu.index()] |= 1 << device.0,
                }
            }
        }
    }

    /// Calls `with` for every tuple of arguments of these kinds, each stored plus one.
    pub(crate) fn each_args(&self, kinds: &[Kind], mut with: impl FnMut([u8; 3])) {
        let counts = [0, 1, 2].map(|place| kinds.get(place).map_or(1, |kind| self.count(*kind)));
        for a in 0..counts[0] {
            for b in 0..counts[1] {
                for c in 0..counts[2] {
                    let args = [a, b, c];
                    with([0, 1, 2].map(|place| {
                        if place < kinds.len() {
                            args[place] + 1
                        } else {
                            0
                        }
                    }));
                }
            }
        }
    }

    /// How many things of a kind there are.
    fn count(&self, kind: Kind) -> u8 {
        match kind {
            Kind::Device => self.bounds.devices,
            Kind::Slot => self.slots(),
            Kind::Space => self.bounds.spaces,
            Kind::Page => self.bounds.pages,
            Kind::Ipa => self.bounds.ipas,
            Kind::Vm => self.bounds.vms,
            Kind::Viommu => self.bounds.viommus,
            Kind::Asid => self.bounds.asids,
            Kind::Flag => 2,
        }
    }

    /// The operations that other threads are in.
    fn others(&self, state: &State, thread: usize) -> impl Iterator<Item = Op> + use<'_> {
        let threads = state.threads;
        (0..self.threads())
            .filter(move |&other| other != thread)
            .filter_map(move |other| {
                let entry = threads[other].entry.checked_sub(1)?;
                let Start::Operation(kind) = self.code.entries[entry as usize].start else {
                    return None;
                };
                let regs = threads[other].regs;
                Some(Op {
                    kind,
                    args: [regs[0], regs[1], regs[2]],
                })
            })
    }

    /// Whether the users of a driver (or of a host) may ask for an operation now.
    pub(crate) fn may_begin(
        &self,
        state: &State,
        thread: usize,
        kind: OpKind,
        args: [u8; 3],
    ) -> bool {
        let op = Op { kind, args };
        let others: Vec<Op> = self.others(state, thread).collect();
        match self.vm_of_thread(thread) {
            Some(vm) => self.guest_may_begin(state, vm, op, &others),
            None => self.host_may_begin(state, op, &others),
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
                (serves(slot) || waits)
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

    /// An operation begins: what it will establish may legitimately be reached from now on, and what it will undo need not.
    pub(crate) fn promise(&self, state: &mut State, kind: OpKind, args: [u8; 3]) {
        let op = Op { kind, args };
        self.steady(state, op, false);
        let ghost = &mut state.ghost;
        match kind {
            OpKind::Map => {
                let (space, page) = (op.space().expect(PARAM), op.page().expect(PARAM));
                let frame = self.frame(self.vm_of(self.viommu_of(space)), op.ipa().expect(PARAM));
                ghost.grant[leaf(space, page)] |= 1 << frame.0;
            }
            OpKind::Bind | OpKind::Replace => {
                ghost.bound[op.slot().expect(PARAM).index()] |= 1 << op.space().expect(PARAM).0;
            }
            OpKind::Lend => {
                let vm = op.vm().expect(PARAM);
                ghost.lent[vm.index()] |= 1 << self.frame(vm, op.ipa().expect(PARAM)).0;
            }
            OpKind::Attach => {
                ghost.attached[op.device().expect(PARAM).index()] |=
                    1 << op.viommu().expect(PARAM).0;
            }
            OpKind::Unmap
            | OpKind::Unbind
            | OpKind::Exit
            | OpKind::Reclaim
            | OpKind::Detach
            | OpKind::Destroy => {}
        }
    }

    /// A thread's operation or call ends: what a success revokes is revoked, what a failure did not establish is too.
    pub(crate) fn end(&self, state: &mut State, thread: usize, success: bool, seen: &mut Seen) {
        seen.failed |= !success;
        let this = state.threads[thread];
        let entry = this
            .entry
            .checked_sub(1)
            .expect("only a thread in an operation ends one");
        state.threads[thread] = crate::state::Thread {
            batch: this.batch,
            asked: this.asked,
            owed: this.owed,
            syncs: this.syncs,
            ..Default::default()
        };
        let Start::Operation(kind) = self.code.entries[entry as usize].start else {
            return;
        };
        let op = Op {
            kind,
            args: [this.regs[0], this.regs[1], this.regs[2]],
        };
        if success {
            self.keep(state, op, this.notes & note::ISSUED != 0, seen);
        } else {
            self.give_up(state, op);
        }
    }

    fn keep(&self, state: &mut State, op: Op, issued: bool, seen: &mut Seen) {
        seen.witnesses |= self.tested_by_return(state, op, issued);
        self.steady(state, op, true);
        let (ghost, memory) = (&mut state.ghost, &mut state.memory);
        match op.kind {
            OpKind::Unmap => {
                ghost.grant[leaf(op.space().expect(PARAM), op.page().expect(PARAM))] = 0;
            }
            OpKind::Bind => memory.active |= 1 << op.slot().expect(PARAM).0,
            OpKind::Unbind => {
                let slot = op.slot().expect(PARAM);
                ghost.bound[slot.index()] &= !(1 << op.space().expect(PARAM).0);
                memory.active &= !(1 << slot.0);
                rebirth(ghost);
            }
            OpKind::Replace => {
                ghost.bound[op.slot().expect(PARAM).index()] &= !(1 << op.old().expect(PARAM).0);
                rebirth(ghost);
            }
            OpKind::Exit => {
                let space = op.space().expect(PARAM);
                for page in (0..self.bounds.pages).map(Page) {
                    ghost.grant[leaf(space, page)] = 0;
                }
                ghost.dead |= 1 << space.0;
                rebirth(ghost);
            }
            OpKind::Reclaim => {
                let vm = op.vm().expect(PARAM);
                ghost.lent[vm.index()] &= !(1 << self.frame(vm, op.ipa().expect(PARAM)).0);
            }
            OpKind::Detach => {
                ghost.attached[op.device().expect(PARAM).index()] &=
                    !(1 << op.viommu().expect(PARAM).0);
            }
            OpKind::Map | OpKind::Lend | OpKind::Attach | OpKind::Destroy => {}
        }
    }

    /// What must work from an operation's return on, or need not from its beginning on.
    fn steady(&self, state: &mut State, op: Op, returns: bool) {
        let ghost = &mut state.ghost;
        let frame = |vm, ipa| self.frame(vm, ipa).0;
        let (set, bits) = match (op.kind, returns) {
            (OpKind::Map, true) | (OpKind::Unmap, false) => {
                let place = leaf(op.space().expect(PARAM), op.page().expect(PARAM));
                (&mut ghost.steady_pages, 1 << place)
            }
            (OpKind::Exit, false) => {
                let space = op.space().expect(PARAM);
                let pages = (0..self.bounds.pages).map(Page);
                let bits = pages.fold(0, |bits, page| bits | 1 << leaf(space, page));
                (&mut ghost.steady_pages, bits)
            }
            (OpKind::Bind, true) | (OpKind::Unbind, false) | (OpKind::Replace, _) => {
                (&mut ghost.steady_slots, 1 << op.slot().expect(PARAM).0)
            }
            (OpKind::Attach, true) | (OpKind::Detach, false) => {
                (&mut ghost.steady_devices, 1 << op.device().expect(PARAM).0)
            }
            (OpKind::Lend, true) | (OpKind::Reclaim, false) => {
                let frame = frame(op.vm().expect(PARAM), op.ipa().expect(PARAM));
                (&mut ghost.steady_frames, 1 << frame)
            }
            _ => return,
        };
        match returns {
            true => *set |= bits,
            false => *set &= !bits,
        }
    }

    /// Whether a device is being attached or detached.
    pub(crate) fn is_moving(&self, state: &State, device: Device) -> bool {
        self.others(state, usize::MAX)
            .any(|op| op.device() == Some(device))
    }

    fn give_up(&self, state: &mut State, op: Op) {
        let ghost = &mut state.ghost;
        match op.kind {
            OpKind::Map => {
                ghost.grant[leaf(op.space().expect(PARAM), op.page().expect(PARAM))] = 0;
            }
            OpKind::Bind | OpKind::Replace => {
                ghost.bound[op.slot().expect(PARAM).index()] &= !(1 << op.space().expect(PARAM).0);
            }
            OpKind::Lend => {
                let vm = op.vm().expect(PARAM);
                ghost.lent[vm.index()] &= !(1 << self.frame(vm, op.ipa().expect(PARAM)).0);
            }
            OpKind::Attach => {
                ghost.attached[op.device().expect(PARAM).index()] &=
                    !(1 << op.viommu().expect(PARAM).0);
            }
            // What they were to revoke was not revoked, and may still be reached.
            OpKind::Unmap
            | OpKind::Unbind
            | OpKind::Exit
            | OpKind::Reclaim
            | OpKind::Detach
            | OpKind::Destroy => {}
        }
    }

    /// The properties that the return of an operation puts to the test.
    fn tested_by_return(&self, state: &State, op: Op, issued: bool) -> u16 {
        match op.kind {
            // Something that a device may have cached is revoked, by somebody who knew that it may be.
            OpKind::Unmap | OpKind::Exit => {
                let space = op.space().expect(PARAM);
                let is_used = (0..self.slots()).map(Slot).any(|slot| {
                    state.ghost.bound[slot.index()] >> space.0 & 1 == 1
                        && self.may_request(state, slot)
                });
                match is_used && issued {
                    true => PropertyId::S1.bit(),
                    false => 0,
                }
            }
            OpKind::Unbind | OpKind::Replace => PropertyId::Cfg.bit(),
            OpKind::Reclaim => {
                let vm = op.vm().expect(PARAM);
                let in_use = (0..self.bounds.devices).map(Device).any(|device| {
                    Machine::stage_2_in_use(&state.caches, device).any(|(_, other)| other == vm)
                });
                let ipa = op.ipa().expect(PARAM);
                let is_mapped = self.threat != Threat::Honest
                    || (0..self.bounds.spaces).map(Space).any(|space| {
                        self.vm_of(self.viommu_of(space)) == vm
                            && state.ghost.bound.iter().any(|&set| set >> space.0 & 1 == 1)
                            && (0..self.bounds.pages)
                                .any(|page| state.memory.ipa(space, Page(page)) == Some(ipa))
                    });
                if in_use && is_mapped {
                    PropertyId::S2.bit()
                } else {
                    0
                }
            }
            // A device has come to a vIOMMU other than its first: what it left behind is put to the test.
            OpKind::Attach => {
                let first = op.device().expect(PARAM).0 % self.bounds.viommus;
                match op.viommu().expect(PARAM).0 == first {
                    true => 0,
                    false => PropertyId::Iso.bit(),
                }
            }
            _ => 0,
        }
    }

    /// The properties that a state puts to the test by what it is.
    pub(crate) fn witnesses_of(&self, state: &State) -> u16 {
        let in_use = usable::pages_in_use(self, state).next().is_some();
        let used = if in_use { PropertyId::Use.bit() } else { 0 };
        used | self.isolation_is_tested(state)
    }

    fn isolation_is_tested(&self, state: &State) -> u16 {
        // Isolation is tested when devices of two VMs can both reach something, or one device has served both.
        if self.bounds.vms < 2 {
            return 0;
        }
        let mut vms = 0u8;
        for slot in (0..self.slots()).map(Slot) {
            let reaches =
                (0..self.bounds.pages).any(|page| self.reach(state, slot, Page(page)) != 0);
            if reaches {
                let attached = state.ghost.attached[self.device_of(slot).index()];
                let device = self.device_of(slot);
                let first = self.vm_of(Viommu(device.0 % self.bounds.viommus));
                for vm in values(attached).map(|viommu| self.vm_of(Viommu(viommu))) {
                    vms |= 1 << vm.0;
                    if vm != first {
                        // It began under another VM: it has moved.
                        vms |= 1 << first.0;
                    }
                }
            }
        }
        if vms.count_ones() > 1 {
            PropertyId::Iso.bit()
        } else {
            0
        }
    }
}

fn same_viommu_destroy(a: &Op, b: &Op) -> bool {
    b.kind == OpKind::Destroy && a.viommu().is_some() && a.viommu() == b.viommu()
}

/// A space that has exited and is bound nowhere any more can be used for a new process.
fn rebirth(ghost: &mut crate::state::Ghost) {
    let bound = ghost.bound.iter().fold(0, |all, set| all | set);
    ghost.dead &= bound;
}
