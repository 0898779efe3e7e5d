//! What an invalidation has to reach, and which commands reach it: Arm IHI 0070, 4.3 "Configuration structure invalidation", 4.4 "TLB
//! invalidation", 4.5 "ATS and PRI".

use engine::layout::{Command, RangeHint};
use engine::{Asid, Iova, Ipa, StreamId, SubstreamId, Vmid};

/// A part of a translation: an entry of a table, wherever copies of it are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first input that the entry translates.
    pub from: u64,
    /// Log2 of the bytes.
    pub bits: u8,
    /// The level of the entry.
    pub level: u8,
    /// Whether it maps; else it leads to a table.
    pub leaf: bool,
    /// Log2 of the granule's bytes.
    pub granule: u8,
}

/// One thing that has to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An STE.
    Ste(u32),
    /// The L1STD over 2^split StreamIDs.
    L1Std { sid: u32, split: u8 },
    /// A CD.
    Cd { sid: u32, ssid: u32 },
    /// The L1CD over 2^split SubstreamIDs.
    L1Cd { sid: u32, ssid: u32, split: u8 },
    /// A stage-1 entry, tagged with an ASID or global.
    Va {
        vmid: u16,
        asid: Option<u16>,
        span: Span,
    },
    /// All non-global entries of an ASID.
    Asid { vmid: u16, asid: u16 },
    /// A stage-2 entry.
    Ipa { vmid: u16, span: Span },
    /// Everything that stage 1 went into.
    Combined { vmid: u16 },
    /// Translations that a device keeps, of one PASID or without.
    Atc {
        sid: u32,
        ssid: Option<u32>,
        from: u64,
        bits: u8,
    },
}

impl Need {
    /// Whether a command reaches all of it.
    pub fn covered_by(&self, command: &Command) -> bool {
        match *self {
            Need::Ste(sid) => reaches_ste(command, sid),
            Need::L1Std { sid, split } => match *command {
                Command::CfgiSte { sid: of, leaf } => !leaf && of.0 >> split == sid >> split,
                Command::CfgiSteRange { range, .. } => range == 31,
                _ => false,
            },
            Need::Cd { sid, ssid } => match *command {
                Command::CfgiCd {
                    sid: of, ssid: at, ..
                } => (of.0, at.0) == (sid, ssid),
                _ => reaches_cds(command, sid),
            },
            Need::L1Cd { sid, ssid, split } => match *command {
                Command::CfgiCd {
                    sid: of,
                    ssid: at,
                    leaf,
                } => !leaf && of.0 == sid && at.0 >> split == ssid >> split,
                _ => reaches_cds(command, sid),
            },
            Need::Va { vmid, asid, span } => match *command {
                Command::TlbiNhVa {
                    vmid: of,
                    asid: tag,
                    address,
                    leaf,
                    hint,
                } => {
                    of.0 == vmid
                        && asid.is_none_or(|asid| asid == tag.0)
                        && span.reached(address.0, leaf, hint)
                }
                Command::TlbiNhVaa {
                    vmid: of,
                    address,
                    leaf,
                    hint,
                } => of.0 == vmid && span.reached(address.0, leaf, hint),
                Command::TlbiNhAsid {
                    vmid: of,
                    asid: tag,
                } => of.0 == vmid && asid == Some(tag.0),
                _ => reaches_combined(command, vmid),
            },
            Need::Asid { vmid, asid } => match *command {
                Command::TlbiNhAsid {
                    vmid: of,
                    asid: tag,
                } => (of.0, tag.0) == (vmid, asid),
                _ => reaches_combined(command, vmid),
            },
            Need::Ipa { vmid, span } => match *command {
                Command::TlbiS2Ipa {
                    vmid: of,
                    address,
                    leaf,
                    hint,
                } => of.0 == vmid && span.reached(address.0, leaf, hint),
                _ => reaches_vm(command, vmid),
            },
            Need::Combined { vmid } => reaches_combined(command, vmid),
            Need::Atc {
                sid,
                ssid,
                from,
                bits,
            } => match *command {
                // Without a PASID a device forgets what it has of any; with one, what it has of that.
                Command::AtcInv {
                    sid: of,
                    ssid: with,
                    global,
                    address,
                    size,
                } => {
                    let span = size + 12;
                    let within =
                        size == 52 || span >= bits && (address.0 ^ from) >> span.min(63) == 0;
                    let named = with.is_none() || global || with.map(|with| with.0) == ssid;
                    of.0 == sid && named && within
                }
                _ => false,
            },
        }
    }

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

fn reaches_ste(command: &Command, sid: u32) -> bool {
    match *command {
        Command::CfgiSte { sid: of, .. } => of.0 == sid,
        Command::CfgiSteRange { sid: of, range } => {
            range >= 31 || u64::from(of.0 ^ sid) >> (range + 1) == 0
        }
        _ => false,
    }
}

fn reaches_cds(command: &Command, sid: u32) -> bool {
    matches!(*command, Command::CfgiCdAll { sid: of } if of.0 == sid) || reaches_ste(command, sid)
}

fn reaches_vm(command: &Command, vmid: u16) -> bool {
    match *command {
        Command::TlbiS12Vmall { vmid: of } => of.0 == vmid,
        Command::TlbiNsnhAll => true,
        _ => false,
    }
}

fn reaches_combined(command: &Command, vmid: u16) -> bool {
    matches!(*command, Command::TlbiNhAll { vmid: of } if of.0 == vmid) || reaches_vm(command, vmid)
}

impl Span {
    /// Whether an invalidation by address reaches the entry: 4.4.1. A single address reaches whatever entry translates it; so does a range
    /// of which some address is translated by it, given the right granule and, if there is a hint, the right level.
    fn reached(&self, address: u64, leaf: bool, hint: RangeHint) -> bool {
        if leaf && !self.leaf {
            return false;
        }
        let Some(granule) = [12, 14, 16].get(usize::from(hint.tg).wrapping_sub(1)) else {
            return (address ^ self.from) >> self.bits == 0;
        };
        let level = hint.ttl == 0 || self.leaf && hint.ttl == self.level;
        let bytes = u128::from(hint.num + 1) << (hint.scale + granule);
        let (from, address) = (u128::from(self.from), u128::from(address));
        let meets = from < address + bytes && address < from + (1 << self.bits);
        *granule == self.granule && level && meets
    }

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
            // A longer one that begins before it, as far as there is space.
            2 => {
                let before = 3u64 << self.granule;
                let from = self.from.saturating_sub(before);
                let num = if self.from - from == before { 3 } else { 0 };
                let longer = RangeHint {
                    ttl: 0,
                    num: num.max(u8::from(exact.scale == 0)),
                    ..exact
                };
                (from, leaf, longer)
            }
            _ => (
                self.from,
                leaf,
                RangeHint {
                    ttl: 0,
                    num: 31.min(exact.num + 30),
                    ..exact
                },
            ),
        }
    }
}
