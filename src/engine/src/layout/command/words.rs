//! Commands to words and back: Arm IHI 0070, 4.1 and the figures of each command.

use super::{Command, Illegal, RangeHint, Response, SyncSignal};
use crate::ids::{Asid, Iova, Ipa, Stag, StreamId, SubstreamId, Vmid};

const fn bits(word: u64, high: u32, low: u32) -> u64 {
    word >> low & (u64::MAX >> (63 - (high - low)))
}

impl Command {
    /// Bytes of one command.
    pub const SIZE: u64 = 16;

    /// What two words of a Non-secure command queue mean. Reserved fields are ignored, as 4.1.5 permits.
    ///
    /// # Errors
    /// [`Illegal`]: unknown opcodes, those of EL2, EL3, Secure state, VMS and DPT (which are not implemented), SSec = 1,
    /// reserved values of CS and of PRI_RESP.Resp, ATC_INV sizes above 52.
    pub fn decode([w0, w1]: [u64; 2]) -> Result<Self, Illegal> {
        let opcode = bits(w0, 7, 0) as u8;
        let sid = StreamId(bits(w0, 63, 32) as u32);
        let ssv = bits(w0, 11, 11) == 1;
        let some_ssid = SubstreamId(bits(w0, 31, 12) as u32);
        let ssid = ssv.then_some(some_ssid);
        let vmid = Vmid(bits(w0, 47, 32) as u16);
        let asid = Asid(bits(w0, 63, 48) as u16);
        let leaf = bits(w1, 0, 0) == 1;
        let address = Iova(w1 & !0xfff);
        // 4.1.6: the commands that have SSec are not for Secure streams here. CMD_ATC_INV and CMD_PRI_RESP have none (4.5).
        let has_ssec = matches!(opcode, 0x01..=0x06 | 0x44 | 0x45);
        if has_ssec && bits(w0, 10, 10) == 1 {
            return Err(Illegal);
        }
        Ok(match opcode {
            0x01 => Command::PrefetchConfig { sid, ssid },
            0x02 => Command::PrefetchAddr { sid, ssid },
            0x03 => Command::CfgiSte { sid, leaf },
            0x04 => Command::CfgiSteRange {
                sid,
                range: bits(w1, 4, 0) as u8,
            },
            0x05 => Command::CfgiCd {
                sid,
                ssid: some_ssid,
                leaf,
            },
            0x06 => Command::CfgiCdAll { sid },
            0x10 => Command::TlbiNhAll { vmid },
            0x11 => Command::TlbiNhAsid { vmid, asid },
            0x12 => Command::TlbiNhVa {
                vmid,
                asid,
                address,
                leaf,
                hint: hint(w0, w1),
            },
            0x13 => Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint: hint(w0, w1),
            },
            0x28 => Command::TlbiS12Vmall { vmid },
            0x2a => Command::TlbiS2Ipa {
                vmid,
                address: Ipa(bits(w1, 51, 12) << 12),
                leaf,
                hint: hint(w0, w1),
            },
            0x30 => Command::TlbiNsnhAll,
            0x40 => Command::AtcInv {
                sid,
                ssid,
                global: bits(w0, 9, 9) == 1,
                address,
                size: match bits(w1, 5, 0) as u8 {
                    size @ 0..=52 => size,
                    _ => return Err(Illegal),
                },
            },
            0x41 => Command::PriResp {
                sid,
                ssid,
                prgindex: bits(w1, 8, 0) as u16,
                resp: match bits(w1, 13, 12) as u8 {
                    3 => return Err(Illegal),
                    resp => resp,
                },
            },
            0x44 => Command::Resume {
                sid,
                stag: Stag(bits(w1, 15, 0) as u16),
                response: match (bits(w0, 12, 12), bits(w0, 13, 13)) {
                    (1, _) => Response::Retry,
                    (_, 1) => Response::Abort,
                    _ => Response::RazWi,
                },
            },
            0x45 => Command::StallTerm { sid },
            0x46 => Command::Sync(match bits(w0, 13, 12) {
                0 => SyncSignal::None,
                1 => SyncSignal::Irq {
                    address: bits(w1, 51, 2) << 2,
                    data: bits(w0, 63, 32) as u32,
                },
                2 => SyncSignal::Sev,
                _ => return Err(Illegal),
            }),
            _ => return Err(Illegal),
        })
    }

    /// The two words that mean this.
    pub fn encode(self) -> [u64; 2] {
        let stream = |op: u64, sid: StreamId| op | u64::from(sid.0) << 32;
        let sub =
            |ssid: Option<SubstreamId>| ssid.map_or(0, |ssid| 1 << 11 | u64::from(ssid.0) << 12);
        let vm = |op: u64, vmid: Vmid| op | u64::from(vmid.0) << 32;
        let space = |asid: Asid| u64::from(asid.0) << 48;
        let range0 = |hint: RangeHint| u64::from(hint.num) << 12 | u64::from(hint.scale) << 20;
        let range1 = |address: u64, leaf: bool, hint: RangeHint| {
            address & !0xfff | u64::from(hint.tg) << 10 | u64::from(hint.ttl) << 8 | u64::from(leaf)
        };
        match self {
            Command::PrefetchConfig { sid, ssid } => [stream(0x01, sid) | sub(ssid), 0],
            Command::PrefetchAddr { sid, ssid } => [stream(0x02, sid) | sub(ssid), 0],
            Command::CfgiSte { sid, leaf } => [stream(0x03, sid), u64::from(leaf)],
            Command::CfgiSteRange { sid, range } => [stream(0x04, sid), u64::from(range)],
            Command::CfgiCd { sid, ssid, leaf } => {
                [stream(0x05, sid) | sub(Some(ssid)), u64::from(leaf)]
            }
            Command::CfgiCdAll { sid } => [stream(0x06, sid), 0],
            Command::TlbiNhAll { vmid } => [vm(0x10, vmid), 0],
            Command::TlbiNhAsid { vmid, asid } => [vm(0x11, vmid) | space(asid), 0],
            Command::TlbiNhVa {
                vmid,
                asid,
                address,
                leaf,
                hint,
            } => [
                vm(0x12, vmid) | space(asid) | range0(hint),
                range1(address.0, leaf, hint),
            ],
            Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint,
            } => [vm(0x13, vmid) | range0(hint), range1(address.0, leaf, hint)],
            Command::TlbiS12Vmall { vmid } => [vm(0x28, vmid), 0],
            Command::TlbiS2Ipa {
                vmid,
                address,
                leaf,
                hint,
            } => [vm(0x2a, vmid) | range0(hint), range1(address.0, leaf, hint)],
            Command::TlbiNsnhAll => [0x30, 0],
            Command::AtcInv {
                sid,
                ssid,
                global,
                address,
                size,
            } => [
                stream(0x40, sid) | sub(ssid) | u64::from(global) << 9,
                address.0 & !0xfff | u64::from(size),
            ],
            Command::PriResp {
                sid,
                ssid,
                prgindex,
                resp,
            } => [
                stream(0x41, sid) | sub(ssid),
                u64::from(prgindex) | u64::from(resp) << 12,
            ],
            Command::Resume {
                sid,
                stag,
                response,
            } => {
                let action = match response {
                    Response::Retry => 1 << 12,
                    Response::Abort => 1 << 13,
                    Response::RazWi => 0,
                };
                [stream(0x44, sid) | action, u64::from(stag.0)]
            }
            Command::StallTerm { sid } => [stream(0x45, sid), 0],
            Command::Sync(signal) => match signal {
                SyncSignal::None => [0x46, 0],
                SyncSignal::Irq { address, data } => {
                    [0x46 | 1 << 12 | u64::from(data) << 32, address]
                }
                SyncSignal::Sev => [0x46 | 2 << 12, 0],
            },
        }
    }
}

/// NUM, SCALE, TTL and TG. SCALE is five bits wide, as without 52-bit small granules (IDR5.DS = 0). Without TG nothing else counts.
fn hint(w0: u64, w1: u64) -> RangeHint {
    match bits(w1, 11, 10) as u8 {
        0 => RangeHint::default(),
        tg => RangeHint {
            tg,
            ttl: bits(w1, 9, 8) as u8,
            num: bits(w0, 16, 12) as u8,
            scale: bits(w0, 24, 20) as u8,
        },
    }
}
