//! What a hypervisor does between a guest's SMMU and the physical one: the nested interface of Linux's iommufd as a library, and
//! other interfaces that could take its place.
//!
//! ```text
//! guest  ── vSTE ───────► VirtualSte::validate ──► Viommu::attach ──► physical STE
//!        ── commands ──► Forwarder (the VMM) ──► Viommu::invalidate (the kernel) ──► Host (the physical queue)
//!        ── "IOPTEs under this ASID changed" ──► StrongAsid ──► Host
//! host   ── "this stage 2 changed" ──► NestParent ──► Host
//! guest  ◄── events of its devices ── VirtualEvents ◄── the physical event queue
//! ```
//!
//! Source    Linux, `drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c`, read at 056daec2925d; function names are cited where
//!           something is taken from there. VMMs: QEMU's `hw/arm/smmuv3-accel.c`, OpenVMM's batching.
//! Errors    [`Errno`], as ioctls return them: a guest's mistake ends there, and never in a panic.

mod convert;
mod errno;
mod events;
mod forward;
mod host;
mod invalidate;
mod parent;
mod slots;
mod stores;
mod strategy;
mod user_array;
mod vdevice;
mod viommu;
mod vste;

pub use errno::Errno;
pub use events::{VirtualEvent, VirtualEvents};
pub use forward::{Consumed, Forwarder, Forwarding};
pub use host::{Host, HostQueue, Issued, Stuck};
pub use invalidate::{BATCH, Contract, Invalidated, LARGEST};
pub use parent::NestParent;
pub use slots::{Slot, Slots};
pub use stores::{CdStore, SteStore};
pub use strategy::{
    Cd, Cds, Change, Counts, Done, GuestCds, Native, PerHwpt, Strategy, StrongAsid, Told,
};
pub use user_array::{DATA_ARM_SMMUV3, UserArray};
pub use vdevice::Vdevices;
pub use viommu::Viommu;
pub use vste::VirtualSte;
