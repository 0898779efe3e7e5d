//! A thread in an operation: what it holds, and what its commands are made of.

use std::collections::{BTreeSet, VecDeque};

use model::Cost;
use model::program::{CommandExpr, Operand, REGISTERS, Reg, Row, VmidField};
use vocab::Opcode;

use super::ONLY;

/// A guest's command, as far as the kernel looks at it.
#[derive(Clone, Copy)]
pub struct Request {
    pub opcode: Opcode,
    pub device: Option<u8>,
}

/// A thread in an operation.
#[derive(Default)]
pub struct Running {
    pub values: [Option<u8>; REGISTERS],
    pub sets: [BTreeSet<u8>; REGISTERS],
    pub queue: VecDeque<Request>,
    pub taken: Option<Request>,
    pub chunk: VecDeque<Request>,
    pub cost: Cost,
}

/// What a command is made of: opcode, VMID, all else that it names.
pub fn parts(command: CommandExpr) -> (Opcode, Option<VmidField>, [Option<Operand>; 2]) {
    match command {
        CommandExpr::CfgiSte(device) => (Opcode::CfgiSte, None, [Some(device), None]),
        CommandExpr::CfgiCd(slot) => (Opcode::CfgiCd, None, [Some(slot), None]),
        CommandExpr::CfgiCdAll(device) => (Opcode::CfgiCdAll, None, [Some(device), None]),
        CommandExpr::TlbiNhAll(vmid) => (Opcode::TlbiNhAll, Some(vmid), [None, None]),
        CommandExpr::TlbiNhAsid(vmid, asid) => (Opcode::TlbiNhAsid, Some(vmid), [Some(asid), None]),
        CommandExpr::TlbiNhVa(vmid, asid, page) => {
            (Opcode::TlbiNhVa, Some(vmid), [Some(asid), Some(page)])
        }
        CommandExpr::TlbiNhVaa(vmid, page) => (Opcode::TlbiNhVaa, Some(vmid), [Some(page), None]),
        CommandExpr::TlbiS2Ipa(vmid, ipa) => (Opcode::TlbiS2Ipa, Some(vmid), [Some(ipa), None]),
        CommandExpr::TlbiS12Vmall(vmid) => (Opcode::TlbiS12Vmall, Some(vmid), [None, None]),
        CommandExpr::TlbiNsnhAll => (Opcode::TlbiNsnhAll, None, [None, None]),
        CommandExpr::AtcInv(slot, page) => (Opcode::AtcInv, None, [Some(slot), Some(page)]),
        CommandExpr::AtcInvSsid(slot) => (Opcode::AtcInv, None, [Some(slot), None]),
        CommandExpr::AtcInvPage(device, page) => (Opcode::AtcInv, None, [Some(device), Some(page)]),
        CommandExpr::AtcInvAll(device) => (Opcode::AtcInv, None, [Some(device), None]),
    }
}

/// It waits for somebody else.
pub struct Waits;

impl Running {
    pub fn value(&self, operand: Operand) -> Option<u8> {
        let register = |Reg(register): Reg| self.values[register as usize];
        match operand {
            Operand::Reg(of) => register(of),
            Operand::DeviceOf(of) | Operand::ViommuOf(of) | Operand::VmOf(of) => {
                register(of).map(|_| ONLY)
            }
        }
    }

    /// The (table, key) that a row names. There is one vIOMMU, so that an ASID is a key.
    pub fn cell(&self, row: Row) -> Option<(u8, u8)> {
        if let Some(viommu) = row.viommu {
            self.value(viommu)?;
        }
        Some((row.table, self.value(row.key)?))
    }
}
