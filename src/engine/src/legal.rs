//! Which commands an implementation has.

use crate::features::{Features, StallModel};
use crate::layout::{Command, Illegal, RangeHint};

/// A decoded command, as this implementation understands it.
///
/// # Errors
/// [`Illegal`] for what the implementation does not have: Arm IHI 0070, 4.4.2, 4.4.3, 4.5, 4.7.
pub(crate) fn legal(command: Command, features: &Features) -> Result<Command, Illegal> {
    let hint = |hint: RangeHint| {
        if features.ril {
            hint
        } else {
            RangeHint::default()
        }
    };
    let available = match command {
        Command::TlbiNhAll { .. }
        | Command::TlbiNhAsid { .. }
        | Command::TlbiNhVa { .. }
        | Command::TlbiNhVaa { .. } => features.s1p,
        Command::TlbiS12Vmall { .. } | Command::TlbiS2Ipa { .. } => features.s2p,
        Command::AtcInv { .. } => features.ats,
        Command::PriResp { .. } => features.pri,
        Command::Resume { .. } | Command::StallTerm { .. } => {
            features.stall_model != StallModel::TerminateOnly
        }
        _ => true,
    };
    if !available {
        return Err(Illegal);
    }
    Ok(match command {
        Command::TlbiNhVa {
            vmid,
            asid,
            address,
            leaf,
            hint: h,
        } => Command::TlbiNhVa {
            vmid,
            asid,
            address,
            leaf,
            hint: hint(h),
        },
        Command::TlbiNhVaa {
            vmid,
            address,
            leaf,
            hint: h,
        } => Command::TlbiNhVaa {
            vmid,
            address,
            leaf,
            hint: hint(h),
        },
        Command::TlbiS2Ipa {
            vmid,
            address,
            leaf,
            hint: h,
        } => Command::TlbiS2Ipa {
            vmid,
            address,
            leaf,
            hint: hint(h),
        },
        other => other,
    })
}
