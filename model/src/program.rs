//! Programs: what guests, VMMs, kernels and hosts do, as flat code.
//!
//! A spec file's programs are lists of steps that call each other (guest, exit, ioctl). The reader inlines the calls, so that
//! a thread needs no stack: one program counter and a few registers are its whole state.
//!
//! **What is atomic.** An instruction is *visible* if another thread, a device or a cache could notice it or change what it
//! finds. A transition is one visible instruction and the *local* instructions that follow it. Every read of shared memory is an
//! instruction of its own ([`Instr::Read`], [`Instr::ReadSet`], [`Instr::Require`]); every branch is local. So nothing can be
//! read and acted upon in one piece that real software would do in two.

use vocab::Opcode;

/// Index of an instruction.
pub type Pc = u16;

/// How many registers a thread has.
pub const REGISTERS: usize = 12;

/// The register that names the vIOMMU on whose behalf a guest's operation runs; set when the operation begins.
pub const VIOMMU: Reg = Reg(3);

/// A register of a thread. It holds 0 for none (or false), otherwise an id plus one (or true), or a bit set of ids for a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reg(pub u8);

/// Where a step finds an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// In a register.
    Reg(Reg),
    /// The device of the slot in a register.
    DeviceOf(Reg),
    /// The vIOMMU to which the space in a register belongs.
    ViommuOf(Reg),
    /// The VM to which the vIOMMU in a register belongs.
    VmOf(Reg),
}

/// The VMID field of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VmidField {
    /// What a guest writes, who does not know its VMID.
    Guest,
    /// The VMID that the host has given to a vIOMMU.
    Of(Operand),
}

/// A command whose fields are still operands. A command that names something that is none at that moment is not issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented at vocab::Command")]
pub enum CommandExpr {
    CfgiSte(Operand),
    CfgiCd(Operand),
    CfgiCdAll(Operand),
    TlbiNhAll(VmidField),
    TlbiNhAsid(VmidField, Operand),
    TlbiNhVa(VmidField, Operand, Operand),
    TlbiNhVaa(VmidField, Operand),
    TlbiS2Ipa(VmidField, Operand),
    TlbiS12Vmall(VmidField),
    TlbiNsnhAll,
    AtcInv(Operand, Operand),
    AtcInvSsid(Operand),
    AtcInvPage(Operand, Operand),
    AtcInvAll(Operand),
}

/// One row of a software table: a map from keys to sets of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Which of [`Code::tables`].
    pub table: u8,
    /// The key.
    pub key: Operand,
    /// For a table whose key is an ASID: the vIOMMU whose ASID it is. ASIDs of two vIOMMUs are different keys.
    pub viommu: Option<Operand>,
}

/// The word that holds {V, EPD0, ASID} of a context descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word0 {
    /// V=0.
    Invalid,
    /// V=1 and an ASID.
    Valid(Operand),
    /// V=1, EPD0=1 and an ASID: a TLB hit is possible, a walk is not.
    Epd(Operand),
}

/// A value that is read from shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadExpr {
    /// The ASID that the guest has given to a space, or none.
    Asid(Operand),
    /// The ASID in a context descriptor in memory if V=1, else none.
    CdAsid {
        /// Whose CD table.
        viommu: Operand,
        /// Which descriptor.
        slot: Operand,
    },
    /// The smallest value in a row, or none.
    One(Row),
    /// True if the row has no value.
    Empty(Row),
    /// True if the value is in the row.
    Has(Row, Operand),
}

/// A set that does not change during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FixedSet {
    /// Every page of a space.
    Pages,
    /// The vIOMMUs of a VM.
    Viommus(Operand),
    /// The slots of a device.
    Slots(Operand),
}

/// How a call crosses a boundary; what costs are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crossing {
    /// Guest to VMM: a trapped access.
    Exit,
    /// VMM to kernel.
    Ioctl,
    /// Guest to kernel or hypervisor.
    Hypercall,
}

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
    /// `ste(device).word0 := nested(viommu)` or `abort`: V, Config and the table pointer.
    SteWord0 {
        /// Whose stream.
        device: Operand,
        /// The vIOMMU whose CD table it points to; none aborts.
        table: Option<Operand>,
    },
    /// `ste(device).word1 := eats(1)` or `eats(0)`.
    SteWord1 {
        /// Whose stream.
        device: Operand,
        /// EATS.
        eats: bool,
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

/// What an operation means to the one who calls it; it decides when it may begin and what it promises (`ghost.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the parameters are the documentation")]
pub enum OpKind {
    /// `map(space, page, ipa)`
    Map,
    /// `unmap(space, page)`
    Unmap,
    /// `bind(slot, space)`
    Bind,
    /// `unbind(slot, space)`
    Unbind,
    /// `replace(slot, space, old)`
    Replace,
    /// `exit(space)`
    Exit,
    /// `reclaim(vm, ipa)`, by the host
    Reclaim,
    /// `lend(vm, ipa)`, by the host: the inverse of reclaim
    Lend,
    /// `attach(device, viommu)`, by the host
    Attach,
    /// `detach(device, viommu)`, by the host
    Detach,
    /// `destroy(viommu)`, by the host
    Destroy,
}

impl OpKind {
    /// All of them; guests' operations first.
    pub const ALL: [OpKind; 11] = [
        OpKind::Map,
        OpKind::Unmap,
        OpKind::Bind,
        OpKind::Unbind,
        OpKind::Replace,
        OpKind::Exit,
        OpKind::Reclaim,
        OpKind::Lend,
        OpKind::Attach,
        OpKind::Detach,
        OpKind::Destroy,
    ];

    /// The name in spec files.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Map => "map",
            OpKind::Unmap => "unmap",
            OpKind::Bind => "bind",
            OpKind::Unbind => "unbind",
            OpKind::Replace => "replace",
            OpKind::Exit => "exit",
            OpKind::Reclaim => "reclaim",
            OpKind::Lend => "lend",
            OpKind::Attach => "attach",
            OpKind::Detach => "detach",
            OpKind::Destroy => "destroy",
        }
    }

    /// Whether guests perform it; otherwise the host does.
    pub const fn is_guests(self) -> bool {
        (self as u8) < (OpKind::Reclaim as u8)
    }

    /// What it is about. Parameter `i` is in register `i` when the operation begins.
    pub const fn params(self) -> &'static [Kind] {
        match self {
            OpKind::Map => &[Kind::Space, Kind::Page, Kind::Ipa],
            OpKind::Unmap => &[Kind::Space, Kind::Page],
            OpKind::Bind | OpKind::Unbind => &[Kind::Slot, Kind::Space],
            OpKind::Replace => &[Kind::Slot, Kind::Space, Kind::Space],
            OpKind::Exit => &[Kind::Space],
            OpKind::Reclaim | OpKind::Lend => &[Kind::Vm, Kind::Ipa],
            OpKind::Attach | OpKind::Detach => &[Kind::Device, Kind::Viommu],
            OpKind::Destroy => &[Kind::Viommu],
        }
    }

    /// The names of the parameters, as programs use them.
    pub const fn param_names(self) -> &'static [&'static str] {
        match self {
            OpKind::Map => &["space", "page", "ipa"],
            OpKind::Unmap => &["space", "page"],
            OpKind::Bind | OpKind::Unbind => &["slot", "space"],
            OpKind::Replace => &["slot", "space", "old"],
            OpKind::Exit => &["space"],
            OpKind::Reclaim | OpKind::Lend => &["vm", "ipa"],
            OpKind::Attach | OpKind::Detach => &["device", "viommu"],
            OpKind::Destroy => &["viommu"],
        }
    }
}

/// What kind of thing a variable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the ids are documented in vocab")]
pub enum Kind {
    Device,
    Slot,
    Space,
    Page,
    Ipa,
    Vm,
    Viommu,
    Asid,
    /// True or false.
    Flag,
}

/// Where a thread begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// An operation, which a thread that follows its programs may begin.
    Operation(OpKind),
    /// A call that a hostile guest makes with any arguments; argument `i` is in register `i`.
    Call(Vec<Kind>),
    /// A hostile guest rings the doorbell with any one command in its queue.
    Doorbell,
}

/// A place at which a thread begins.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `map`, `kernel.bind`, …
    pub name: String,
    /// What kind of beginning.
    pub start: Start,
    /// The first instruction.
    pub pc: Pc,
}

/// Who performs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the variants are the sections of a spec file")]
pub enum Section {
    Guest,
    Vmm,
    Kernel,
    Host,
}

impl Section {
    /// All of them.
    pub const ALL: [Section; 4] = [Section::Guest, Section::Vmm, Section::Kernel, Section::Host];

    /// The section's name in spec files.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Guest => "guest",
            Section::Vmm => "vmm",
            Section::Kernel => "kernel",
            Section::Host => "host",
        }
    }
}

/// A step as its author wrote it; what traces and the list of unexecuted steps speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStep {
    /// Who performs it.
    pub section: Section,
    /// The program's name within the section.
    pub program: String,
    /// The line of the spec file, counted from 1.
    pub line: u32,
    /// The file the line is in.
    pub file: String,
    /// The text of the step.
    pub text: String,
}

/// What a table holds when a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableStart {
    /// Nothing.
    Empty,
    /// Every device under the vIOMMU to which it is attached, for tables from vIOMMU to device; every vIOMMU that has a device under
    /// its VM, for tables from VM to vIOMMU.
    Attached,
}

/// A software table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is looked up by.
    pub key: Kind,
    /// What its rows hold.
    pub value: Kind,
    /// What it holds when a run begins.
    pub start: TableStart,
}

/// A variable that a program text names, for traces: which register holds what kind of thing at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its name in the text of the step.
    pub name: String,
    /// Where its value is.
    pub operand: Operand,
    /// What it names.
    pub kind: Kind,
}

/// Everything that threads may execute.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The instructions.
    pub instrs: Vec<Instr>,
    /// For each instruction the step it was made from, an index into `steps`; `u16::MAX` where it stands for none.
    pub source: Vec<u16>,
    /// For each instruction the variables that its step's text names.
    pub bindings: Vec<Vec<Binding>>,
    /// The steps of all programs of the spec that some entry can reach, in the order of sections and lines.
    pub steps: Vec<SourceStep>,
    /// Where threads begin.
    pub entries: Vec<Entry>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The locks by name, and whether each VM has one of its own.
    pub locks: Vec<(String, bool)>,
    /// The guest commands that `fixup` accepts.
    pub accepts: Vec<Opcode>,
}

impl Code {
    /// The visible instructions that can be the first one behind `pc`, whatever the registers hold.
    pub(crate) fn first_visible(&self, pc: Pc) -> Vec<Instr> {
        let mut seen = vec![false; self.instrs.len()];
        let mut todo = vec![pc];
        let mut found = Vec::new();
        while let Some(pc) = todo.pop() {
            if std::mem::replace(&mut seen[pc as usize], true) {
                continue;
            }
            let instr = self.instrs[pc as usize];
            if instr.is_visible() {
                found.push(instr);
                continue;
            }
            match instr {
                Instr::Return | Instr::Fail => {}
                Instr::Jump(to) => todo.push(to),
                Instr::Cut { to, .. }
                | Instr::TakeCommand { to }
                | Instr::Next { to, .. }
                | Instr::ChunkFull { to }
                | Instr::ChunkEmpty { to }
                | Instr::OnError { to }
                | Instr::Branch { to, .. } => todo.extend([to, pc + 1]),
                _ => todo.push(pc + 1),
            }
        }
        found
    }

    /// The source step of an instruction.
    pub fn step_of(&self, pc: Pc) -> Option<usize> {
        match self.source.get(pc as usize) {
            None | Some(&u16::MAX) => None,
            Some(&step) => Some(step as usize),
        }
    }
}
