//! Instructions, and which of them others could notice.

use super::{CommandExpr, Crossing, FixedSet, Operand, Pc, ReadExpr, Reg, Row, SteWord0, Word0};

/// One instruction. `to` is where to go on when it is refused, fails, or finds nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instr {
    // ---- visible: memory that the SMMU reads ----
    /// `pte(space, page) := ipa`, `global(ipa)` or `none`.
    Pte {
        /// The address space.
        space: Operand,
        /// The page of input addresses.
        page: Operand,
        /// What it maps to, or none.
        ipa: Option<Operand>,
        /// nG=0: for every ASID of the VMID.
        global: bool,
    },
    /// `cd(slot).word0 := …`: one 64-bit store.
    CdWord0 {
        /// Whose CD table.
        viommu: Operand,
        /// Which descriptor.
        slot: Operand,
        /// The new word.
        value: Word0,
    },
    /// `cd(slot).word1 := ttb(space)` or `none`: one 64-bit store.
    CdWord1 {
        /// Whose CD table.
        viommu: Operand,
        /// Which descriptor.
        slot: Operand,
        /// The space whose tables it points to, or none.
        ttb: Option<Operand>,
    },
    /// `ste(device).word0 := nested(viommu)`, `s2_trans` or `abort`: V, Config and the table pointer.
    SteWord0 {
        /// Whose stream.
        device: Operand,
        /// The new word.
        value: SteWord0,
    },
    /// `ste(device).word1 := eats(1)` or `eats(0)`, with `s1dss(bypass)` or without.
    SteWord1 {
        /// Whose stream.
        device: Operand,
        /// EATS.
        eats: bool,
        /// S1DSS=0b01: traffic without SubstreamID bypasses stage 1.
        bypass: bool,
    },
    /// `ste(device).word2 := vmid(viommu)` or `none`: S2VMID, and with it the stage 2 of that vIOMMU's VM.
    SteWord2 {
        /// Whose stream.
        device: Operand,
        /// Whose VMID and stage 2.
        viommu: Option<Operand>,
    },
    /// `s2(vm, ipa) := frame` or `none`.
    S2 {
        /// Whose stage 2.
        vm: Operand,
        /// Which page.
        ipa: Operand,
        /// Mapped to the VM's own frame, or not at all.
        present: bool,
    },

    // ---- visible: memory that only software reads ----
    /// `insert table(key, value)`.
    Insert(Row, Operand),
    /// `remove table(key, value)`.
    Remove(Row, Operand),
    /// `alloc asid(space)`: any free ASID of the vIOMMU; does nothing if the space has one or none is free.
    AllocAsid(Operand),
    /// `free asid(space)`.
    FreeAsid(Operand),
    /// `alloc vmid(viommu)`: any free VMID; does nothing if the vIOMMU has one or none is free.
    AllocVmid(Operand),
    /// `free vmid(viommu)`.
    FreeVmid(Operand),
    /// `let into = …`.
    Read(Reg, ReadExpr),
    /// `for … in table(key)`: reads the whole row at once; the loop then goes over what was read.
    ReadSet(Reg, Row),
    /// `require value in table(key)`.
    Require {
        /// The row.
        row: Row,
        /// What must be in it.
        value: Operand,
        /// Where a refusal goes.
        to: Pc,
    },
    /// `wait until table(key) is empty`: blocks until then.
    Wait(Row),
    /// `lock name`: blocks while it is held.
    Lock(u8),
    /// `unlock name`.
    Unlock(u8),

    // ---- visible: hardware queues ----
    /// `hwq COMMAND`, `vcmdq COMMAND`.
    Hwq(u8, CommandExpr),
    /// `hwq command`, `hwq fixup(command)`: the guest's command that [`Instr::TakeCommand`] took.
    HwqGuest {
        /// The hardware queue.
        queue: u8,
        /// Whether the kernel puts in the VMID, looks the virtual StreamID up and refuses what is not on [`Code::accepts`].
        fixup: bool,
        /// Where a refusal goes.
        to: Pc,
    },
    /// `chunk fixup(command)`: the taken command is converted like [`Instr::HwqGuest`] would, and kept until `hwq chunk`.
    Chunk {
        /// Where a refusal goes.
        to: Pc,
    },
    /// Part of `hwq chunk`, once for each command: issues the oldest converted one.
    HwqChunk(u8),
    /// `hwq SYNC`: waits until every command of that queue issued before it has taken effect.
    Sync(u8),

    // ---- visible: choice ----
    /// `may fail`: goes on, or fails.
    MayFail {
        /// Where a failure goes.
        to: Pc,
    },

    // ---- local ----
    /// `cmdq COMMAND`: appends to the guest's command queue; nobody reads it before the guest writes CMDQ_PROD.
    Cmdq(CommandExpr),
    /// Part of `cmdq SYNC`: the VMM forwards only at every `every`-th SYNC of a queue; at others it goes on at `to`.
    Cut {
        /// 1 forwards at each SYNC.
        every: u8,
        /// Behind the doorbell program.
        to: Pc,
    },
    /// `for command in queue`: takes the oldest command off the guest's queue.
    TakeCommand {
        /// Where to go on when the queue is empty.
        to: Pc,
    },
    /// `for … in` a fixed set.
    LoadSet(Reg, FixedSet),
    /// Takes the smallest id out of the set in `from`.
    Next {
        /// The loop's set.
        from: Reg,
        /// The loop's variable.
        into: Reg,
        /// Where to go on when the set is empty.
        to: Pc,
    },
    /// `if chunk is full`: goes on at `to` if there is room for another command.
    ChunkFull {
        /// Where to go on if it is not full.
        to: Pc,
    },
    /// Part of `hwq chunk`: goes on at `to` if there is nothing left to issue.
    ChunkEmpty {
        /// Behind the step.
        to: Pc,
    },
    /// `let variable = device(command)`: the device that the taken command names, or none.
    DeviceOfCommand(Reg),
    /// `on error`: goes on at `to` unless the hardware has reported an error for the step before.
    OnError {
        /// Behind the block.
        to: Pc,
    },
    /// `report`: what was converted so far is reported as handled (`entry_num` of struct iommu_hwpt_invalidate).
    Report,
    /// `if variable`: goes on at `to` if the register holds none or false.
    Branch {
        /// The variable.
        on: Reg,
        /// Where to go on if it is none or false.
        to: Pc,
    },
    /// Goes on elsewhere.
    Jump(Pc),
    /// A variable goes out of scope; what it held must not tell states apart.
    Clear(Reg),
    /// A call crosses a boundary.
    Enter(Crossing),
    /// What a guest's call asks to be invalidated (a `cmdq` step asks for itself).
    Ask(CommandExpr),
    /// A guest's request was answered with success; all that was asked for must have been issued by now.
    Answer,
    /// A guest's request was refused; nothing is promised, and what is left in its queue is dropped.
    Refused,
    /// The operation ends with success.
    Return,
    /// The operation ends with an error.
    Fail,
}

impl Instr {
    /// Whether others could notice it: see the module's first lines.
    pub const fn is_visible(&self) -> bool {
        !matches!(
            self,
            Instr::Cmdq(..)
                | Instr::Cut { .. }
                | Instr::TakeCommand { .. }
                | Instr::LoadSet(..)
                | Instr::Next { .. }
                | Instr::ChunkFull { .. }
                | Instr::ChunkEmpty { .. }
                | Instr::DeviceOfCommand(..)
                | Instr::OnError { .. }
                | Instr::Report
                | Instr::Branch { .. }
                | Instr::Jump(..)
                | Instr::Clear(..)
                | Instr::Enter(..)
                | Instr::Ask(..)
                | Instr::Answer
                | Instr::Refused
                | Instr::Return
                | Instr::Fail
        )
    }
}
