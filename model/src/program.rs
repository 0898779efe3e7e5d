//! Programs: what guests, VMMs, kernels and hosts do, as flat code.
//!
//! A spec file's programs are lists of steps that call each other (guest, exit, ioctl). The reader inlines the calls, so that
//! a thread needs no stack: one program counter and a few registers are its whole state.
//!
//! **What is atomic.** An instruction is *visible* if another thread, a device or a cache could notice it or change what it
//! finds. A transition is one visible instruction and the *local* instructions that follow it. Every read of shared memory is an
//! instruction of its own ([`Instr::Read`], [`Instr::ReadSet`], [`Instr::Require`]); every branch is local. So nothing can be
//! read and acted upon in one piece that real software would do in two.

mod code;
mod instr;
mod operation;

pub use code::{Binding, Code, Entry, Section, SourceStep, Start, Table, TableStart};
pub use instr::Instr;
pub use operation::{Kind, OpKind};

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

/// The word that holds {V, Config, S1ContextPtr} of a stream table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SteWord0 {
    /// V=0, or Config=abort.
    Abort,
    /// Config=nested, and the CD table of a vIOMMU; aborts if that is none.
    Nested(Operand),
    /// Config=0b110: stage 1 is bypassed, stage 2 translates.
    S2Trans,
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
