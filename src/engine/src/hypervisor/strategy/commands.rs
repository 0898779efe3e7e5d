//! The commands of the guest driver's intents. VMIDs are 0 here, StreamIDs virtual: they are replaced on the way.

use super::Change;
use crate::hypervisor::Slot;
use crate::ids::{Asid, Iova, StreamId, SubstreamId, Vmid};
use crate::layout::{Command, RangeHint};

/// Above this many pages the whole ASID is invalidated: `CMDQ_MAX_TLBI_OPS` with 4 KiB pages.
const MANY: u64 = 512;
const PAGE_BITS: u32 = 12;

pub(super) fn cfgi(slot: Slot) -> [u64; 2] {
    Command::CfgiCd {
        sid: slot.vsid,
        ssid: slot.ssid.unwrap_or(SubstreamId(0)),
        leaf: true,
    }
    .encode()
}

/// What TLBs must forget: one command a page, or one for everything. Tables may have gone, too, so that Leaf is 0.
pub(super) fn tlbi(asid: Asid, change: Change) -> Vec<[u64; 2]> {
    let vmid = Vmid(0);
    match change {
        Change::Pages { first, pages } if pages <= MANY => (0..pages)
            .map(|page| {
                Command::TlbiNhVa {
                    vmid,
                    asid,
                    address: Iova(first.0.wrapping_add(page << PAGE_BITS)),
                    leaf: false,
                    hint: RangeHint::default(),
                }
                .encode()
            })
            .collect(),
        _ => vec![Command::TlbiNhAsid { vmid, asid }.encode()],
    }
}

/// What the device's cache must forget: the smallest aligned power of two of pages that holds both ends, as ATS can name nothing else
/// (`arm_smmu_atc_inv_to_cmd`).
pub(super) fn atc_inv(slot: Slot, change: Change) -> [u64; 2] {
    let (address, size) = match change {
        Change::Pages { first, pages } if pages > 0 => {
            let first = first.0 >> PAGE_BITS;
            match first.checked_add(pages - 1) {
                Some(last) if last >> (64 - PAGE_BITS) == 0 => {
                    let size = u64::BITS - (first ^ last).leading_zeros();
                    (first >> size << size << PAGE_BITS, size as u8)
                }
                _ => (0, 52),
            }
        }
        _ => (0, 52),
    };
    Command::AtcInv {
        sid: slot.vsid,
        ssid: slot.ssid,
        global: false,
        address: Iova(address),
        size,
    }
    .encode()
}

/// What a device's cache must forget of whom its contexts are not known: every address, without a SubstreamID, of every PASID.
pub(in crate::hypervisor) fn forget_all(sid: StreamId) -> [u64; 2] {
    Command::AtcInv {
        sid,
        ssid: None,
        global: false,
        address: Iova(0),
        size: 52,
    }
    .encode()
}

/// The same for every slot that caches.
pub(super) fn fan_out(slots: &[Slot], change: Change) -> Vec<[u64; 2]> {
    slots
        .iter()
        .filter(|slot| slot.ats)
        .map(|&slot| atc_inv(slot, change))
        .collect()
}
