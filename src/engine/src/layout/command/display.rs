//! Commands in words: the manual's name, and the operands by the names that the figures of Arm IHI 0070, chapter 4, give them.

use std::fmt::{Display, Formatter, Result};

use super::{Command, RangeHint, Response, SyncSignal};
use crate::ids::SubstreamId;

impl Display for Command {
    /// `CMD_TLBI_NH_VA VMID=0x1 ASID=0x2 Address=0x5000 Leaf=1`.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "CMD_{}", self.name())?;
        match *self {
            Command::PrefetchConfig { sid, ssid } | Command::PrefetchAddr { sid, ssid } => {
                write!(f, " StreamID={sid}{}", Substream(ssid))
            }
            Command::CfgiSte { sid, leaf } => write!(f, " StreamID={sid} Leaf={}", bit(leaf)),
            Command::CfgiSteRange { range: 31, .. } | Command::TlbiNsnhAll => Ok(()),
            Command::CfgiSteRange { sid, range } => write!(f, " StreamID={sid} Range={range}"),
            Command::CfgiCd { sid, ssid, leaf } => {
                write!(f, " StreamID={sid} SubstreamID={ssid} Leaf={}", bit(leaf))
            }
            Command::CfgiCdAll { sid } | Command::StallTerm { sid } => {
                write!(f, " StreamID={sid}")
            }
            Command::TlbiNhAll { vmid } | Command::TlbiS12Vmall { vmid } => {
                write!(f, " VMID={vmid}")
            }
            Command::TlbiNhAsid { vmid, asid } => write!(f, " VMID={vmid} ASID={asid}"),
            Command::TlbiNhVa {
                vmid,
                asid,
                address,
                leaf,
                hint,
            } => write!(
                f,
                " VMID={vmid} ASID={asid} Address={address} Leaf={}{hint}",
                bit(leaf)
            ),
            Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint,
            } => write!(f, " VMID={vmid} Address={address} Leaf={}{hint}", bit(leaf)),
            Command::TlbiS2Ipa {
                vmid,
                address,
                leaf,
                hint,
            } => write!(f, " VMID={vmid} Address={address} Leaf={}{hint}", bit(leaf)),
            Command::AtcInv {
                sid,
                ssid,
                global,
                address,
                size,
            } => write!(
                f,
                " StreamID={sid}{} Global={} Address={address} Size={size}",
                Substream(ssid),
                bit(global)
            ),
            Command::PriResp {
                sid,
                ssid,
                prgindex,
                resp,
            } => write!(
                f,
                " StreamID={sid}{} PRGIndex={prgindex:#x} Resp={resp}",
                Substream(ssid)
            ),
            Command::Resume {
                sid,
                stag,
                response,
            } => {
                // 4.7.1: Ab is of no meaning with Ac.
                let (ac, ab) = match response {
                    Response::Retry => (1, 0),
                    Response::Abort => (0, 1),
                    Response::RazWi => (0, 0),
                };
                write!(f, " StreamID={sid} STAG={stag} Ac={ac} Ab={ab}")
            }
            Command::Sync(SyncSignal::None) => write!(f, " CS=SIG_NONE"),
            Command::Sync(SyncSignal::Sev) => write!(f, " CS=SIG_SEV"),
            Command::Sync(SyncSignal::Irq { address, data }) => {
                write!(f, " CS=SIG_IRQ MSIAddress={address:#x} MSIData={data:#x}")
            }
        }
    }
}

impl Command {
    /// The manual's name, without `CMD_`.
    pub const fn name(&self) -> &'static str {
        match self {
            Command::PrefetchConfig { .. } => "PREFETCH_CONFIG",
            Command::PrefetchAddr { .. } => "PREFETCH_ADDR",
            Command::CfgiSte { .. } => "CFGI_STE",
            Command::CfgiSteRange { range: 31, .. } => "CFGI_ALL",
            Command::CfgiSteRange { .. } => "CFGI_STE_RANGE",
            Command::CfgiCd { .. } => "CFGI_CD",
            Command::CfgiCdAll { .. } => "CFGI_CD_ALL",
            Command::TlbiNhAll { .. } => "TLBI_NH_ALL",
            Command::TlbiNhAsid { .. } => "TLBI_NH_ASID",
            Command::TlbiNhVa { .. } => "TLBI_NH_VA",
            Command::TlbiNhVaa { .. } => "TLBI_NH_VAA",
            Command::TlbiS12Vmall { .. } => "TLBI_S12_VMALL",
            Command::TlbiS2Ipa { .. } => "TLBI_S2_IPA",
            Command::TlbiNsnhAll => "TLBI_NSNH_ALL",
            Command::AtcInv { .. } => "ATC_INV",
            Command::PriResp { .. } => "PRI_RESP",
            Command::Resume { .. } => "RESUME",
            Command::StallTerm { .. } => "STALL_TERM",
            Command::Sync(_) => "SYNC",
        }
    }
}

impl Display for RangeHint {
    /// Nothing for a single address without hints.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let RangeHint {
            tg,
            ttl,
            num,
            scale,
        } = self;
        match tg {
            0 => Ok(()),
            _ => write!(f, " TG={tg} TTL={ttl} NUM={num} SCALE={scale}"),
        }
    }
}

/// SSV, and the SubstreamID if there is one.
struct Substream(Option<SubstreamId>);

impl Display for Substream {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Some(ssid) => write!(f, " SSV=1 SubstreamID={ssid}"),
            None => write!(f, " SSV=0"),
        }
    }
}

const fn bit(value: bool) -> u8 {
    value as u8
}
