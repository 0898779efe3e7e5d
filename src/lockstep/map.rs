//! Where everything lies: the abstract machine's tables, pages and queues as addresses.
//!
//! ```text
//! physical   0x0000_1000  stream table
//!            0x0000_2000  command queues, a page each
//!            0x0000_8000  event queue
//!            0x0001_0000  stage-2 tables, two pages a VM
//!            0x0010_0000  memory of VM 0, behind it that of VM 1, …
//! of a VM    ipa page 16  frames that a host lends and reclaims
//!            ipa page 24  CD tables, one page for each (vIOMMU, device)
//!            ipa page 32  stage-1 tables, two pages a space
//! ```
//!
//! Only the frames are ever taken from a VM; the model leaves memory that holds tables out (docs/limits.md), and so stage 2 always maps it.

use model::limit;
use vocab::{Device, Ipa, Page, Space, Viommu, Vm};

/// Bytes of a page, everywhere.
pub const PAGE: u64 = 0x1000;
/// SMMU_STRTAB_BASE.
pub const STREAM_TABLE: u64 = 0x1000;
/// SMMU_EVENTQ_BASE, of 2^[`EVENTS_LOG2`] records.
pub const EVENTS: u64 = 0x8000;
/// Log2 of the event queue's records.
pub const EVENTS_LOG2: u8 = 6;
/// Log2 of a command queue's entries.
pub const COMMANDS_LOG2: u8 = 8;
/// How many command queues there is room for.
pub const QUEUES: usize = 4;

/// Bytes of a VM's memory.
const RAM: u64 = 64 * PAGE;
const RAM_BASE: u64 = 0x10_0000;
/// All memory that there is.
pub const SIZE: u64 = RAM_BASE + limit::VMS as u64 * RAM;

const FRAMES: u64 = 16;
const CD_TABLES: u64 = 24;
const STAGE_1: u64 = 32;

const _: () = {
    assert!(FRAMES + limit::IPAS as u64 <= CD_TABLES);
    assert!(CD_TABLES + (limit::VIOMMUS * limit::DEVICES) as u64 <= STAGE_1);
    assert!((STAGE_1 + 2 * limit::SPACES as u64) * PAGE <= RAM);
};

/// The base of a command queue.
pub const fn commands(queue: u8) -> u64 {
    0x2000 + queue as u64 * PAGE
}

/// The start of a VM's stage 2: a level-2 table, and behind it the only level-3 table that it leads to.
pub const fn stage_2(vm: Vm) -> u64 {
    0x1_0000 + vm.0 as u64 * 2 * PAGE
}

/// An intermediate address of a VM as a physical one.
pub const fn physical(vm: Vm, ipa: u64) -> u64 {
    RAM_BASE + vm.0 as u64 * RAM + ipa
}

/// The intermediate address of a page that the model knows.
pub const fn ipa(Ipa(ipa): Ipa) -> u64 {
    (FRAMES + ipa as u64) * PAGE
}

/// The intermediate page at an address, if the model knows it.
pub const fn ipa_at(address: u64) -> Option<Ipa> {
    let page = address / PAGE;
    if page >= FRAMES && page < FRAMES + limit::IPAS as u64 {
        Some(Ipa((page - FRAMES) as u8))
    } else {
        None
    }
}

/// The VM and intermediate page of the frame at a physical address.
pub const fn frame_at(physical: u64) -> Option<(Vm, Ipa)> {
    if physical < RAM_BASE || physical >= SIZE {
        return None;
    }
    let vm = Vm(((physical - RAM_BASE) / RAM) as u8);
    match ipa_at((physical - RAM_BASE) % RAM) {
        Some(ipa) => Some((vm, ipa)),
        None => None,
    }
}

/// The intermediate address of a device's CD table of a vIOMMU.
pub const fn cd_table(viommu: Viommu, device: Device) -> u64 {
    (CD_TABLES + (viommu.index() * limit::DEVICES + device.index()) as u64) * PAGE
}

/// A device's STE.
pub const fn ste(device: Device) -> u64 {
    STREAM_TABLE + device.0 as u64 * 64
}

/// The stage-2 leaf of a VM's intermediate page.
pub const fn stage_2_entry(vm: Vm, page: Ipa) -> u64 {
    stage_2(vm) + PAGE + ipa(page) / PAGE * 8
}

/// The intermediate address of a space's leaf of a page.
pub const fn stage_1_entry(space: Space, page: Page) -> u64 {
    stage_1(space) + PAGE + iova(page) / PAGE * 8
}

/// The intermediate address of a space's level-2 table; its level-3 table follows.
pub const fn stage_1(space: Space) -> u64 {
    (STAGE_1 + 2 * space.0 as u64) * PAGE
}

/// The intermediate pages that hold tables, which stage 2 always maps.
pub fn tables() -> impl Iterator<Item = u64> {
    (CD_TABLES..RAM / PAGE).map(|page| page * PAGE)
}

/// An input address that no space maps.
pub const UNMAPPED: u64 = PAGE;

/// The first address of an input page.
pub const fn iova(Page(page): Page) -> u64 {
    (5 + page as u64) * PAGE
}
