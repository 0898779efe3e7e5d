//! Ways in which a guest's changes to its tables reach the caches, and what each costs.
//!
//! A [`Strategy`] is asked in the guest driver's terms: a context comes, a context goes, the tables of an ASID changed. Who remembers
//! which contexts use an ASID, and how often guest, VMM and kernel are crossed, is what strategies differ in.
//!
//! Order     TLBI, CMD_SYNC, ATC_INV, CMD_SYNC in all of them: otherwise a request of the device between the two fills its cache from
//!           the TLB again. Arm IHI 0070, 3.9.1.3 "Handling of ATS invalidations".

mod commands;
mod contexts;
mod fan_out;
mod guest_cds;
mod native;
mod per_hwpt;
mod strong_asid;

pub(super) use commands::forget_all;
pub use guest_cds::{GuestCds, Told};
pub use native::Native;
pub use per_hwpt::PerHwpt;
pub use strong_asid::StrongAsid;

use super::{CdStore, Errno, Host, Issued, Slot, Stuck};
use crate::ids::{Asid, Iova};

/// What changed in the tables of an ASID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `pages` pages of 4 KiB from `first` on.
    Pages {
        /// The first address.
        first: Iova,
        /// How many.
        pages: u64,
    },
    /// Anything.
    All,
}

/// What a strategy has cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Times that the guest had to leave, for the VMM or the hypervisor.
    pub exits: u64,
    /// Calls into the kernel.
    pub ioctls: u64,
    /// Commands that the physical SMMU got, without CMD_SYNC.
    pub commands: u64,
    /// CMD_SYNCs that it got.
    pub syncs: u64,
}

/// Whether what was asked for is done.
pub type Done = Result<(), Errno>;
/// Who stores to the CD that is asked about.
pub type Cd<'a> = &'a mut dyn FnMut(CdStore);
/// Who stores to the CDs of several slots.
pub type Cds<'a> = &'a mut dyn FnMut(Slot, CdStore);

/// A way from a guest's driver to the caches.
pub trait Strategy {
    /// A context comes: `cd` makes the CD of `slot`, which is invalid, a valid one, store by store, with the ASID that it is given: `asid`,
    /// or one that stands for it. When this returns, devices can use it.
    ///
    /// # Errors
    /// [`Errno::Busy`] if the slot has a context; [`Errno::Io`] if the device is not the guest's, in which case `cd` may not have
    /// been called; [`Errno::TimedOut`]. After an error behind a store the slot counts as used, since devices may reach it.
    fn bind(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done;

    /// A context goes: `cd` makes the CD of `slot` invalid. When this returns, nothing of it is cached.
    ///
    /// # Errors
    /// [`Errno::NoEntry`] if the slot has none. After any other error the slot counts as used, and this can be repeated.
    fn unbind(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done;

    /// A context goes and another comes, while the device goes on: in between the CD is invalid, since both its words change.
    ///
    /// # Errors
    /// [`Errno::NoEntry`] if the slot has no context. After any other error the slot counts as used, under one of the two ASIDs, and
    /// what was cached under the old one may be there.
    fn replace(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done;

    /// The tables of `asid` have changed. When this returns, no device uses what was there before.
    ///
    /// # Errors
    /// Some cache may still know it.
    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Done;

    /// The process of `asid` is gone, and its tables are about to go; its contexts stay until they are unbound. `cd` ends each of them,
    /// so that devices' accesses are aborted quietly. When this returns, nothing that they walked is cached.
    ///
    /// # Errors
    /// Some cache may still know it.
    fn stop(&mut self, host: &mut dyn Host, asid: Asid, cd: Cds<'_>) -> Done;

    /// What this has cost so far.
    fn counts(&self) -> Counts;
}

/// A host whose work is counted.
struct Counted<'a> {
    host: &'a mut dyn Host,
    counts: &'a mut Counts,
}

impl Host for Counted<'_> {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        self.counts.commands += commands.len() as u64;
        self.counts.syncs += 1;
        self.host.issue(commands)
    }
}
