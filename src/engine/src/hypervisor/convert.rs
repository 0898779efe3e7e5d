//! Which of a guest's commands are accepted, and what becomes of them: `arm_vsmmu_convert_user_cmd`.
//!
//! Words are rewritten, not decoded and encoded again: every field but VMID and StreamID is the guest's own, so that TG, TTL, NUM, SCALE
//! and Leaf survive, and so do reserved bits and SSec. Their check is the SMMU's; see [`Contract`](super::Contract) for who hears of it.

use super::{Errno, Vdevices};
use crate::ids::{StreamId, Vmid};

/// CMD_0_OP.
pub(super) const fn opcode([word0, _]: [u64; 2]) -> u8 {
    word0 as u8
}

/// Opcodes that appear in more than one place; Arm IHI 0070, 4.1.1 "Command opcodes".
pub(super) mod op {
    pub const PREFETCH_CONFIG: u8 = 0x01;
    pub const PREFETCH_ADDR: u8 = 0x02;
    pub const CFGI_STE: u8 = 0x03;
    pub const CFGI_STE_RANGE: u8 = 0x04;
    pub const CFGI_CD: u8 = 0x05;
    pub const CFGI_CD_ALL: u8 = 0x06;
    pub const TLBI_NH_ALL: u8 = 0x10;
    pub const TLBI_NH_ASID: u8 = 0x11;
    pub const TLBI_NH_VA: u8 = 0x12;
    pub const TLBI_NH_VAA: u8 = 0x13;
    pub const TLBI_NSNH_ALL: u8 = 0x30;
    pub const ATC_INV: u8 = 0x40;
    pub const SYNC: u8 = 0x46;
}

const VMID: u64 = 0xffff << 32;
const SID: u64 = 0xffff_ffff << 32;

/// The StreamID of a command that has one.
pub(super) const fn stream([word0, _]: [u64; 2]) -> StreamId {
    StreamId((word0 >> 32) as u32)
}

/// A guest's command as the physical SMMU may see it.
///
/// # Errors
/// [`Errno::Io`]: an opcode that guests may not use, or a StreamID that is not theirs.
pub(super) fn convert(
    command: [u64; 2],
    vmid: Vmid,
    devices: &Vdevices,
) -> Result<[u64; 2], Errno> {
    let [word0, word1] = command;
    let vmid = u64::from(vmid.0) << 32;
    match opcode(command) {
        // Everything of everybody, says the guest; everything of this guest, it gets.
        op::TLBI_NSNH_ALL => Ok([u64::from(op::TLBI_NH_ALL) | vmid, 0]),
        op::TLBI_NH_ALL | op::TLBI_NH_ASID | op::TLBI_NH_VA | op::TLBI_NH_VAA => {
            Ok([word0 & !VMID | vmid, word1])
        }
        op::ATC_INV | op::CFGI_CD | op::CFGI_CD_ALL => {
            let sid = devices.physical(stream(command))?;
            Ok([word0 & !SID | u64::from(sid.0) << 32, word1])
        }
        _ => Err(Errno::Io),
    }
}
