//! From programs to code: calls are written out in place of the call, variables get registers, refusals get somewhere to go.

mod access;
mod assembler;
mod block;
mod call;
mod command;
mod compiler;
mod entry;
mod reach;
mod scope;

pub(crate) use command::written;
pub(crate) use entry::compile;
