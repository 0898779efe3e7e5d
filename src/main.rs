//! The command line.

use std::process::ExitCode;

use clap::Parser;
use nestcheck::{args::Args, shell};

fn main() -> ExitCode {
    shell::run(&Args::parse()).into()
}
