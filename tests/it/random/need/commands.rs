//! The commands with which software reaches what it has to: each kind, with and without ranges and hints.

use engine::layout::{Command, RangeHint};
use engine::{Asid, Iova, Ipa, StreamId, SubstreamId, Vmid};

use super::{Need, Span};

impl Need {
    /// The commands with which software would reach it, in one of several styles.
    pub fn commands(&self, style: u8) -> Vec<Command> {
        match *self {
            Need::Ste(sid) => vec![match style % 4 {
                0 => cfgi_ste(sid, true),
                1 => cfgi_ste(sid, false),
                2 => Command::CfgiSteRange {
                    sid: StreamId(sid),
                    range: style / 4 % 12,
                },
                _ => cfgi_all(),
            }],
            Need::L1Std { sid, .. } => vec![match style % 2 {
                0 => cfgi_ste(sid, false),
                _ => cfgi_all(),
            }],
            Need::Cd { sid, ssid } => vec![match style % 8 {
                0..=4 => cfgi_cd(sid, ssid, style.is_multiple_of(2)),
                5 | 6 => Command::CfgiCdAll { sid: StreamId(sid) },
                _ => cfgi_ste(sid, true),
            }],
            Need::L1Cd { sid, ssid, .. } => vec![match style % 4 {
                0 => Command::CfgiCdAll { sid: StreamId(sid) },
                _ => cfgi_cd(sid, ssid, false),
            }],
            Need::Va { vmid, asid, span } => va(vmid, asid, span, style),
            Need::Asid { vmid, asid } => vec![match style % 4 {
                3 => nh_all(vmid),
                _ => nh_asid(vmid, asid),
            }],
            Need::Ipa { vmid, span } => {
                let (address, leaf, hint) = span.aim(style);
                vec![match style % 8 {
                    6 => Command::TlbiS12Vmall { vmid: Vmid(vmid) },
                    7 => Command::TlbiNsnhAll,
                    _ => Command::TlbiS2Ipa {
                        vmid: Vmid(vmid),
                        address: Ipa(address),
                        leaf,
                        hint,
                    },
                }]
            }
            Need::Combined { vmid } => vec![nh_all(vmid)],
            Need::Atc {
                sid,
                ssid,
                from,
                bits,
            } => {
                let exact = bits.saturating_sub(12);
                let (ssid, address, size) = match style % 8 {
                    0..=4 => (ssid, from, exact),
                    5 => (ssid, from ^ 0x5000, exact + 3),
                    6 => (ssid, 0, 52),
                    _ => (None, from, exact),
                };
                vec![Command::AtcInv {
                    sid: StreamId(sid),
                    ssid: ssid.map(SubstreamId),
                    global: false,
                    address: Iova(address & !0xfff),
                    size: size.min(52),
                }]
            }
        }
    }
}

impl Span {
    /// Address, Leaf and hint of a command that reaches it.
    fn aim(&self, style: u8) -> (u64, bool, RangeHint) {
        // TG is not encoded as in CD.TG0: 1 is 4 KiB, 2 is 16 KiB, 3 is 64 KiB.
        let tg = (self.granule - 12) / 2 + 1;
        let scale = self.bits - self.granule;
        let ttl = if self.leaf { self.level } else { 0 };
        let leaf = self.leaf && style & 8 == 0;
        let exact = RangeHint {
            tg,
            ttl,
            num: 0,
            scale: scale.min(31),
        };
        // TG alone selects nothing: 4.4.1.
        let exact = match (exact.ttl, exact.scale) {
            (0, 0) => RangeHint { num: 1, ..exact },
            _ => exact,
        };
        match style >> 4 & 3 {
            // A single address, anywhere in the entry.
            0 => {
                let within = 0x5555_5555_5555_5555 & ((1 << self.bits) - 1);
                (
                    self.from | within & !((1 << self.granule) - 1),
                    leaf,
                    RangeHint::default(),
                )
            }
            1 => (self.from, leaf, exact),
            // A longer one that begins before it, as far as there is space: the last addresses are those that count.
            aim => {
                let (pages, most) = if aim == 2 { (3, 3) } else { (16, 31) };
                let before = pages << self.granule;
                let from = self.from.saturating_sub(before);
                let num = if self.from - from == before { most } else { 0 };
                let longer = RangeHint {
                    ttl: 0,
                    num: num.max(u8::from(exact.scale == 0)),
                    ..exact
                };
                (from, leaf, longer)
            }
        }
    }
}

fn cfgi_ste(sid: u32, leaf: bool) -> Command {
    let sid = StreamId(sid);
    Command::CfgiSte { sid, leaf }
}

fn cfgi_all() -> Command {
    let sid = StreamId(0);
    Command::CfgiSteRange { sid, range: 31 }
}

fn cfgi_cd(sid: u32, ssid: u32, leaf: bool) -> Command {
    Command::CfgiCd {
        sid: StreamId(sid),
        ssid: SubstreamId(ssid),
        leaf,
    }
}

fn nh_all(vmid: u16) -> Command {
    Command::TlbiNhAll { vmid: Vmid(vmid) }
}

fn nh_asid(vmid: u16, asid: u16) -> Command {
    Command::TlbiNhAsid {
        vmid: Vmid(vmid),
        asid: Asid(asid),
    }
}

fn va(vmid: u16, asid: Option<u16>, span: Span, style: u8) -> Vec<Command> {
    let (address, leaf, hint) = span.aim(style);
    let address = Iova(address);
    // A global entry is hit whatever ASID the command names.
    let tag = asid.unwrap_or(u16::from(style));
    vec![match (style % 8, asid) {
        (7, _) => nh_all(vmid),
        (6, Some(asid)) => nh_asid(vmid, asid),
        (5 | 6, _) => Command::TlbiNhVaa {
            vmid: Vmid(vmid),
            address,
            leaf,
            hint,
        },
        _ => Command::TlbiNhVa {
            vmid: Vmid(vmid),
            asid: Asid(tag),
            address,
            leaf,
            hint,
        },
    }]
}
