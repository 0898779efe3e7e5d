//! Which commands an implementation has.

use crate::features::{Features, StallModel};
use crate::layout::{Command, Illegal, RangeHint};

/// A decoded command, as this implementation understands it.
///
/// # Errors
/// [`Illegal`] for what the implementation does not have: Arm IHI 0070, 4.3.3, 4.3.4, 4.4.2, 4.4.3, 4.5, 4.7; and for range hints that
/// select nothing (4.4.1.1).
pub(crate) fn legal(command: Command, features: &Features) -> Result<Command, Illegal> {
    let available = match command {
        Command::CfgiCd { .. }
        | Command::CfgiCdAll { .. }
        | Command::TlbiNhAll { .. }
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
    let mut command = command;
    if let Some(hint) = hint(&mut command) {
        // Without RIL these fields are reserved, and reserved fields are ignored.
        if !features.ril {
            *hint = RangeHint::default();
        } else if hint.is_reserved() {
            return Err(Illegal);
        }
    }
    Ok(command)
}

/// The range hint of a command that has one.
const fn hint(command: &mut Command) -> Option<&mut RangeHint> {
    match command {
        Command::TlbiNhVa { hint, .. }
        | Command::TlbiNhVaa { hint, .. }
        | Command::TlbiS2Ipa { hint, .. } => Some(hint),
        _ => None,
    }
}
