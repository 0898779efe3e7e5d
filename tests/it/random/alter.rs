//! What can go wrong on the way from software to the engine, to show that it would be seen.

use engine::layout::{Command, RangeHint};
use engine::{Asid, Iova, Vmid};

/// A mistake, made with every command that it can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    NoTlbi,
    NoTlbiByAddress,
    NoTlbiByAsid,
    NoTlbiAll,
    NoTlbiByIpa,
    WrongAsid,
    WrongVmid,
    ShortRange,
    WrongGranule,
    SpareTables,
    NoCfgiSte,
    NoCfgiCd,
    NarrowStes,
    WrongSubstream,
    NoAtcInv,
    ShortAtcInv,
    ShiftedAtcInv,
    NoSync,
}

impl Alteration {
    pub const ALL: [Alteration; 18] = [
        Alteration::NoTlbi,
        Alteration::NoTlbiByAddress,
        Alteration::NoTlbiByAsid,
        Alteration::NoTlbiAll,
        Alteration::NoTlbiByIpa,
        Alteration::WrongAsid,
        Alteration::WrongVmid,
        Alteration::ShortRange,
        Alteration::WrongGranule,
        Alteration::SpareTables,
        Alteration::NoCfgiSte,
        Alteration::NoCfgiCd,
        Alteration::NarrowStes,
        Alteration::WrongSubstream,
        Alteration::NoAtcInv,
        Alteration::ShortAtcInv,
        Alteration::ShiftedAtcInv,
        Alteration::NoSync,
    ];

    /// The command that arrives instead.
    pub fn alter(self, command: Command) -> Option<Command> {
        use Alteration as A;
        use Command as C;
        let by_address = matches!(command, C::TlbiNhVa { .. } | C::TlbiNhVaa { .. });
        let by_ipa = matches!(command, C::TlbiS2Ipa { .. });
        let all = matches!(command, C::TlbiNhAll { .. });
        let by_asid = matches!(command, C::TlbiNhAsid { .. });
        let lost = match self {
            A::NoTlbi => by_address || by_ipa || all || by_asid,
            A::NoTlbiByAddress => by_address,
            A::NoTlbiByAsid => by_asid,
            A::NoTlbiAll => all,
            A::NoTlbiByIpa => by_ipa,
            A::NoCfgiSte => matches!(command, C::CfgiSte { .. } | C::CfgiSteRange { .. }),
            A::NoCfgiCd => matches!(command, C::CfgiCd { .. } | C::CfgiCdAll { .. }),
            A::NoAtcInv => matches!(command, C::AtcInv { .. }),
            _ => false,
        };
        (!lost).then(|| self.changed(command))
    }

    fn changed(self, mut command: Command) -> Command {
        use Alteration as A;
        use Command as C;
        match (self, &mut command) {
            (A::WrongAsid, C::TlbiNhAsid { asid, .. } | C::TlbiNhVa { asid, .. }) => {
                *asid = Asid(asid.0 ^ 0x40)
            }
            (
                A::WrongVmid,
                C::TlbiNhVa { vmid, .. } | C::TlbiNhVaa { vmid, .. } | C::TlbiNhAll { vmid },
            ) => {
                *vmid = Vmid(vmid.0 & 0xff);
            }
            (
                A::ShortRange | A::WrongGranule,
                C::TlbiNhVa { hint, .. } | C::TlbiNhVaa { hint, .. } | C::TlbiS2Ipa { hint, .. },
            ) => *hint = self.hint(*hint),
            (
                A::SpareTables,
                C::TlbiNhVa { leaf, .. } | C::TlbiNhVaa { leaf, .. } | C::TlbiS2Ipa { leaf, .. },
            ) => {
                *leaf = true;
            }
            (A::NarrowStes, C::CfgiSteRange { range, .. }) => {
                *range = range.saturating_sub(1).min(20)
            }
            (A::WrongSubstream, C::CfgiCd { ssid, .. }) => ssid.0 ^= 1,
            (A::ShortAtcInv, C::AtcInv { size, .. }) if *size > 0 => *size -= 1,
            (A::ShiftedAtcInv, C::AtcInv { address, size, .. }) if *size < 40 => {
                *address = Iova(address.0 ^ 1 << (*size + 12));
            }
            _ => {}
        }
        command
    }

    fn hint(self, hint: RangeHint) -> RangeHint {
        if hint.tg == 0 {
            return hint;
        }
        match self {
            // NUM as if it did not count.
            Alteration::ShortRange => RangeHint {
                num: 0,
                ttl: hint.ttl.max(u8::from(hint.scale == 0) * 3),
                ..hint
            },
            // As CD.TG0 is encoded.
            _ => RangeHint {
                tg: hint.tg % 3 + 1,
                ..hint
            },
        }
    }
}
