//! An operation with its arguments, by what they name.

use vocab::{Device, Ipa, Page, Slot, Space, Viommu, Vm};

use crate::machine::Machine;
use crate::program::{Kind, OpKind};

/// An operation in progress or about to begin.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    /// Which.
    pub kind: OpKind,
    /// On what, each stored plus one.
    pub args: [u8; 3],
}

impl Op {
    fn arg(&self, kind: Kind, nth: usize) -> Option<u8> {
        let mut places = self
            .kind
            .params()
            .iter()
            .enumerate()
            .filter(|(_, param)| **param == kind);
        places.nth(nth).map(|(place, _)| self.args[place] - 1)
    }

    pub fn slot(&self) -> Option<Slot> {
        self.arg(Kind::Slot, 0).map(Slot)
    }

    pub fn space(&self) -> Option<Space> {
        self.arg(Kind::Space, 0).map(Space)
    }

    /// The space that `replace` replaces.
    pub fn old(&self) -> Option<Space> {
        self.arg(Kind::Space, 1).map(Space)
    }

    pub fn page(&self) -> Option<Page> {
        self.arg(Kind::Page, 0).map(Page)
    }

    pub fn ipa(&self) -> Option<Ipa> {
        self.arg(Kind::Ipa, 0).map(Ipa)
    }

    pub fn vm(&self) -> Option<Vm> {
        self.arg(Kind::Vm, 0).map(Vm)
    }

    pub fn device(&self) -> Option<Device> {
        self.arg(Kind::Device, 0).map(Device)
    }

    pub fn viommu(&self) -> Option<Viommu> {
        self.arg(Kind::Viommu, 0).map(Viommu)
    }
}

/// What an operation without one of its own parameters would be: our mistake.
pub(crate) const PARAM: &str = "an operation has the parameters that OpKind::params lists";

impl Machine {
    /// Calls `with` for every tuple of arguments of these kinds, each stored plus one.
    pub(crate) fn each_args(&self, kinds: &[Kind], mut with: impl FnMut([u8; 3])) {
        let counts = [0, 1, 2].map(|place| kinds.get(place).map_or(1, |kind| self.count(*kind)));
        for a in 0..counts[0] {
            for b in 0..counts[1] {
                for c in 0..counts[2] {
                    let args = [a, b, c];
                    with([0, 1, 2].map(|place| {
                        if place < kinds.len() {
                            args[place] + 1
                        } else {
                            0
                        }
                    }));
                }
            }
        }
    }

    /// How many things of a kind there are.
    fn count(&self, kind: Kind) -> u8 {
        match kind {
            Kind::Device => self.bounds.devices,
            Kind::Slot => self.slots(),
            Kind::Space => self.bounds.spaces,
            Kind::Page => self.bounds.pages,
            Kind::Ipa => self.bounds.ipas,
            Kind::Vm => self.bounds.vms,
            Kind::Viommu => self.bounds.viommus,
            Kind::Asid => self.bounds.asids,
            Kind::Flag => 2,
        }
    }
}
