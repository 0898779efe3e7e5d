//! What the coming and going of contexts takes, and in which order: the same whoever issues the commands, guest or hypervisor.
//!
//! Source    Linux, `arm_smmu_clear_cd` and `arm_smmu_atc_inv_master` in the removal of a PASID (the CD, then the device's cache; the ASID
//!           when nothing uses it any more, `arm_smmu_sva_domain_free`), `arm_smmu_mm_release`.

use super::commands::{cfgi, fan_out, tlbi};
use super::{Cd, CdStore, Cds, Change, Done};
use crate::hypervisor::{Errno, Slot, Slots};
use crate::ids::Asid;

/// Issues commands and waits until they are complete, so that whatever follows comes after them.
pub(super) trait Issues: FnMut(&[[u64; 2]]) -> Done {}

impl<F: FnMut(&[[u64; 2]]) -> Result<(), Errno>> Issues for F {}

pub(super) type Issue<'a> = &'a mut dyn Issues;

/// Somebody's contexts, and how they issue commands.
pub(super) type Parts<'a, I> = (&'a mut Contexts, I);

/// A guest's contexts, by the ASID that is in their CDs.
#[derive(Clone, Debug, Default)]
pub(super) struct Contexts {
    pub slots: Slots,
}

impl Contexts {
    /// The ASID of a slot, and whether no other slot has it.
    pub fn asid(&self, slot: Slot) -> Result<(Asid, bool), Errno> {
        let asid = self.slots.asid(slot).ok_or(Errno::NoEntry)?;
        // Another slot of this ASID still walks the same tables, and what they left in the TLB is theirs.
        Ok((asid, self.slots.of(asid).len() == 1))
    }

    pub fn bind(&mut self, slot: Slot, asid: Asid, cd: Cd<'_>, issue: Issue<'_>) -> Done {
        // Before the context can be reached: a change under this ASID must not miss it.
        self.slots.add(asid, slot)?;
        cd(CdStore::Rest);
        issue(&[cfgi(slot)])?;
        cd(CdStore::Valid(asid));
        issue(&[cfgi(slot)])
    }

    /// Nothing is reached through the slot any more. It stays on the list: not before its last translation is gone may a change miss it.
    pub fn clear(&self, slot: Slot, cd: Cd<'_>, issue: Issue<'_>) -> Done {
        cd(CdStore::Invalid);
        issue(&[cfgi(slot)])?;
        issue(&fan_out(&[slot], Change::All))
    }

    pub fn changed(&self, asid: Asid, change: Change, issue: Issue<'_>) -> Done {
        issue(&tlbi(asid, change))?;
        issue(&fan_out(self.slots.of(asid), change))
    }

    pub fn stop(&self, asid: Asid, cd: Cds<'_>, issue: Issue<'_>) -> Done {
        let slots = self.slots.of(asid);
        for &slot in slots {
            cd(slot, CdStore::Ended(asid));
        }
        issue(&slots.iter().copied().map(cfgi).collect::<Vec<_>>())?;
        self.changed(asid, Change::All, issue)
    }
}

/// What is cached under an ASID that no slot has any more.
pub(super) fn flush(asid: Asid, issue: Issue<'_>) -> Done {
    issue(&tlbi(asid, Change::All))
}
