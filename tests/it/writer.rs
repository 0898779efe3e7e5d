//! Linux's entry writer on real bytes: which 64-bit stores and syncs turn one live entry into another, and what a device sees meanwhile.
//!
//! The driver never lets hardware see a mixture of two configurations. Here its algorithm is written down from its description, checked
//! against the table of transitions of the driver's own unit test, and performed on the engine while a device accesses between any two
//! stores. docs/updates.md tells of the same in the abstract machine.

mod algorithm;
mod device;
mod entry;
mod kunit;
mod latched;
mod mistakes;
mod performed;
