//! The glossary: every noun that the specification, the engine, the spec files and the reports share.
//!
//! Nothing here decides anything about hardware. A function with an `if` about an SMMU belongs elsewhere.

mod axis;
mod command;
mod id;
mod property;

pub use axis::{Devices, Threat};
pub use command::{Command, Opcode};
pub use id::{Asid, Device, Frame, Ipa, Page, Slot, Space, Ssid, Viommu, Vm, Vmid};
pub use property::{PropertyId, Verdict};
