//! The engine's strategies by name.

use engine::StreamId;
use engine::hypervisor::{
    Contract, Forwarder, Forwarding, GuestCds, Native, PerHwpt, Strategy, StrongAsid, Told, Viommu,
};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Native(Forwarding, Contract),
    StrongAsid,
    PerHwpt,
    GuestCds(Told),
}

/// One of them.
pub enum Any {
    Native(Native),
    StrongAsid(StrongAsid),
    PerHwpt(PerHwpt),
    GuestCds(GuestCds),
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
            Kind::GuestCds(told) => Any::GuestCds(GuestCds::new(viommu, told)),
        }
    }

    pub fn strategy(&mut self) -> &mut dyn Strategy {
        match self {
            Any::Native(native) => native,
            Any::StrongAsid(strong) => strong,
            Any::PerHwpt(per_hwpt) => per_hwpt,
            Any::GuestCds(guest) => guest,
        }
    }

    /// A stream is attached, or no more: what those must know who forward commands, and who speak to all devices.
    pub fn attached(&mut self, vsid: StreamId, attached: bool, ats: bool) {
        match self {
            Any::Native(native) => native.forwarder.translates(vsid, attached),
            Any::GuestCds(guest) => guest.caches(vsid, attached && ats),
            Any::StrongAsid(_) | Any::PerHwpt(_) => {}
        }
    }
}
