//! Twins: each of the engine's strategies against the spec that says the same in the model's words.
//!
//! An operation is performed alone on either side, and everything that hardware sees is compared byte for byte and in order: stores to
//! descriptors and tables, commands as they lie in the queue, CMD_SYNCs; and what it cost in exits, ioctls, commands and CMD_SYNCs. The spec's side is
//! its programs, interpreted by the model (`programs`); the twin's is the engine's hypervisor over real bytes (`hypervisor`).

mod act;
mod hypervisor;
mod mistakes;

mod operations;
mod programs;
mod status;
mod table;
mod walk;
