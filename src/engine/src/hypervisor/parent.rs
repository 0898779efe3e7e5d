//! A nest parent: the stage 2 below guests' streams, and everything that may remember a piece of it.
//!
//! Source    Linux, `arm-smmu-v3.c`: `struct arm_smmu_invs` (a domain's list of what to invalidate), `arm_smmu_domain_inv_range`,
//!           `arm_smmu_attach_prepare_invs` and `arm_smmu_install_old_domain_invs` (the list learns a stream before its STE is written,
//!           and forgets it afterwards).
//! Unmapping S2_IPA does not reach entries that combine both stages: Arm IHI 0070, 4.4.3 CMD_TLBI_S2_IPA asks for NH_ALL or NH_VAA behind
//!           it. And a device that caches may have any of the guest's addresses, under any of its PASIDs, for the page; the host knows
//!           neither, so that it is told to forget everything.

use std::collections::BTreeMap;

use super::strategy::forget_all;
use super::{BATCH, Errno, Host, SteStore, Stuck};
use crate::ids::{Ipa, StreamId, Vmid};
use crate::layout::{Command, RangeHint};

/// Above this many pages all of the VMID is invalidated: `CMDQ_MAX_TLBI_OPS` with 4 KiB pages.
const MANY: u64 = 512;
const PAGE_BITS: u32 = 12;

/// A stream on this stage 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    vmid: Vmid,
    ats: bool,
}

/// The list of a stage 2: its streams, the VMIDs that tag what they translate, and which of them cache.
#[derive(Clone, Debug, Default)]
pub struct NestParent {
    users: BTreeMap<StreamId, User>,
}

impl NestParent {
    /// A stage 2 without streams.
    pub fn new() -> Self {
        NestParent::default()
    }

    /// A stream comes: `write_ste` makes its STE, which aborts, one with this stage 2 and this VMID, store by store. `ats` says whether
    /// the device may cache with it.
    ///
    /// The list knows the stream before: a page that is unmapped meanwhile is forgotten by it, too.
    ///
    /// # Errors
    /// [`Errno::Busy`] if the stream is on this stage 2 already, in which case nothing was written. [`Errno::TimedOut`]: the stream stays
    /// on the list, since devices may reach it.
    pub fn attach(
        &mut self,
        host: &mut dyn Host,
        sid: StreamId,
        vmid: Vmid,
        ats: bool,
        write_ste: &mut dyn FnMut(SteStore),
    ) -> Result<(), Errno> {
        if self.users.contains_key(&sid) {
            return Err(Errno::Busy);
        }
        self.users.insert(sid, User { vmid, ats });
        write_ste(SteStore::Rest);
        issue(host, &[cfgi_ste(sid)])?;
        write_ste(SteStore::First);
        issue(host, &[cfgi_ste(sid)])
    }

    /// A stream goes: `write_ste` writes word 0 of an STE without this stage 2, which makes the others unused. ATS is off at the device
    /// before this is called.
    ///
    /// A VMID that no stream of the list uses any more is clean when this returns, so that it may be given to somebody else.
    ///
    /// # Errors
    /// [`Errno::NoEntry`] if the stream is not here. After [`Errno::TimedOut`] it stays on the list, and this can be repeated.
    pub fn detach(
        &mut self,
        host: &mut dyn Host,
        sid: StreamId,
        write_ste: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        let user = *self.users.get(&sid).ok_or(Errno::NoEntry)?;
        write_ste();
        issue(host, &[cfgi_ste(sid)])?;
        if user.ats {
            issue(host, &[forget_all(sid)])?;
        }
        let alone = self
            .users
            .iter()
            .all(|(&known, other)| known == sid || other.vmid != user.vmid);
        if alone {
            issue(host, &[Command::TlbiS12Vmall { vmid: user.vmid }.encode()])?;
        }
        self.users.remove(&sid);
        Ok(())
    }

    /// What must be issued when `pages` pages of 4 KiB from `first` on have changed: batches, with a CMD_SYNC behind each.
    pub fn invalidation(&self, first: Ipa, pages: u64) -> Vec<Vec<[u64; 2]>> {
        let mut vmids: Vec<_> = self.users.values().map(|user| user.vmid).collect();
        vmids.sort_unstable();
        vmids.dedup();
        let translations = if pages > MANY {
            vec![each(&vmids, |vmid| Command::TlbiS12Vmall { vmid })]
        } else {
            let addresses = (0..pages).map(|page| Ipa(first.0.wrapping_add(page << PAGE_BITS)));
            let stage2 = addresses.flat_map(|address| {
                each(&vmids, |vmid| Command::TlbiS2Ipa {
                    vmid,
                    address,
                    leaf: false,
                    hint: RangeHint::default(),
                })
            });
            // Not before stage 2 is forgotten: a walk of stage 1 between the two would combine it again.
            vec![
                stage2.collect(),
                each(&vmids, |vmid| Command::TlbiNhAll { vmid }),
            ]
        };
        // Not before the TLB has forgotten: a request between the two would be answered from it.
        let caching = self.users.iter().filter(|(_, user)| user.ats);
        let devices = caching.map(|(&sid, _)| forget_all(sid)).collect();
        translations
            .into_iter()
            .chain([devices])
            .filter(|batch: &Vec<_>| !batch.is_empty())
            .collect()
    }

    /// Pages go: `clear` clears their descriptors. When this returns, no stream reaches what they mapped.
    ///
    /// # Errors
    /// [`Errno::TimedOut`]: some cache may still know it, and the memory must not be given to anybody else.
    pub fn unmap(
        &self,
        host: &mut dyn Host,
        first: Ipa,
        pages: u64,
        clear: &mut dyn FnMut(),
    ) -> Result<(), Errno> {
        clear();
        self.invalidation(first, pages)
            .iter()
            .try_for_each(|batch| issue(host, batch))
    }
}

/// The same command for every VMID.
fn each(vmids: &[Vmid], command: impl Fn(Vmid) -> Command) -> Vec<[u64; 2]> {
    vmids.iter().map(|&vmid| command(vmid).encode()).collect()
}

fn cfgi_ste(sid: StreamId) -> [u64; 2] {
    Command::CfgiSte { sid, leaf: true }.encode()
}

/// Issues commands and waits for them. The host's own are legal; one that is not would be our mistake, and counts as not done.
fn issue(host: &mut dyn Host, commands: &[[u64; 2]]) -> Result<(), Errno> {
    for batch in commands.chunks(BATCH) {
        match host.issue(batch) {
            Ok(issued) if issued.rejected.is_none() && !issued.unanswered => {}
            Ok(_) | Err(Stuck) => return Err(Errno::TimedOut),
        }
    }
    Ok(())
}
