//! The language of programs: lines of text in, steps with places out. Names mean nothing here yet; src/spec/compile/ resolves them.

pub(crate) mod ast;
mod block;
mod cursor;
pub(crate) mod forms;
mod lexer;
mod step;

pub(crate) use block::parse;
pub(crate) use cursor::command_list;
