//! What operands, rows and expressions of an instruction stand for, given a thread's registers and memory.

use vocab::{Asid, Command, Device, Ipa, Page, Slot, Space, Viommu, Vm, Vmid};

use crate::caches::{cd0, values};
use crate::command::GUEST_VMID;
use crate::machine::Machine;
use crate::program::{CommandExpr, FixedSet, Operand, ReadExpr, Reg, Row, VmidField};
use crate::state::{State, Thread, descriptor};

impl Machine {
    /// The id that an operand names, if any.
    pub(crate) fn value(&self, thread: &Thread, operand: Operand) -> Option<u8> {
        let register = |Reg(reg)| thread.regs[reg as usize].checked_sub(1);
        match operand {
            Operand::Reg(reg) => register(reg),
            Operand::DeviceOf(reg) => register(reg).map(|slot| self.device_of(Slot(slot)).0),
            Operand::ViommuOf(reg) => register(reg).map(|space| self.viommu_of(Space(space)).0),
            Operand::VmOf(reg) => register(reg).map(|viommu| self.vm_of(Viommu(viommu)).0),
        }
    }

    /// The (table, key) that a row names, if any.
    pub(crate) fn cell(&self, thread: &Thread, row: Row) -> Option<(usize, usize)> {
        let key = self.value(thread, row.key)? as usize;
        let key = match row.viommu {
            None => key,
            Some(viommu) => self.value(thread, viommu)? as usize * self.bounds.asids as usize + key,
        };
        Some((row.table as usize, key))
    }

    /// Whether a value is in a row.
    pub(crate) fn has(&self, state: &State, thread: &Thread, row: Row, value: Operand) -> bool {
        match (self.cell(thread, row), self.value(thread, value)) {
            (Some(cell), Some(value)) => state.memory.tables[cell.0][cell.1] >> value & 1 == 1,
            _ => false,
        }
    }

    /// A value as a register holds it.
    pub(crate) fn read(&self, state: &State, thread: &Thread, what: ReadExpr) -> u8 {
        let memory = &state.memory;
        let row = |row: Row| {
            self.cell(thread, row)
                .map_or(0, |cell| memory.tables[cell.0][cell.1])
        };
        match what {
            ReadExpr::Asid(space) => self
                .value(thread, space)
                .map_or(0, |space| memory.asid[space as usize]),
            ReadExpr::CdAsid { viommu, slot } => {
                match (self.value(thread, viommu), self.value(thread, slot)) {
                    (Some(viommu), Some(slot)) => {
                        let word = memory.cd0[descriptor(Viommu(viommu), Slot(slot))];
                        plus_one(cd0::decode(word).map(|(asid, _)| asid.0))
                    }
                    _ => 0,
                }
            }
            ReadExpr::One(place) => plus_one(values(row(place)).next()),
            ReadExpr::Empty(place) => (row(place) == 0) as u8,
            ReadExpr::Has(place, value) => self
                .value(thread, value)
                .map_or(0, |value| row(place) >> value & 1),
        }
    }

    pub(crate) fn fixed_set(&self, thread: &Thread, set: FixedSet) -> u8 {
        match set {
            FixedSet::Pages => first(self.bounds.pages),
            FixedSet::Viommus(vm) => {
                let vm = self.value(thread, vm).map(Vm);
                self.viommus_of(vm)
                    .fold(0, |set, viommu| set | 1 << viommu.0)
            }
            FixedSet::Slots(device) => self.value(thread, device).map_or(0, |device| {
                self.slots_of(Device(device))
                    .fold(0, |set, slot| set | 1 << slot.0)
            }),
        }
    }

    /// The command that an expression stands for now; none if it names something that is none.
    pub(crate) fn resolve(
        &self,
        state: &State,
        thread: &Thread,
        command: CommandExpr,
    ) -> Option<Command> {
        let value = |operand| self.value(thread, operand);
        let vmid = |field| match field {
            VmidField::Guest => Some(GUEST_VMID),
            VmidField::Of(viommu) => state.memory.vmid[value(viommu)? as usize]
                .checked_sub(1)
                .map(Vmid),
        };
        Some(match command {
            CommandExpr::CfgiSte(device) => Command::CfgiSte(Device(value(device)?)),
            CommandExpr::CfgiCd(slot) => Command::CfgiCd(Slot(value(slot)?)),
            CommandExpr::CfgiCdAll(device) => Command::CfgiCdAll(Device(value(device)?)),
            CommandExpr::TlbiNhAll(field) => Command::TlbiNhAll(vmid(field)?),
            CommandExpr::TlbiNhAsid(field, asid) => {
                Command::TlbiNhAsid(vmid(field)?, Asid(value(asid)?))
            }
            CommandExpr::TlbiNhVa(field, asid, page) => {
                Command::TlbiNhVa(vmid(field)?, Asid(value(asid)?), Page(value(page)?))
            }
            CommandExpr::TlbiNhVaa(field, page) => {
                Command::TlbiNhVaa(vmid(field)?, Page(value(page)?))
            }
            CommandExpr::TlbiS2Ipa(field, ipa) => {
                Command::TlbiS2Ipa(vmid(field)?, Ipa(value(ipa)?))
            }
            CommandExpr::TlbiS12Vmall(field) => Command::TlbiS12Vmall(vmid(field)?),
            CommandExpr::TlbiNsnhAll => Command::TlbiNsnhAll,
            CommandExpr::AtcInv(slot, page) => {
                Command::AtcInv(Slot(value(slot)?), Page(value(page)?))
            }
            CommandExpr::AtcInvSsid(slot) => Command::AtcInvSsid(Slot(value(slot)?)),
            CommandExpr::AtcInvPage(device, page) => {
                Command::AtcInvPage(Device(value(device)?), Page(value(page)?))
            }
            CommandExpr::AtcInvAll(device) => Command::AtcInvAll(Device(value(device)?)),
        })
    }
}

/// The set of the first `count` ids.
pub(crate) fn first(count: u8) -> u8 {
    ((1u16 << count) - 1) as u8
}

/// An id as memory and registers hold it: plus one, or 0 for none.
pub(crate) fn plus_one(id: Option<u8>) -> u8 {
    id.map_or(0, |id| id + 1)
}
