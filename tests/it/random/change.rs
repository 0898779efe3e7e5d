//! Changes of the world, each with the invalidations that it asks for.
//!
//! What the manual asks of software is asked of the world: break before make (a location, or the region of a block, gets another valid
//! value only when nobody can see an older one), an ASID is used again only when no entry of it is left, a global entry is the same in
//! all spaces of its VM. An operation that is not allowed yet says [`Busy`]; the run then follows all changes and tries again.

mod contexts;
mod follow;
mod streams;
mod tables;

use super::config::Ste;
use super::geometry::PAGES;
use super::need::Need;
use super::operation::Operation;
use super::world::World;

/// Older changes have to be followed first.
#[derive(Debug)]
pub struct Busy;

type Done = Result<(), Busy>;

impl World {
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
            } => self.protect1(half, page, attributes),
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
            } => self.protect2(vm, page, attributes),
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
