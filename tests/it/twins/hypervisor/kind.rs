//! The engine's strategies by name.

use engine::StreamId;
use engine::hypervisor::{
    Contract, Forwarder, Forwarding, Native, PerHwpt, Strategy, StrongAsid, Viommu,
};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Native(Forwarding, Contract),
    StrongAsid,
    PerHwpt,
}

/// One of them.
pub enum Any {
    Native(Native),
    StrongAsid(StrongAsid),
    PerHwpt(PerHwpt),
}

impl Any {
    pub fn new(kind: Kind, viommu: &Viommu) -> Self {
        let viommu = viommu.clone();
        match kind {
            Kind::Native(forwarding, contract) => {
                Any::Native(Native::new(Forwarder::new(viommu, forwarding, contract)))
            }
            Kind::StrongAsid => Any::StrongAsid(StrongAsid::new(viommu)),
            Kind::PerHwpt => Any::PerHwpt(PerHwpt::new(viommu)),
        }
    }

    pub fn strategy(&mut self) -> &mut dyn Strategy {
        match self {
            Any::Native(native) => native,
            Any::StrongAsid(strong) => strong,
            Any::PerHwpt(per_hwpt) => per_hwpt,
        }
    }

    /// Of a stream that is attached, or no more: what a VMM must know that forwards commands.
    pub fn translates(&mut self, vsid: StreamId, translates: bool) {
        if let Any::Native(native) = self {
            native.forwarder.translates(vsid, translates);
        }
    }
}
