//! Commands: Arm IHI 0070, chapter 4. 16 bytes.
//!
//! [`Command::decode`] says what two words mean, or that they are ILLEGAL; [`Command::encode`] is for software and tests.
//! What depends on the implementation's features (say, ATC_INV without ATS) is judged where commands are consumed.

use super::Granule;
use crate::ids::{Asid, Iova, Ipa, Stag, StreamId, SubstreamId, Vmid};

/// A command that cannot be consumed: CERROR_ILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal;

/// The fields of invalidations by address that widen or narrow them: Arm IHI 0070, 4.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RangeHint {
    /// TG: 0 for a single address without hints.
    pub tg: u8,
    /// TTL: level of the leaf descriptors, 0 for any.
    pub ttl: u8,
    /// NUM.
    pub num: u8,
    /// SCALE.
    pub scale: u8,
}

impl RangeHint {
    /// Bytes from the command's address on that are invalidated, saturated: (NUM+1) * 2^SCALE * granule.
    /// `None` for a single address, which hits whatever entry covers it.
    pub fn bytes(self) -> Option<u64> {
        let granule = Granule::from_tlbi_tg(self.tg)?;
        let pages = (u128::from(self.num) + 1) << self.scale;
        Some(u64::try_from(pages << granule.page_bits()).unwrap_or(u64::MAX))
    }
}

/// What CMD_SYNC does when it completes: CS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncSignal {
    /// Nothing; software polls CONS.
    None,
    /// An MSI write of `data` to `address`, or the wired interrupt when the address is 0.
    Irq {
        /// MSIAddress.
        address: u64,
        /// MSIData.
        data: u32,
    },
    /// An event for processors in WFE.
    Sev,
}

/// How a stalled transaction is to go on: Ac and Ab of CMD_RESUME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// It is translated again as if it had just arrived.
    Retry,
    /// The device gets an abort.
    Abort,
    /// Reads return zero and writes are ignored.
    RazWi,
}

/// A command by the manual's name, without `CMD_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A hint; nothing happens.
    PrefetchConfig {
        /// Whose configuration.
        sid: StreamId,
        /// Which of its contexts.
        ssid: Option<SubstreamId>,
    },
    /// A hint; nothing happens.
    PrefetchAddr {
        /// Whose translations.
        sid: StreamId,
        /// Which of its contexts.
        ssid: Option<SubstreamId>,
    },
    /// Forget an STE and the CDs reached through it; unless `leaf`, the L1STD too.
    CfgiSte {
        /// Which entry.
        sid: StreamId,
        /// Spare the L1STD.
        leaf: bool,
    },
    /// Forget 2^(range+1) STEs, aligned; range 31 is CMD_CFGI_ALL.
    CfgiSteRange {
        /// An entry of the range.
        sid: StreamId,
        /// Log2 of the number of entries, minus 1.
        range: u8,
    },
    /// Forget a CD; unless `leaf`, the L1CD too.
    CfgiCd {
        /// Reached through which entry.
        sid: StreamId,
        /// Its index.
        ssid: SubstreamId,
        /// Spare the L1CD.
        leaf: bool,
    },
    /// Forget all CDs and L1CDs of a stream.
    CfgiCdAll {
        /// Reached through which entry.
        sid: StreamId,
    },
    /// Forget a VMID's stage-1 and combined entries, global ones included.
    TlbiNhAll {
        /// Whose.
        vmid: Vmid,
    },
    /// Forget the non-global entries of an ASID.
    TlbiNhAsid {
        /// Of which machine.
        vmid: Vmid,
        /// Whose.
        asid: Asid,
    },
    /// Forget addresses of an ASID, and of global entries.
    TlbiNhVa {
        /// Of which machine.
        vmid: Vmid,
        /// Whose.
        asid: Asid,
        /// From which address on.
        address: Iova,
        /// Spare cached table descriptors.
        leaf: bool,
        /// How far.
        hint: RangeHint,
    },
    /// Forget addresses of every ASID, and of global entries.
    TlbiNhVaa {
        /// Of which machine.
        vmid: Vmid,
        /// From which address on.
        address: Iova,
        /// Spare cached table descriptors.
        leaf: bool,
        /// How far.
        hint: RangeHint,
    },
    /// Forget everything of a VMID.
    TlbiS12Vmall {
        /// Whose.
        vmid: Vmid,
    },
    /// Forget stage-2 entries; combined entries may stay.
    TlbiS2Ipa {
        /// Of which machine.
        vmid: Vmid,
        /// From which address on.
        address: Ipa,
        /// Spare cached table descriptors.
        leaf: bool,
        /// How far.
        hint: RangeHint,
    },
    /// Forget everything of every VMID.
    TlbiNsnhAll,
    /// Have a device forget 2^size pages, aligned; size 52 means all.
    AtcInv {
        /// Which device.
        sid: StreamId,
        /// Which of its address spaces.
        ssid: Option<SubstreamId>,
        /// With an SSID: entries of every PASID that the device marked global.
        global: bool,
        /// Somewhere in the span.
        address: Iova,
        /// Log2 of the pages.
        size: u8,
    },
    /// Answer a page request group.
    PriResp {
        /// Which device.
        sid: StreamId,
        /// Which of its address spaces.
        ssid: Option<SubstreamId>,
        /// Which group.
        prgindex: u16,
        /// 0 failure, 1 invalid request, 2 success.
        resp: u8,
    },
    /// Let a stalled transaction go on.
    Resume {
        /// Of which stream.
        sid: StreamId,
        /// Which transaction.
        stag: Stag,
        /// How.
        response: Response,
    },
    /// Terminate all stalled transactions of a stream.
    StallTerm {
        /// Of which stream.
        sid: StreamId,
    },
    /// Complete everything before it.
    Sync(SyncSignal),
}

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
    /// reserved values of CS and of PRI_RESP.Resp, ATC_INV sizes above 52, a range hint that selects nothing.
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
        // 4.1.6: commands that name a stream are not for Secure ones.
        let names_stream = matches!(opcode, 0x01..=0x06 | 0x40 | 0x41 | 0x44 | 0x45);
        if names_stream && bits(w0, 10, 10) == 1 {
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
                hint: hint(w0, w1)?,
            },
            0x13 => Command::TlbiNhVaa {
                vmid,
                address,
                leaf,
                hint: hint(w0, w1)?,
            },
            0x28 => Command::TlbiS12Vmall { vmid },
            0x2a => Command::TlbiS2Ipa {
                vmid,
                address: Ipa(bits(w1, 51, 12) << 12),
                leaf,
                hint: hint(w0, w1)?,
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

/// NUM, SCALE, TTL and TG. SCALE is five bits wide, as without 52-bit small granules (IDR5.DS = 0).
///
/// # Errors
/// [`Illegal`]: TG with NUM, SCALE and TTL all 0 is a single page without a level, which software writes with TG = 0. TTL = 1 with
/// the 16 KiB granule counts as 0 there (4.4.1.1).
fn hint(w0: u64, w1: u64) -> Result<RangeHint, Illegal> {
    let hint = RangeHint {
        tg: bits(w1, 11, 10) as u8,
        ttl: bits(w1, 9, 8) as u8,
        num: bits(w0, 16, 12) as u8,
        scale: bits(w0, 24, 20) as u8,
    };
    let no_level = hint.ttl == 0 || (hint.tg == 2 && hint.ttl == 1);
    match hint.tg {
        0 => Ok(RangeHint::default()),
        _ if no_level && hint.num == 0 && hint.scale == 0 => Err(Illegal),
        _ => Ok(hint),
    }
}
