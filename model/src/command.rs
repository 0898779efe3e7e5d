//! Commands: which tags each one names.
//!
//! Manual     Arm IHI 0070 G.b, 4.3 "Configuration structure invalidation", 4.4 "TLB invalidation", 4.5 "ATS and PRI".
//! Modelled   opcodes, VMID, ASID, page, StreamID, SubstreamID; over-invalidation only where the manual's text demands it.
//! Left out   ranges (NUM, SCALE, TG, TTL), Leaf, CFGI ranges, error reports.

use bytemuck::{Pod, Zeroable};

use vocab::{Asid, Command, Device, Ipa, Page, Slot, Vmid};

use crate::caches::{Caches, GLOBAL, atc_tag, s2_tag, tag};
use crate::machine::{Machine, limit};
use crate::mutant::{Mutant, on};

/// The VMID field of a command as a guest writes it, who does not know its VMID. It names no VMID of ours: the value 0 that
/// drivers write is reserved for the host's own stage-1 contexts (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c).
pub const GUEST_VMID: Vmid = Vmid(0xf);

/// A set of tags: one bit for each cell of [`Caches`], the words of one structure taken together.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Tags {
    /// STEs by StreamID.
    pub ste: u16,
    /// CDs by {StreamID, SubstreamID}.
    pub cd: u16,
    /// Stage-2 entries by [`s2_tag`].
    pub s2: u16,
    /// Stage-1 and combined entries by [`tag`].
    pub tlb: u16,
    /// ATC entries by [`atc_tag`]; behind them, by [`ssid_0_tag`], what is named where nothing is ever cached.
    pub atc: u16,
}

impl Tags {
    fn zip(self, other: Self, op: impl Fn(u16, u16) -> u16) -> Self {
        Tags {
            ste: op(self.ste, other.ste),
            cd: op(self.cd, other.cd),
            s2: op(self.s2, other.s2),
            tlb: op(self.tlb, other.tlb),
            atc: op(self.atc, other.atc),
        }
    }

    /// Tags in either.
    pub fn union(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// Tags in both.
    pub fn intersection(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Tags in this and not in the other.
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Tags::default()
    }
}

impl Machine {
    /// The tags that a command names.
    pub fn tags(&self, command: Command) -> Tags {
        let mut tags = Tags::default();
        match command {
            Command::CfgiSte(device) => cfgi_ste(self, &mut tags, device),
            Command::CfgiCd(slot) => cfgi_cd(&mut tags, slot),
            Command::CfgiCdAll(device) => cfgi_cd_all(self, &mut tags, device),
            Command::TlbiNhAll(vmid) => tlbi_nh_all(self, &mut tags, vmid),
            Command::TlbiNhAsid(vmid, asid) => tlbi_nh_asid(self, &mut tags, vmid, asid),
            Command::TlbiNhVa(vmid, asid, page) => tlbi_nh_va(&mut tags, vmid, asid, page),
            Command::TlbiNhVaa(vmid, page) => tlbi_nh_vaa(self, &mut tags, vmid, page),
            Command::TlbiS2Ipa(vmid, ipa) => tlbi_s2_ipa(&mut tags, vmid, ipa),
            Command::TlbiS12Vmall(vmid) => tlbi_s12_vmall(self, &mut tags, vmid),
            Command::TlbiNsnhAll => {
                (0..self.bounds.vmids).for_each(|vmid| tlbi_s12_vmall(self, &mut tags, Vmid(vmid)));
            }
            Command::AtcInv(slot, page) => atc_inv(self, &mut tags, slot, page),
            Command::AtcInvSsid(slot) => atc_inv_ssid(self, &mut tags, slot),
            Command::AtcInvPage(device, page) => atc_inv_page(self, &mut tags, device, page),
            Command::AtcInvAll(device) => {
                (0..self.bounds.pages)
                    .for_each(|page| atc_inv_page(self, &mut tags, device, Page(page)));
            }
        }
        tags
    }

    /// The entries that a command removes when it takes effect, whatever they hold.
    pub fn hits(&self, command: Command) -> Caches {
        let mut hits = Caches::default();
        let tags = self.tags(command);
        for device in 0..limit::DEVICES {
            if tags.ste >> device & 1 == 1 {
                hits.ste0[device] = 0xff;
                hits.ste1[device] = if on(Mutant::CfgiSteSparesWord1) {
                    0
                } else {
                    0xff
                };
                hits.ste2[device] = 0xff;
            }
        }
        for slot in 0..limit::SLOTS {
            if tags.cd >> slot & 1 == 1 {
                hits.cd0[slot] = 0xff;
                hits.cd1[slot] = 0xff;
            }
        }
        fill_cells(&mut hits.s2, tags.s2);
        fill_cells(&mut hits.atc, tags.atc);
        match command {
            // TLBI_S2_IPA names pages that are lent and reclaimed; those that hold tables are named with all others only.
            Command::TlbiS12Vmall(vmid) if vmid.index() < limit::VMIDS => {
                let spared = on(Mutant::S12VmallSparesTables);
                hits.s2_tables[vmid.index()] = if spared { 0 } else { 0xff };
            }
            Command::TlbiNsnhAll => hits.s2_tables = [0xff; limit::VMIDS],
            _ => {}
        }
        let tlb = if self.has_globals {
            tags.tlb
        } else {
            // What is never cached must not tell commands in flight apart.
            tags.tlb & !global_tags(self)
        };
        fill_cells(&mut hits.tlb, tlb);
        // Leaf=0: all that was cached on the way to the page, from TTB0 on (4.4.2).
        fill_cells(&mut hits.ttb, tlb & !global_tags(self));
        for (cell, s1) in hits.s1.iter_mut().enumerate() {
            if tlb >> cell & 1 == 1 {
                *s1 = 0xffff;
            }
        }
        // On some hardware a stage-2 invalidation finds the combined entries made from it too (RISC-V IOTINVAL.GVMA, VT-d DSI).
        if (self.hardware.s2_drops_combined || on(Mutant::S2IpaTakesCombined))
            && let Command::TlbiS2Ipa(vmid, ipa) = command
            && vmid.index() < limit::VMIDS
        {
            let frames = (0..self.bounds.vms).fold(0, |frames, vm| {
                frames | 1 << self.frame(vocab::Vm(vm), ipa).0
            });
            for asid in self.asids_and_global() {
                for page in 0..self.bounds.pages {
                    hits.tlb[tag(vmid, asid, Page(page))] = frames;
                }
            }
        }
        hits
    }

    /// The slots of a device.
    pub fn slots_of(&self, device: Device) -> impl Iterator<Item = Slot> + use<> {
        let first = device.0 * self.bounds.ssids;
        (first..first + self.bounds.ssids).map(Slot)
    }
}

fn fill_cells<const N: usize>(cells: &mut [u8; N], tags: u16) {
    for (tag, cell) in cells.iter_mut().enumerate() {
        if tags >> tag & 1 == 1 {
            *cell = 0xff;
        }
    }
}

/// The tags of all global entries.
fn global_tags(machine: &Machine) -> u16 {
    let mut tags = Tags::default();
    for vmid in (0..machine.bounds.vmids).map(Vmid) {
        tlbi_nh_asid(machine, &mut tags, vmid, GLOBAL);
    }
    tags.tlb
}

/// CMD_CFGI_STE: invalidates the STE, and with it all CDs that were cached through that StreamID (4.3).
fn cfgi_ste(machine: &Machine, tags: &mut Tags, device: Device) {
    tags.ste |= 1 << device.0;
    if !on(Mutant::CfgiSteSparesCds) {
        cfgi_cd_all(machine, tags, device);
    }
}

/// CMD_CFGI_CD: invalidates the CD of one StreamID and SubstreamID; never anything in a TLB (4.3).
fn cfgi_cd(tags: &mut Tags, slot: Slot) {
    tags.cd |= u16::from(!on(Mutant::CfgiCdForgetsNothing)) << slot.0;
}

/// CMD_CFGI_CD_ALL: invalidates all CDs of one StreamID (4.3).
fn cfgi_cd_all(machine: &Machine, tags: &mut Tags, device: Device) {
    machine
        .slots_of(device)
        .for_each(|slot| cfgi_cd(tags, slot));
}

/// CMD_TLBI_NH_ALL: all stage-1 and combined entries of a VMID, global ones too; not those of stage 2 alone (4.4).
fn tlbi_nh_all(machine: &Machine, tags: &mut Tags, vmid: Vmid) {
    (0..machine.bounds.pages).for_each(|page| tlbi_nh_vaa(machine, tags, vmid, Page(page)));
}

/// CMD_TLBI_NH_ASID: the entries of one ASID in a VMID; global entries stay, whichever ASID they were made for (4.4).
fn tlbi_nh_asid(machine: &Machine, tags: &mut Tags, vmid: Vmid, asid: Asid) {
    (0..machine.bounds.pages).for_each(|page| {
        tlb_page(tags, vmid, asid, Page(page));
        if on(Mutant::NhAsidTakesGlobals) {
            tlb_page(tags, vmid, GLOBAL, Page(page));
        }
    });
}

/// CMD_TLBI_NH_VA: one page in a VMID, as one ASID has it and as it is global (4.4).
fn tlbi_nh_va(tags: &mut Tags, vmid: Vmid, asid: Asid, page: Page) {
    if on(Mutant::NhVaOfEveryAsid) {
        (0..limit::ASIDS as u8).for_each(|asid| tlb_page(tags, vmid, Asid(asid), page));
    }
    tlb_page(tags, vmid, asid, page);
    if !on(Mutant::NhAllSparesGlobals) {
        tlb_page(tags, vmid, GLOBAL, page);
    }
}

/// CMD_TLBI_NH_VAA: one page of every ASID in a VMID, and as it is global (4.4).
fn tlbi_nh_vaa(machine: &Machine, tags: &mut Tags, vmid: Vmid, page: Page) {
    let asids = match on(Mutant::NhVaaOfOneAsid) {
        true => 1,
        false => machine.bounds.asids,
    };
    (0..asids).for_each(|asid| tlbi_nh_va(tags, vmid, Asid(asid), page));
}

/// One page of one ASID, or as it is global; a VMID that is none of ours has none.
fn tlb_page(tags: &mut Tags, vmid: Vmid, asid: Asid, page: Page) {
    if vmid.index() < limit::VMIDS {
        let other = Vmid(vmid.0 ^ 1);
        if on(Mutant::TlbiOfEveryVmid) && other.index() < limit::VMIDS {
            tags.tlb |= 1 << tag(other, asid, page);
        }
        tags.tlb |= 1 << tag(vmid, asid, page);
    }
}

/// CMD_TLBI_S2_IPA: one intermediate page of a VMID. It need not find combined entries (4.4).
fn tlbi_s2_ipa(tags: &mut Tags, vmid: Vmid, ipa: Ipa) {
    if vmid.index() < limit::VMIDS {
        tags.s2 |= u16::from(!on(Mutant::S2IpaForgetsNothing)) << s2_tag(vmid, ipa);
    }
}

/// CMD_TLBI_S12_VMALL: everything of a VMID, of both stages (4.4).
fn tlbi_s12_vmall(machine: &Machine, tags: &mut Tags, vmid: Vmid) {
    if !on(Mutant::S12VmallSparesStage1) {
        tlbi_nh_all(machine, tags, vmid);
    }
    (0..machine.bounds.ipas).for_each(|ipa| tlbi_s2_ipa(tags, vmid, Ipa(ipa)));
}

/// CMD_ATC_INV with SSV=1: one page of one SubstreamID of a device (4.5). Keyed by stream, never by ASID. Where CD 0 is for traffic
/// without SubstreamID, what that traffic has cached is not tagged with SSID 0.
fn atc_inv(machine: &Machine, tags: &mut Tags, slot: Slot, page: Page) {
    if on(Mutant::AtcInvOfEverySsid) {
        let all = machine.slots_of(machine.device_of(slot));
        all.for_each(|slot| tags.atc |= 1 << atc_tag(slot, page));
    }
    tags.atc |= match machine.is_without_ssid(slot) {
        true => 1 << ssid_0_tag(machine.device_of(slot), page),
        false => 1 << atc_tag(slot, page),
    };
}

/// CMD_ATC_INV with SSV=1 and size 52: all pages of one SubstreamID (4.5).
fn atc_inv_ssid(machine: &Machine, tags: &mut Tags, slot: Slot) {
    (0..machine.bounds.pages).for_each(|page| atc_inv(machine, tags, slot, Page(page)));
}

/// CMD_ATC_INV with SSV=0: one page of a device, as traffic without SubstreamID has cached it and as any SubstreamID has (4.5;
/// drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_atc_inv_to_cmd, "ATS and PASID": a request without PASID prefix
/// invalidates entries with one too).
fn atc_inv_page(machine: &Machine, tags: &mut Tags, device: Device, page: Page) {
    let slots = machine.slots_of(device);
    for slot in slots.filter(|_| !on(Mutant::AtcInvOfNoSsid)) {
        tags.atc |= 1 << atc_tag(slot, page);
        atc_inv(machine, tags, slot, page);
    }
}

/// The tag {StreamID, SSID 0, page} where CD 0 is for traffic without SubstreamID: traffic with SSID 0 aborts, so nothing is cached
/// under it, but it is a device's own, and may be asked for.
pub(crate) const fn ssid_0_tag(device: Device, page: Page) -> usize {
    limit::SLOTS * limit::PAGES + device.index() * limit::PAGES + page.index()
}

/// A command as a number that is never 0: the opcode's place in the manual's order, then its fields in four bits each.
pub(crate) fn encode(command: Command) -> u16 {
    let (op, a, b, c) = match command {
        Command::CfgiSte(device) => (1, device.0, 0, 0),
        Command::CfgiCd(slot) => (2, slot.0, 0, 0),
        Command::CfgiCdAll(device) => (3, device.0, 0, 0),
        Command::TlbiNhAll(vmid) => (4, vmid.0, 0, 0),
        Command::TlbiNhAsid(vmid, asid) => (5, vmid.0, asid.0, 0),
        Command::TlbiNhVa(vmid, asid, page) => (6, vmid.0, asid.0, page.0),
        Command::TlbiNhVaa(vmid, page) => (7, vmid.0, page.0, 0),
        Command::TlbiS2Ipa(vmid, ipa) => (8, vmid.0, ipa.0, 0),
        Command::TlbiS12Vmall(vmid) => (9, vmid.0, 0, 0),
        Command::TlbiNsnhAll => (10, 0, 0, 0),
        Command::AtcInv(slot, page) => (11, slot.0, page.0, 0),
        Command::AtcInvSsid(slot) => (12, slot.0, 0, 0),
        Command::AtcInvAll(device) => (13, device.0, 0, 0),
        Command::AtcInvPage(device, page) => (14, device.0, page.0, 0),
    };
    debug_assert!(
        a < 16 && b < 16 && c < 16,
        "a command's field needs more than four bits"
    );
    op << 12 | (a as u16) << 8 | (b as u16) << 4 | c as u16
}

/// The command that [`encode`] was given; none for 0.
pub(crate) fn decode(code: u16) -> Option<Command> {
    let field = |shift: u16| (code >> shift & 0xf) as u8;
    let (a, b, c) = (field(8), field(4), field(0));
    Some(match code >> 12 {
        0 => return None,
        1 => Command::CfgiSte(Device(a)),
        2 => Command::CfgiCd(Slot(a)),
        3 => Command::CfgiCdAll(Device(a)),
        4 => Command::TlbiNhAll(Vmid(a)),
        5 => Command::TlbiNhAsid(Vmid(a), Asid(b)),
        6 => Command::TlbiNhVa(Vmid(a), Asid(b), Page(c)),
        7 => Command::TlbiNhVaa(Vmid(a), Page(b)),
        8 => Command::TlbiS2Ipa(Vmid(a), Ipa(b)),
        9 => Command::TlbiS12Vmall(Vmid(a)),
        10 => Command::TlbiNsnhAll,
        11 => Command::AtcInv(Slot(a), Page(b)),
        12 => Command::AtcInvSsid(Slot(a)),
        13 => Command::AtcInvAll(Device(a)),
        14 => Command::AtcInvPage(Device(a), Page(b)),
        _ => panic!("{code:#x} is no encoded command: a state was changed from outside"),
    })
}

impl Machine {
    /// Every command that a guest can put into its queue, legal or not, with any field.
    pub(crate) fn any_command(&self) -> Vec<Command> {
        let bounds = &self.bounds;
        let mut all = vec![Command::TlbiNsnhAll];
        for device in (0..bounds.devices).map(Device) {
            all.extend([
                Command::CfgiSte(device),
                Command::CfgiCdAll(device),
                Command::AtcInvAll(device),
            ]);
        }
        for slot in (0..self.slots()).map(Slot) {
            all.extend([Command::CfgiCd(slot), Command::AtcInvSsid(slot)]);
            all.extend((0..bounds.pages).map(|page| Command::AtcInv(slot, Page(page))));
        }
        // Where a space has one page only, that page is all that a device holds: AtcInvAll once more.
        if bounds.pages > 1 {
            for device in (0..bounds.devices).map(Device) {
                all.extend((0..bounds.pages).map(|page| Command::AtcInvPage(device, Page(page))));
            }
        }
        for vmid in (0..bounds.vmids).map(Vmid).chain([GUEST_VMID]) {
            all.extend([Command::TlbiNhAll(vmid), Command::TlbiS12Vmall(vmid)]);
            all.extend((0..bounds.ipas).map(|ipa| Command::TlbiS2Ipa(vmid, Ipa(ipa))));
            all.extend((0..bounds.asids).map(|asid| Command::TlbiNhAsid(vmid, Asid(asid))));
            for page in (0..bounds.pages).map(Page) {
                all.push(Command::TlbiNhVaa(vmid, page));
                all.extend((0..bounds.asids).map(|asid| Command::TlbiNhVa(vmid, Asid(asid), page)));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
