//! Which registers can still be read: what a thread will never look at again must not tell states apart.
//!
//! The usual backward dataflow over the code: a register is live before an instruction that uses it, or that leaves it alone
//! while it is live behind it. Forgetting the others is exact: nothing reads them before they are written.

use crate::program::{
    Code, CommandExpr, FixedSet, Instr, Operand, Pc, REGISTERS, ReadExpr, Reg, Row, Start,
    SteWord0, VIOMMU, VmidField, Word0,
};

/// A set of registers; the bit behind them stands for the taken command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live(u16);

const COMMAND: u8 = REGISTERS as u8;

impl Live {
    pub(crate) fn has(self, register: usize) -> bool {
        self.0 >> register & 1 == 1
    }

    pub(crate) fn has_command(self) -> bool {
        self.has(COMMAND as usize)
    }

    fn with(self, register: u8) -> Self {
        Live(self.0 | 1 << register)
    }

    fn without(self, register: u8) -> Self {
        Live(self.0 & !(1 << register))
    }

    fn and(self, other: Live) -> Self {
        Live(self.0 | other.0)
    }
}

/// For each instruction what is live before it.
pub(crate) fn live(code: &Code) -> Vec<Live> {
    let ends = ends_of_operations(code);
    let mut live = vec![Live::default(); code.instrs.len()];
    loop {
        let before = live.clone();
        for pc in (0..code.instrs.len()).rev() {
            let instr = code.instrs[pc];
            let behind = successors(instr, pc as Pc)
                .into_iter()
                .fold(Live::default(), |all, next| all.and(live[next as usize]));
            let behind = written(instr).into_iter().fold(behind, Live::without);
            live[pc] = used(instr).into_iter().fold(behind, Live::with);
            if ends[pc] {
                // What an operation is about decides what its end revokes, and what others may begin meanwhile.
                live[pc] = (0..3).fold(live[pc], Live::with);
            }
        }
        if live == before {
            return live;
        }
    }
}

/// The instructions that end operations.
fn ends_of_operations(code: &Code) -> Vec<bool> {
    let mut reached = vec![false; code.instrs.len()];
    let mut todo: Vec<Pc> = code
        .entries
        .iter()
        .filter(|entry| matches!(entry.start, Start::Operation(_)))
        .map(|entry| entry.pc)
        .collect();
    while let Some(pc) = todo.pop() {
        if !std::mem::replace(&mut reached[pc as usize], true) {
            todo.extend(successors(code.instrs[pc as usize], pc));
        }
    }
    let ends = code
        .instrs
        .iter()
        .map(|instr| matches!(instr, Instr::Return | Instr::Fail));
    ends.zip(reached)
        .map(|(ends, reached)| ends && reached)
        .collect()
}

fn successors(instr: Instr, pc: Pc) -> Vec<Pc> {
    match instr {
        Instr::Return | Instr::Fail => Vec::new(),
        Instr::Jump(to) => vec![to],
        Instr::Require { to, .. }
        | Instr::HwqGuest { to, .. }
        | Instr::MayFail { to }
        | Instr::Cut { to, .. }
        | Instr::TakeCommand { to }
        | Instr::Next { to, .. }
        | Instr::Chunk { to }
        | Instr::ChunkFull { to }
        | Instr::ChunkEmpty { to }
        | Instr::OnError { to }
        | Instr::Branch { to, .. } => vec![to, pc + 1],
        _ => vec![pc + 1],
    }
}

fn written(instr: Instr) -> Vec<u8> {
    match instr {
        Instr::Read(Reg(into), _)
        | Instr::ReadSet(Reg(into), _)
        | Instr::LoadSet(Reg(into), _)
        | Instr::DeviceOfCommand(Reg(into))
        | Instr::Next {
            into: Reg(into), ..
        }
        | Instr::Clear(Reg(into)) => vec![into],
        Instr::TakeCommand { .. } => vec![COMMAND],
        _ => Vec::new(),
    }
}

fn used(instr: Instr) -> Vec<u8> {
    let operands = match instr {
        Instr::Pte {
            space, page, ipa, ..
        } => [Some(space), Some(page), ipa],
        Instr::CdWord0 {
            viommu,
            slot,
            value,
        } => {
            let asid = match value {
                Word0::Invalid => None,
                Word0::Valid(asid) | Word0::Epd(asid) => Some(asid),
            };
            [Some(viommu), Some(slot), asid]
        }
        Instr::CdWord1 { viommu, slot, ttb } => [Some(viommu), Some(slot), ttb],
        Instr::SteWord0 { device, value } => {
            let table = match value {
                SteWord0::Nested(viommu) => Some(viommu),
                SteWord0::Abort | SteWord0::S2Trans => None,
            };
            [Some(device), table, None]
        }
        Instr::SteWord1 { device, .. } => [Some(device), None, None],
        Instr::SteWord2 { device, viommu } => [Some(device), viommu, None],
        Instr::S2 { vm, ipa, .. } => [Some(vm), Some(ipa), None],
        Instr::Insert(row, value)
        | Instr::Remove(row, value)
        | Instr::Require { row, value, .. } => with_row(row, Some(value)),
        Instr::AllocAsid(of) | Instr::FreeAsid(of) | Instr::AllocVmid(of) | Instr::FreeVmid(of) => {
            [Some(of), None, None]
        }
        Instr::Read(_, what) => match what {
            ReadExpr::Asid(space) => [Some(space), None, None],
            ReadExpr::CdAsid { viommu, slot } => [Some(viommu), Some(slot), None],
            ReadExpr::One(row) | ReadExpr::Empty(row) => with_row(row, None),
            ReadExpr::Has(row, value) => with_row(row, Some(value)),
        },
        Instr::ReadSet(_, row) | Instr::Wait(row) => with_row(row, None),
        Instr::Hwq(_, command) => fields(command),
        // What a guest asks for is noted in the host's terms, which takes its vIOMMU.
        Instr::Cmdq(command) | Instr::Ask(command) => {
            let mut used = registers(fields(command));
            used.push(VIOMMU.0);
            return used;
        }
        Instr::HwqGuest { .. } | Instr::Chunk { .. } => return vec![COMMAND, VIOMMU.0],
        Instr::DeviceOfCommand(_) => return vec![COMMAND],
        Instr::LoadSet(_, FixedSet::Pages) => [None; 3],
        Instr::LoadSet(_, FixedSet::Viommus(of) | FixedSet::Slots(of)) => [Some(of), None, None],
        Instr::Next { from: Reg(reg), .. } | Instr::Branch { on: Reg(reg), .. } => {
            return vec![reg];
        }
        Instr::Lock(_)
        | Instr::Unlock(_)
        | Instr::Sync(_)
        | Instr::HwqChunk(_)
        | Instr::ChunkFull { .. }
        | Instr::ChunkEmpty { .. }
        | Instr::OnError { .. }
        | Instr::Report
        | Instr::MayFail { .. }
        | Instr::Cut { .. }
        | Instr::TakeCommand { .. }
        | Instr::Jump(_)
        | Instr::Clear(_)
        | Instr::Enter(_)
        | Instr::Answer
        | Instr::Refused
        | Instr::Return
        | Instr::Fail => [None; 3],
    };
    registers(operands)
}

fn with_row(row: Row, value: Option<Operand>) -> [Option<Operand>; 3] {
    [Some(row.key), row.viommu, value]
}

fn fields(command: CommandExpr) -> [Option<Operand>; 3] {
    let vmid = |field| match field {
        VmidField::Guest => None,
        VmidField::Of(viommu) => Some(viommu),
    };
    match command {
        CommandExpr::CfgiSte(of)
        | CommandExpr::CfgiCd(of)
        | CommandExpr::CfgiCdAll(of)
        | CommandExpr::AtcInvSsid(of)
        | CommandExpr::AtcInvAll(of) => [Some(of), None, None],
        CommandExpr::TlbiNhAll(field) | CommandExpr::TlbiS12Vmall(field) => {
            [vmid(field), None, None]
        }
        CommandExpr::TlbiNhAsid(field, of)
        | CommandExpr::TlbiNhVaa(field, of)
        | CommandExpr::TlbiS2Ipa(field, of) => [vmid(field), Some(of), None],
        CommandExpr::TlbiNhVa(field, asid, page) => [vmid(field), Some(asid), Some(page)],
        CommandExpr::TlbiNsnhAll => [None; 3],
        CommandExpr::AtcInv(of, page) | CommandExpr::AtcInvPage(of, page) => {
            [Some(of), Some(page), None]
        }
    }
}

fn registers(operands: [Option<Operand>; 3]) -> Vec<u8> {
    operands
        .into_iter()
        .flatten()
        .map(|operand| match operand {
            Operand::Reg(Reg(reg))
            | Operand::DeviceOf(Reg(reg))
            | Operand::ViommuOf(Reg(reg))
            | Operand::VmOf(Reg(reg)) => reg,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Entry, OpKind};

    /// let r4 = asid(r0); if r4: hwq TLBI_NH_ASID(r3, r4); hwq SYNC
    fn code(start: Start) -> Code {
        let asid = Operand::Reg(Reg(4));
        let vmid = VmidField::Of(Operand::Reg(VIOMMU));
        let instrs = vec![
            Instr::Read(Reg(4), ReadExpr::Asid(Operand::Reg(Reg(0)))),
            Instr::Branch { on: Reg(4), to: 3 },
            Instr::Hwq(0, CommandExpr::TlbiNhAsid(vmid, asid)),
            Instr::Sync(0),
            Instr::Return,
        ];
        let entries = vec![Entry {
            name: "unmap".to_owned(),
            start,
            pc: 0,
        }];
        Code {
            source: vec![u16::MAX; instrs.len()],
            instrs,
            entries,
            ..Code::default()
        }
    }

    fn names(live: Live) -> Vec<usize> {
        (0..REGISTERS)
            .filter(|&register| live.has(register))
            .collect()
    }

    #[test]
    fn a_register_is_live_from_its_write_to_its_last_use() {
        let live: Vec<_> = live(&code(Start::Call(Vec::new())))
            .into_iter()
            .map(names)
            .collect();
        assert_eq!(live, [vec![0, 3], vec![3, 4], vec![3, 4], vec![], vec![]]);
    }

    #[test]
    fn what_an_operation_is_about_lives_to_its_end() {
        let live = live(&code(Start::Operation(OpKind::Unmap)));
        assert_eq!(names(live[4]), [0, 1, 2]);
        assert_eq!(names(live[2]), [0, 1, 2, 3, 4]);
    }
}
