//! From programs to code: calls are written out in place of the call, variables get registers, refusals get somewhere to go.

mod access;
mod assembler;
mod block;
mod call;
mod command;
mod compiler;
mod entry;
mod flow;
mod hardware;
mod names;
mod reach;
mod scope;
#[cfg(test)]
mod tests;
mod variables;

pub(crate) use command::written;
pub(crate) use entry::compile;
pub(crate) use reach::reached;
