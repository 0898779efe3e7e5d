//! The guest owns its CD table and its ASIDs, and says little: "IOPTEs under this ASID changed", and that a CD changed, if it says so.

use std::collections::BTreeSet;

use super::commands::{cfgi, fan_out, forget_all, tlbi};
use super::contexts::Contexts;
use super::{Cd, CdStore, Cds, Change, Counted, Counts, Done, Strategy};
use crate::hypervisor::{Contract, Host, Slot, Slots, Viommu};
use crate::ids::{Asid, StreamId};

/// What the hypervisor is told, and whose caches it has forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Of ASIDs alone, CDs that change included; every device forgets everything. Caches of CDs are never told, so that what goes may
    /// stay in use.
    Asids,
    /// Of CDs too, by a CFGI_CD that traps. No device is told of anything: right only where none caches.
    Cds,
    /// Of CDs too. Which contexts an ASID has nobody knows, and every device forgets everything.
    CdsAndDevices,
    /// Of CDs too, which it reads to learn the contexts of each ASID. It learns them late: a CD is in use before its CFGI_CD is sent.
    CdsAndSlots,
}

/// A guest that owns its CD table, before a hypervisor that is [`Told`] so much.
#[derive(Clone, Debug)]
pub struct GuestCds {
    told: Told,
    viommu: Viommu,
    /// The guest's list.
    contexts: Contexts,
    /// What the hypervisor has learned.
    learned: Slots,
    /// The devices that cache, as the guest calls them.
    caching: BTreeSet<StreamId>,
    counts: Counts,
}

impl GuestCds {
    /// A guest without contexts and devices.
    pub fn new(viommu: Viommu, told: Told) -> Self {
        GuestCds {
            told,
            viommu,
            contexts: Contexts::default(),
            learned: Slots::default(),
            caching: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// A device comes, or goes: whether it caches with this guest's tables.
    pub fn caches(&mut self, vsid: StreamId, caches: bool) {
        if caches {
            self.caching.insert(vsid);
        } else {
            self.caching.remove(&vsid);
        }
    }

    /// The guest leaves, once, and the kernel is called, once.
    fn call(&mut self) {
        self.counts.exits += 1;
        self.counts.ioctls += 1;
    }

    fn perform(&mut self, host: &mut dyn Host, commands: &[[u64; 2]]) -> Done {
        let counts = &mut self.counts;
        let mut host = Counted { host, counts };
        self.viommu
            .invalidate(&mut host, Contract::Exact, commands)
            .result
    }

    /// "Something under this ASID changed."
    fn asid_changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Done {
        self.call();
        self.perform(host, &tlbi(asid, change))?;
        let devices = match self.told {
            Told::Asids | Told::CdsAndDevices => {
                self.caching.iter().copied().map(forget_all).collect()
            }
            Told::Cds => Vec::new(),
            Told::CdsAndSlots => fan_out(self.learned.of(asid), change),
        };
        self.perform(host, &devices)
    }

    /// The CD of a slot changed, which has, had or will have this ASID; `valid` is what it says now.
    fn cd_changed(
        &mut self,
        host: &mut dyn Host,
        slot: Slot,
        asid: Asid,
        valid: Option<Asid>,
    ) -> Done {
        if self.told == Told::Asids {
            return self.asid_changed(host, asid, Change::All);
        }
        self.call();
        if self.told == Told::CdsAndSlots {
            self.learned.remove(slot);
            if let Some(asid) = valid {
                self.learned.add(asid, slot)?;
            }
        }
        self.perform(host, &[cfgi(slot)])?;
        match self.told {
            Told::Cds => Ok(()),
            _ => self.perform(host, &fan_out(&[slot], Change::All)),
        }
    }

    /// An ASID is given back. Where a CD is announced as a change under its ASID, everything under it is gone already.
    fn give_back(&mut self, host: &mut dyn Host, asid: Asid) -> Done {
        match self.told {
            Told::Asids => Ok(()),
            _ => self.asid_changed(host, asid, Change::All),
        }
    }

    fn install(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        cd(CdStore::Rest);
        self.cd_changed(host, slot, asid, None)?;
        cd(CdStore::Valid(asid));
        self.cd_changed(host, slot, asid, Some(asid))
    }
}

impl Strategy for GuestCds {
    fn bind(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        self.contexts.slots.add(asid, slot)?;
        self.install(host, slot, asid, cd)
    }

    fn unbind(&mut self, host: &mut dyn Host, slot: Slot, cd: Cd<'_>) -> Done {
        let (asid, last) = self.contexts.asid(slot)?;
        cd(CdStore::Invalid);
        self.cd_changed(host, slot, asid, None)?;
        if last {
            self.give_back(host, asid)?;
        }
        self.contexts.slots.remove(slot);
        Ok(())
    }

    fn replace(&mut self, host: &mut dyn Host, slot: Slot, asid: Asid, cd: Cd<'_>) -> Done {
        let (old, last) = self.contexts.asid(slot)?;
        cd(CdStore::Invalid);
        self.cd_changed(host, slot, old, None)?;
        self.contexts.slots.remove(slot);
        self.contexts.slots.add(asid, slot)?;
        self.install(host, slot, asid, cd)?;
        if last {
            self.give_back(host, old)?;
        }
        Ok(())
    }

    fn changed(&mut self, host: &mut dyn Host, asid: Asid, change: Change) -> Done {
        self.asid_changed(host, asid, change)
    }

    fn stop(&mut self, host: &mut dyn Host, asid: Asid, cd: Cds<'_>) -> Done {
        for slot in self.contexts.slots.of(asid).to_vec() {
            cd(slot, CdStore::Ended(asid));
            if self.told != Told::Asids {
                self.cd_changed(host, slot, asid, Some(asid))?;
            }
        }
        self.asid_changed(host, asid, Change::All)
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
