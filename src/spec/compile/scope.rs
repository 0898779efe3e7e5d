//! Variables: which are alive at a step, where each is kept, and what kind of thing it names.

use model::program::{Kind, Operand, REGISTERS, Reg, VIOMMU};

use super::super::programs::ParamKind;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Holds {
    /// An id or a flag.
    Id(Operand, Kind),
    /// The taken command, which is no register's.
    Command,
    /// Something that was reported as an error; whatever is done with it is not judged.
    Unknown,
}

/// Where a variable comes from; it decides whether it may be given a new value, and whether its register is freed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Origin {
    /// The operation's vIOMMU; any other variable of the name hides it.
    Implicit,
    Param,
    Let,
    Loop,
}

#[derive(Clone, Debug)]
pub(super) struct Var {
    pub name: String,
    pub holds: Holds,
    pub origin: Origin,
}

impl Var {
    /// A parameter of an entry, which is in a register.
    pub fn entry_param(index: usize, name: &str, kind: ParamKind) -> Var {
        let holds = match kind {
            ParamKind::Id(kind) => Holds::Id(Operand::Reg(Reg(index as u8)), kind),
            ParamKind::Command => Holds::Command,
        };
        Var {
            name: name.to_owned(),
            holds,
            origin: Origin::Param,
        }
    }

    /// `viommu` in whatever runs on behalf of a guest.
    pub fn implicit_viommu() -> Var {
        let holds = Holds::Id(Operand::Reg(VIOMMU), Kind::Viommu);
        Var {
            name: "viommu".to_owned(),
            holds,
            origin: Origin::Implicit,
        }
    }

    /// The register that ends with the variable.
    pub fn own_register(&self) -> Option<Reg> {
        match (self.origin, self.holds) {
            (Origin::Let | Origin::Loop, Holds::Id(Operand::Reg(reg), _)) => Some(reg),
            _ => None,
        }
    }
}

/// A set of registers.
pub(super) type RegSet = u16;

/// Which registers are in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    pub used: RegSet,
    /// Those that were in use at some time since the caller last looked.
    pub touched: RegSet,
}

impl Registers {
    /// With an operation's parameters in the first ones.
    pub fn with_params(count: usize) -> Self {
        Registers {
            used: ((1 << count) - 1) | 1 << VIOMMU.0,
            touched: 0,
        }
    }

    pub fn take(&mut self) -> Option<Reg> {
        let free = (0..REGISTERS as u8).find(|reg| self.used >> reg & 1 == 0)?;
        self.used |= 1 << free;
        self.touched |= 1 << free;
        Some(Reg(free))
    }

    pub fn free(&mut self, reg: Reg) {
        self.used &= !(1 << reg.0);
    }
}

/// The registers of a set.
pub(super) fn each(set: RegSet) -> impl Iterator<Item = Reg> {
    (0..REGISTERS as u8)
        .filter(move |reg| set >> reg & 1 == 1)
        .map(Reg)
}
