//! What an invalidation has to reach, and which commands reach it: Arm IHI 0070, 4.3 "Configuration structure invalidation", 4.4 "TLB
//! invalidation", 4.5 "ATS and PRI".

mod commands;

use engine::layout::{Command, RangeHint};

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
}
