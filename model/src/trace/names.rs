//! Names for things, threads, commands and cache entries.

use vocab::{Asid, Command, Device, Frame, Ipa, Page, Slot, Space, Ssid, Viommu, Vm, Vmid};

use crate::caches::{
    Caches, GLOBAL, atc_tag, cd0, cd1, s1_bit, s2_tag, ste0, ste1, ste2, tag, values,
};
use crate::command::{GUEST_VMID, Tags, ssid_0_tag};
use crate::machine::{Machine, limit};
use crate::program::Kind;
use crate::state::pte;

impl Machine {
    /// `guest 0`, or `guest 0.1` for the second thread of a VM that has several.
    pub(super) fn thread_name(&self, thread: usize) -> String {
        let (vms, guests) = (self.bounds.vms as usize, self.bounds.guest_threads as usize);
        match self.vm_of_thread(thread) {
            Some(Vm(vm)) if guests > vms => format!("guest {vm}.{}", thread / vms),
            Some(Vm(vm)) => format!("guest {vm}"),
            None if self.bounds.host_threads > 1 => format!("host {}", thread - guests),
            None => "host".to_owned(),
        }
    }

    /// `device 0 ssid 1`
    pub(super) fn slot_name(&self, slot: Slot) -> String {
        let ssid = Ssid(slot.0 % self.bounds.ssids);
        format!("{} {ssid}", self.device_of(slot))
    }

    /// `device 0 ssid 1`, or `device 0 without ssid` for the traffic that uses CD 0: how requests and ATC entries are tagged.
    pub(super) fn traffic_name(&self, slot: Slot) -> String {
        match self.is_without_ssid(slot) {
            true => format!("{} without ssid", self.device_of(slot)),
            false => self.slot_name(slot),
        }
    }

    /// ` of viommu 1`, or nothing where there is only one and a namespace needs no name.
    pub(super) fn of_viommu(&self, viommu: Viommu) -> String {
        match self.bounds.viommus {
            1 => String::new(),
            _ => format!(" of {viommu}"),
        }
    }

    /// What a variable of a kind holds.
    pub(super) fn name_of(&self, kind: Kind, id: Option<u8>) -> String {
        let Some(id) = id else {
            return if kind == Kind::Flag { "false" } else { "none" }.to_owned();
        };
        match kind {
            Kind::Device => Device(id).to_string(),
            Kind::Slot => self.slot_name(Slot(id)),
            Kind::Space => Space(id).to_string(),
            Kind::Page => Page(id).to_string(),
            Kind::Ipa => Ipa(id).to_string(),
            Kind::Vm => Vm(id).to_string(),
            Kind::Viommu => Viommu(id).to_string(),
            Kind::Asid => Asid(id).to_string(),
            Kind::Flag => "true".to_owned(),
        }
    }

    /// A command as a guest writes it, who leaves out the VMID that it does not know.
    pub(super) fn guests_command(&self, command: Command) -> String {
        self.command(command, None)
    }

    /// A command as it is in a hardware queue.
    pub(super) fn issued_command(&self, command: Command) -> String {
        self.command(command, Some("the guest's vmid"))
    }

    fn command(&self, command: Command, guests: Option<&str>) -> String {
        let vmid = |vmid: Vmid| match vmid {
            GUEST_VMID => guests.map(str::to_owned),
            known => Some(known.to_string()),
        };
        let slot = |slot| Some(self.slot_name(slot));
        let args = match command {
            Command::CfgiSte(device) | Command::CfgiCdAll(device) | Command::AtcInvAll(device) => {
                [Some(device.to_string()), None, None]
            }
            Command::AtcInvPage(on, page) => [Some(on.to_string()), Some(page.to_string()), None],
            Command::CfgiCd(on) | Command::AtcInvSsid(on) => [slot(on), None, None],
            Command::TlbiNhAll(of) | Command::TlbiS12Vmall(of) => [vmid(of), None, None],
            Command::TlbiNhAsid(of, asid) => [vmid(of), Some(asid.to_string()), None],
            Command::TlbiNhVa(of, asid, page) => {
                [vmid(of), Some(asid.to_string()), Some(page.to_string())]
            }
            Command::TlbiNhVaa(of, page) => [vmid(of), Some(page.to_string()), None],
            Command::TlbiS2Ipa(of, ipa) => [vmid(of), Some(ipa.to_string()), None],
            Command::TlbiNsnhAll => [None, None, None],
            Command::AtcInv(on, page) => [slot(on), Some(page.to_string()), None],
        };
        let name = command.opcode().name();
        let args: Vec<_> = args.into_iter().flatten().collect();
        match args.is_empty() {
            true => name.to_owned(),
            false => format!("{name}({})", args.join(", ")),
        }
    }

    /// The device in whose ATC something is, if it is in an ATC.
    pub(super) fn atc_device(&self, caches: &Caches) -> Option<Device> {
        let cell = caches.atc.iter().position(|cell| *cell != 0)?;
        Some(self.device_of(Slot((cell / limit::PAGES) as u8)))
    }

    /// Every cell that holds something: the cache, and its tag with all that is under it.
    pub(super) fn entries(&self, caches: &Caches) -> Vec<(&'static str, String)> {
        let mut entries = Vec::new();
        for device in (0..self.bounds.devices).map(Device) {
            let place = device.index();
            for words in [
                list(values(caches.ste0[place]), ste_word0),
                list(values(caches.ste1[place]), ste_word1),
                list(values(caches.ste2[place]), ste_word2),
            ] {
                entries.extend(words.map(|words| (STE, format!("{device}: {words}"))));
            }
        }
        for slot in (0..self.slots()).map(Slot) {
            let name = self.slot_name(slot);
            for words in [
                list(values(caches.cd0[slot.index()]), cd_word0),
                list(values(caches.cd1[slot.index()]), cd_word1),
            ] {
                entries.extend(words.map(|words| (CD, format!("{name}: {words}"))));
            }
        }
        for (name, cell) in self.tagged() {
            let spaces = list(values(caches.ttb[cell]), |space| Space(space).to_string());
            entries.extend(spaces.map(|of| (TTB, format!("{name} -> tables of {of}"))));
            let set = caches.s1[cell];
            let results = (0..limit::SPACES as u8)
                .map(Space)
                .flat_map(|space| (0..limit::IPAS as u8).map(move |ipa| (space, Ipa(ipa))))
                .filter(|(space, ipa)| set & s1_bit(*space, *ipa) != 0);
            let results = list(results, |(space, ipa)| format!("{ipa} by {space}"));
            entries.extend(results.map(|results| (STAGE_1, format!("{name} -> {results}"))));
        }
        for vmid in (0..self.bounds.vmids).map(Vmid) {
            for ipa in (0..self.bounds.ipas).map(Ipa) {
                let frames = frames(caches.s2[s2_tag(vmid, ipa)]);
                entries.extend(frames.map(|to| (STAGE_2, format!("{vmid} {ipa} -> {to}"))));
            }
            let owners = list(values(caches.s2_tables[vmid.index()]), |vm| {
                Vm(vm).to_string()
            });
            entries.extend(owners.map(|of| (STAGE_2, format!("{vmid} tables -> memory of {of}"))));
        }
        for (name, cell) in self.tagged() {
            entries.extend(frames(caches.tlb[cell]).map(|to| (TLB, format!("{name} -> {to}"))));
        }
        for slot in (0..self.slots()).map(Slot) {
            let name = self.traffic_name(slot);
            for page in (0..self.bounds.pages).map(Page) {
                let frames = frames(caches.atc[atc_tag(slot, page)]);
                entries.extend(frames.map(|to| (ATC, format!("{name} {page} -> {to}"))));
            }
        }
        entries
    }

    /// Tags in words.
    pub(super) fn tag_names(&self, tags: Tags) -> Vec<String> {
        let has = |set: u16, place: usize| set >> place & 1 == 1;
        let mut names = Vec::new();
        for device in (0..self.bounds.devices).map(Device) {
            if has(tags.ste, device.index()) {
                names.push(format!("{STE} {device}"));
            }
        }
        for slot in (0..self.slots()).map(Slot) {
            if has(tags.cd, slot.index()) {
                names.push(format!("{CD} {}", self.slot_name(slot)));
            }
        }
        for vmid in (0..self.bounds.vmids).map(Vmid) {
            for ipa in (0..self.bounds.ipas).map(Ipa) {
                if has(tags.s2, s2_tag(vmid, ipa)) {
                    names.push(format!("{STAGE_2} {vmid} {ipa}"));
                }
            }
        }
        for (name, cell) in self.tagged() {
            if has(tags.tlb, cell) {
                names.push(format!("{TLB} {name}"));
            }
        }
        for slot in (0..self.slots()).map(Slot) {
            for page in (0..self.bounds.pages).map(Page) {
                if has(tags.atc, atc_tag(slot, page)) {
                    names.push(format!("{ATC} {} {page}", self.traffic_name(slot)));
                }
            }
        }
        for device in (0..self.bounds.devices).map(Device) {
            for page in (0..self.bounds.pages).map(Page) {
                if has(tags.atc, ssid_0_tag(device, page)) {
                    names.push(format!("{ATC} {device} {} {page}", Ssid(0)));
                }
            }
        }
        names
    }

    /// Every {VMID, ASID or global, page} with its cell.
    fn tagged(&self) -> impl Iterator<Item = (String, usize)> {
        let pages = self.bounds.pages;
        let each = move |vmid| {
            self.asids_and_global()
                .flat_map(move |asid| (0..pages).map(move |page| (vmid, asid, Page(page))))
        };
        let vmids = (0..self.bounds.vmids).map(Vmid);
        vmids.flat_map(each).map(|(vmid, asid, page)| {
            let name = format!("{vmid} {} {page}", asid_name(asid));
            (name, tag(vmid, asid, page))
        })
    }
}

/// `asid 1`, or `global`: what the entries under a tag hit for.
pub(super) fn asid_name(asid: Asid) -> String {
    match asid {
        GLOBAL => "global".to_owned(),
        asid => asid.to_string(),
    }
}

pub(super) const STE: &str = "STE cache";
pub(super) const CD: &str = "CD cache";
pub(super) const TTB: &str = "TTB0 in the TLB";
pub(super) const STAGE_1: &str = "stage-1 TLB";
pub(super) const STAGE_2: &str = "stage-2 TLB";
pub(super) const TLB: &str = "TLB";
pub(super) const ATC: &str = "ATC";

/// The cache of the one kind of entry that a set holds.
pub(super) fn cache_of(caches: &Caches) -> &'static str {
    let some = |cells: &[u8]| cells.iter().any(|cell| *cell != 0);
    if some(&caches.ste0) || some(&caches.ste1) || some(&caches.ste2) {
        STE
    } else if some(&caches.cd0) || some(&caches.cd1) {
        CD
    } else if some(&caches.ttb) {
        TTB
    } else if some(&caches.s2) || some(&caches.s2_tables) {
        STAGE_2
    } else if some(&caches.tlb) {
        TLB
    } else if some(&caches.atc) {
        ATC
    } else {
        STAGE_1
    }
}

pub(super) fn ste_word0(value: u8) -> String {
    match value {
        ste0::ABORT => "abort".to_owned(),
        ste0::S2_TRANS => "stage 2 only".to_owned(),
        table => format!("CD table of {}", Viommu(table - ste0::nested(Viommu(0)))),
    }
}

pub(super) fn ste_word1(value: u8) -> String {
    let (eats, bypass) = ste1::decode(value);
    let s1dss = if bypass { " S1DSS=bypass" } else { "" };
    format!("EATS={}{s1dss}", eats as u8)
}

pub(super) fn ste_word2(value: u8) -> String {
    match ste2::decode(value) {
        None => "no S2VMID".to_owned(),
        Some((vmid, vm)) => format!("{vmid} stage 2 of {vm}"),
    }
}

pub(super) fn cd_word0(value: u8) -> String {
    match cd0::decode(value) {
        None => "V=0".to_owned(),
        Some((asid, true)) => format!("V=1 {asid}"),
        Some((asid, false)) => format!("V=1 EPD0=1 {asid}"),
    }
}

/// A stage-1 leaf entry as memory holds it: `ipa 0`, `global ipa 0`, `none`.
pub(super) fn leaf_entry(entry: u8) -> String {
    match pte::decode(entry) {
        None => "none".to_owned(),
        Some((ipa, false)) => ipa.to_string(),
        Some((ipa, true)) => format!("global {ipa}"),
    }
}

pub(super) fn cd_word1(value: u8) -> String {
    match value {
        cd1::NONE => "no TTB0".to_owned(),
        ttb => format!("TTB0 of {}", Space(ttb - cd1::ttb(Space(0)))),
    }
}

fn frames(set: u8) -> Option<String> {
    list(values(set), |frame| Frame(frame).to_string())
}

/// Several things in a row; none if there is nothing.
fn list<T>(items: impl Iterator<Item = T>, name: impl Fn(T) -> String) -> Option<String> {
    let names: Vec<_> = items.map(name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
