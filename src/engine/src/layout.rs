//! Structures as they lie in memory: little-endian 64-bit words with the manual's field names.
//!
//! One file a structure. Nothing here judges a value: what is ILLEGAL is decided where the structure is used
//! ([`crate::Stream::check`], [`crate::Context::check`]).

mod cd;
mod command;
mod descriptor;
mod event;
mod l1cd;
mod l1std;
mod ste;

pub use cd::{Cd, CdWord0, CdWord1, CdWord2};
pub use command::{Command, Illegal, RangeHint, Response, SyncSignal};
pub use descriptor::{Descriptor, Granule, Kind};
pub use event::{AtsRequestWord1, Class, Event, EventId, EventWord0, EventWord1, PageRequestWord1};
pub use l1cd::L1Cd;
pub use l1std::L1Std;
pub use ste::{Config, Ste, SteWord0, SteWord1, SteWord2, SteWord3};
