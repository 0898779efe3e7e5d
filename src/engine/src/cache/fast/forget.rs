//! What each invalidation command forgets.

use super::store::Pattern;
use super::structures::GROUPS;
use super::{Fast, PROBES, SPACES};
use crate::cache::range::Span;
use crate::ids::{StreamId, Vmid};
use crate::layout::{Command, RangeHint};
use crate::mutant::{Mutant, on};

/// Whose entries [`Fast::kill_span`] looks for.
#[derive(Clone, Copy)]
enum Target {
    Space(u32),
    /// Of one ASET.
    Global(u32, bool),
    Stage2(u32),
}

/// The sizes in a mask.
fn bits_of(mut sizes: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        if sizes == 0 {
            return None;
        }
        let bits = sizes.trailing_zeros() as u8;
        sizes &= sizes - 1;
        Some(bits)
    })
}

impl Fast {
    /// Forgets at least what the command names.
    pub(super) fn forget(&mut self, command: &Command) {
        match *command {
            Command::CfgiSte { sid, .. } => self.forget_stream(sid),
            Command::CfgiSteRange { sid, range } => self.forget_streams(sid, range),
            Command::CfgiCd { sid, ssid, .. } => {
                self.contexts.forget(sid, ssid.0);
                // Traffic without a SubstreamID may use the CD of index 0: all routes of the stream are looked up again.
                if !on(Mutant::CfgiCdSparesRoutes) {
                    self.routes.generations.renew(sid);
                }
            }
            Command::CfgiCdAll { sid } => self.forget_contexts(sid),
            Command::TlbiNhAll { vmid } => self.pages.owners.forget_stage1_of(vmid),
            Command::TlbiNhAsid { .. } if on(Mutant::NhAsidForgetsNothing) => {}
            Command::TlbiNhAsid { vmid, asid } => {
                self.pages.owners.forget_space(vmid, asid);
            }
            Command::TlbiNhVa {
                vmid,
                asid,
                address,
                leaf,
                hint,
            } => {
                let span = Span::new(address.0, hint);
                if let Some(slot) = self.pages.owners.known_space(vmid, asid) {
                    self.forget_in_space(slot, span, leaf);
                }
                if let Some(vm) = self.pages.owners.known_vm(vmid)
                    && !on(Mutant::NhVaSparesGlobal)
                {
                    self.forget_global(vm, span);
                }
            }
            Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint,
            } => self.forget_va_of_all(vmid, Span::new(address.0, hint), leaf),
            Command::TlbiS12Vmall { vmid } => self.pages.owners.forget_vm(vmid),
            Command::TlbiS2Ipa {
                vmid,
                address,
                leaf,
                hint,
            } => self.forget_ipa(vmid, address.0, hint, leaf),
            Command::TlbiNsnhAll => self.pages.owners.forget_all(),
            _ => {}
        }
    }

    /// CFGI_STE: the entry and everything that was reached through it.
    fn forget_stream(&mut self, sid: StreamId) {
        self.streams.generations.renew(sid);
        if on(Mutant::CfgiSteSparesCds) {
            self.routes.generations.renew(sid);
        } else {
            self.forget_contexts(sid);
        }
    }

    /// CFGI_CD_ALL.
    fn forget_contexts(&mut self, sid: StreamId) {
        self.contexts.generations.renew(sid);
        self.routes.generations.renew(sid);
    }

    /// CFGI_STE_RANGE: 2^(range+1) entries, aligned. In 64 bits, where range 31 is no overflow.
    fn forget_streams(&mut self, sid: StreamId, range: u8) {
        let count = 2u64 << range.min(31) >> u8::from(on(Mutant::CfgiRangeIsHalf));
        if count >= GROUPS as u64 {
            self.streams.generations.renew_all();
            self.contexts.generations.renew_all();
            self.routes.generations.renew_all();
            return;
        }
        let first = u64::from(sid.0) & !(count - 1);
        for sid in first..first + count {
            self.forget_stream(StreamId(sid as u32));
        }
    }

    fn forget_va_of_all(&mut self, vmid: Vmid, span: Span, leaf: bool) {
        let Some(vm) = self.pages.owners.known_vm(vmid) else {
            return;
        };
        if on(Mutant::B59AsidUnset) {
            return;
        }
        let spaces = self.pages.owners.spaces_of(vm).len();
        if spaces > SPACES {
            self.over_invalidations += 1;
            self.pages.owners.forget_stage1_of(vmid);
            return;
        }
        for nth in 0..spaces {
            let slot = self.pages.owners.spaces_of(vm)[nth];
            self.forget_in_space(slot, span, leaf);
        }
        self.forget_global(vm, span);
    }

    fn forget_ipa(&mut self, vmid: Vmid, ipa: u64, hint: RangeHint, leaf: bool) {
        let Some(vm) = self.pages.owners.known_vm(vmid) else {
            return;
        };
        if !self.pages.owners.stage2_is_stale(vm) && !on(Mutant::S2IpaForgetsNothing) {
            self.kill_span(Target::Stage2(vm), Span::new(ipa, hint));
        }
        if !leaf && !on(Mutant::S2IpaSparesTables) {
            self.pages.owners.renew_stage2_walk(vm);
        }
    }

    fn kill_span(&mut self, target: Target, span: Span) {
        let (store, owner, sizes, fractured) = match target {
            Target::Space(slot) => {
                let (space, _) = self.pages.owners.space_at(slot);
                (
                    &mut self.pages.tlb,
                    space.owner,
                    space.sizes,
                    space.fractured,
                )
            }
            Target::Global(slot, aset) => {
                let globals = self.pages.owners.vm_at(slot).globals[usize::from(aset)];
                (
                    &mut self.pages.tlb,
                    globals.owner,
                    globals.sizes,
                    globals.fractured,
                )
            }
            Target::Stage2(slot) => {
                let vm = self.pages.owners.vm_at(slot);
                (
                    &mut self.pages.ipas,
                    vm.stage2_owner,
                    vm.stage2_sizes,
                    false,
                )
            }
        };
        let probes: u64 =
            bits_of(sizes).fold(0, |sum, bits| span.entries(bits).saturating_add(sum));
        let fractured = fractured && !on(Mutant::PartsOfPageStay);
        if fractured || probes > PROBES {
            self.over_invalidations += 1;
            match target {
                Target::Space(slot) => self.pages.owners.renew_space(slot),
                Target::Global(slot, _) => self.pages.owners.renew_global(slot),
                Target::Stage2(slot) => self.pages.owners.renew_stage2(slot),
            }
            return;
        }
        for bits in bits_of(sizes) {
            let pattern = Pattern::new(1 << bits, owner);
            for page in span.first >> bits..=span.last >> bits {
                store.kill(pattern.tag(page << bits));
            }
        }
    }

    /// NH_VA of one space; its cached tables go too, unless `leaf`.
    fn forget_in_space(&mut self, slot: u32, span: Span, leaf: bool) {
        if self.pages.owners.space_is_stale(slot) {
            return;
        }
        self.kill_span(Target::Space(slot), span);
        if !leaf && !on(Mutant::NhVaSparesTables) {
            self.pages.owners.renew_walk(slot);
        }
    }

    fn forget_global(&mut self, vm: u32, span: Span) {
        if !self.pages.owners.global_is_stale(vm) {
            // Commands disregard ASET (4.4 "TLB invalidation").
            for aset in [false, true] {
                self.kill_span(Target::Global(vm, aset), span);
            }
        }
    }
}
