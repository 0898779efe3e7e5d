//! What operations promise: what may legitimately be reached while one runs, and what its return revokes.
//!
//! This is the contract between a guest's driver and its users (and between a host and its VMs), the same for every variant:
//! a frame may be reached from the beginning of map to the return of unmap, a space may be used by a slot from the beginning of
//! bind to the return of unbind, a VM may reach a frame from the beginning of lend to the return of reclaim.

use vocab::Page;

use crate::machine::Machine;
use crate::op::{Op, PARAM};
use crate::program::{OpKind, Start};
use crate::state::{State, leaf, note};
use crate::step::Seen;

impl Machine {
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
            | OpKind::Destroy
            | OpKind::Translate
            | OpKind::Bypass => {}
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
            OpKind::Map
            | OpKind::Lend
            | OpKind::Attach
            | OpKind::Destroy
            | OpKind::Translate
            | OpKind::Bypass => {}
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
            | OpKind::Destroy
            | OpKind::Translate
            | OpKind::Bypass => {}
        }
    }
}

/// A space that has exited and is bound nowhere any more can be used for a new process.
fn rebirth(ghost: &mut crate::state::Ghost) {
    let bound = ghost.bound.iter().fold(0, |all, set| all | set);
    ghost.dead &= bound;
}
