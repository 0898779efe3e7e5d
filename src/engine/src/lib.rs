#![doc = include_str!("../README.md")]

mod access;
mod atc;
mod ats;
mod broadcast;
pub mod cache;
mod command_queue;
mod context;
mod control;
mod endpoints;
mod event_queue;
mod fault;
mod features;
mod gerror;
pub mod hypervisor;
mod ids;
#[cfg(feature = "iommu")]
mod iommu;
pub mod layout;
mod legal;
mod memory;
#[cfg(not(feature = "mutants"))]
mod mutant;
#[cfg(feature = "mutants")]
pub mod mutant;
mod queue;
mod registers;
mod smmu;
mod stall;
mod stream;
mod sync;
mod tables;
mod tbu;
mod translate;
mod upstream;
mod walk;

pub use access::{Access, AddressType, Outcome, Refusal, Rights, Transaction, Translation};
pub use atc::{Atc, AtcMiss};
pub use ats::AtsReply;
pub use broadcast::{Broadcast, Full, Message, Reader};
pub use command_queue::{CommandError, CommandQueue, Stopped};
pub use context::{Context, Inherited, Region};
pub use endpoints::{AtcInvalidation, Endpoints, TimedOut};
pub use event_queue::EventQueue;
pub use fault::{Fault, Origin, TranslationFault};
pub use features::{Features, StallModel};
pub use gerror::{Gerror, GlobalError};
pub use ids::{Asid, Iova, Ipa, Pa, Stag, StreamId, SubstreamId, Vmid};
#[cfg(feature = "iommu")]
pub use iommu::{Guard, StreamIommu};
pub use memory::ExternalAbort;
pub use registers::{Registers, StreamTableFormat};
pub use smmu::Smmu;
pub use stream::{Ats, CdTable, CdTableFormat, DefaultSubstream, Stage2, Stream};
pub use tables::Tables;
pub use tbu::{Burst, Tbu};
