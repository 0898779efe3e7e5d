//! SMMU commands, by the manual's names without `CMD_`: Arm IHI 0070 G.b, chapter 4 "Commands".

use crate::{Asid, Device, Ipa, Page, Slot, Vmid};

/// One entry of a command queue, CMD_SYNC apart, which is a step of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// CMD_CFGI_STE: one stream table entry and everything that was reached through it.
    CfgiSte(Device),
    /// CMD_CFGI_CD: one context descriptor.
    CfgiCd(Slot),
    /// CMD_CFGI_CD_ALL: every context descriptor of a stream.
    CfgiCdAll(Device),
    /// CMD_TLBI_NH_ALL: every stage-1 entry of a VMID.
    TlbiNhAll(Vmid),
    /// CMD_TLBI_NH_ASID: the non-global entries of one ASID.
    TlbiNhAsid(Vmid, Asid),
    /// CMD_TLBI_NH_VA: one page of one ASID, global entries too.
    TlbiNhVa(Vmid, Asid, Page),
    /// CMD_TLBI_NH_VAA: one page of every ASID, global entries too.
    TlbiNhVaa(Vmid, Page),
    /// CMD_TLBI_S2_IPA: one intermediate page, stage 2 only.
    TlbiS2Ipa(Vmid, Ipa),
    /// CMD_TLBI_S12_VMALL: everything of a VMID.
    TlbiS12Vmall(Vmid),
    /// CMD_TLBI_NSNH_ALL: everything of every VMID.
    TlbiNsnhAll,
    /// CMD_ATC_INV with a SubstreamID, one page.
    AtcInv(Slot, Page),
    /// CMD_ATC_INV with a SubstreamID and size 52: all of its pages.
    AtcInvSsid(Slot),
    /// CMD_ATC_INV without a SubstreamID, one page: of all SubstreamIDs, and of traffic without one.
    AtcInvPage(Device, Page),
    /// CMD_ATC_INV without a SubstreamID and with size 52: everything that a device holds.
    AtcInvAll(Device),
}

/// The operation of a [`Command`], without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "each is documented at the Command of the same name"
)]
pub enum Opcode {
    CfgiSte,
    CfgiCd,
    CfgiCdAll,
    TlbiNhAll,
    TlbiNhAsid,
    TlbiNhVa,
    TlbiNhVaa,
    TlbiS2Ipa,
    TlbiS12Vmall,
    TlbiNsnhAll,
    AtcInv,
}

impl Opcode {
    /// All of them, in the manual's order.
    pub const ALL: [Opcode; 11] = [
        Opcode::CfgiSte,
        Opcode::CfgiCd,
        Opcode::CfgiCdAll,
        Opcode::TlbiNhAll,
        Opcode::TlbiNhAsid,
        Opcode::TlbiNhVa,
        Opcode::TlbiNhVaa,
        Opcode::TlbiS12Vmall,
        Opcode::TlbiS2Ipa,
        Opcode::TlbiNsnhAll,
        Opcode::AtcInv,
    ];

    /// The manual's name without `CMD_`.
    pub const fn name(self) -> &'static str {
        match self {
            Opcode::CfgiSte => "CFGI_STE",
            Opcode::CfgiCd => "CFGI_CD",
            Opcode::CfgiCdAll => "CFGI_CD_ALL",
            Opcode::TlbiNhAll => "TLBI_NH_ALL",
            Opcode::TlbiNhAsid => "TLBI_NH_ASID",
            Opcode::TlbiNhVa => "TLBI_NH_VA",
            Opcode::TlbiNhVaa => "TLBI_NH_VAA",
            Opcode::TlbiS2Ipa => "TLBI_S2_IPA",
            Opcode::TlbiS12Vmall => "TLBI_S12_VMALL",
            Opcode::TlbiNsnhAll => "TLBI_NSNH_ALL",
            Opcode::AtcInv => "ATC_INV",
        }
    }

    /// What it does, in one line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Opcode::CfgiSte => "forget a stream table entry and every CD reached through it",
            Opcode::CfgiCd => "forget one context descriptor",
            Opcode::CfgiCdAll => "forget every context descriptor of a stream",
            Opcode::TlbiNhAll => "forget every stage-1 and combined entry of a VMID",
            Opcode::TlbiNhAsid => {
                "forget the stage-1 and combined entries of an ASID; global entries stay"
            }
            Opcode::TlbiNhVa => "forget one page of an ASID, global entries too",
            Opcode::TlbiNhVaa => "forget one page of every ASID of a VMID, global entries too",
            Opcode::TlbiS2Ipa => "forget one stage-2 entry; combined entries stay",
            Opcode::TlbiS12Vmall => "forget everything of a VMID",
            Opcode::TlbiNsnhAll => "forget everything of every VMID",
            Opcode::AtcInv => {
                "have a device forget: (slot, page) or (slot) with SSV=1, (device, page) or (device) with SSV=0"
            }
        }
    }
}

impl Command {
    /// Which operation it is.
    pub const fn opcode(self) -> Opcode {
        match self {
            Command::CfgiSte(..) => Opcode::CfgiSte,
            Command::CfgiCd(..) => Opcode::CfgiCd,
            Command::CfgiCdAll(..) => Opcode::CfgiCdAll,
            Command::TlbiNhAll(..) => Opcode::TlbiNhAll,
            Command::TlbiNhAsid(..) => Opcode::TlbiNhAsid,
            Command::TlbiNhVa(..) => Opcode::TlbiNhVa,
            Command::TlbiNhVaa(..) => Opcode::TlbiNhVaa,
            Command::TlbiS2Ipa(..) => Opcode::TlbiS2Ipa,
            Command::TlbiS12Vmall(..) => Opcode::TlbiS12Vmall,
            Command::TlbiNsnhAll => Opcode::TlbiNsnhAll,
            Command::AtcInv(..)
            | Command::AtcInvSsid(..)
            | Command::AtcInvPage(..)
            | Command::AtcInvAll(..) => Opcode::AtcInv,
        }
    }
}
