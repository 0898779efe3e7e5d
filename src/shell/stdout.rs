//! Writing the report, so that a report that goes nowhere is noticed.
//!
//! `std::io::stdout` takes a descriptor that cannot be written to for one that swallows everything, and Rust's runtime opens the null
//! device in place of a descriptor that was closed. Whoever runs a check with stdout closed would see exit code 0 and nothing else.

use std::io::{Result, Write};

/// Writes everything, or says why not.
pub fn write(text: &str) -> Result<()> {
    let mut out = open()?;
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Stdout as a file, whose errors are all reported.
#[cfg(unix)]
fn open() -> Result<impl Write> {
    use std::os::fd::AsFd;
    let own = std::io::stdout().as_fd().try_clone_to_owned()?;
    Ok(std::fs::File::from(own))
}

#[cfg(not(unix))]
fn open() -> Result<impl Write> {
    Ok(std::io::stdout().lock())
}

/// Whether the null device stands where stdout was closed.
///
/// The runtime opens it for reading and writing, a shell's `>/dev/null` for writing only. Some parents open it for both on purpose, so
/// this is worth a remark and not an error.
#[cfg(target_os = "linux")]
pub fn replaced() -> bool {
    let null =
        std::fs::read_link("/proc/self/fd/1").is_ok_and(|path| path.as_os_str() == "/dev/null");
    let info = std::fs::read_to_string("/proc/self/fdinfo/1").unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    // O_RDWR is 2, in the last octal digit.
    null && flags.is_some_and(|flags| flags.trim().ends_with('2'))
}

/// Only Linux tells how a descriptor was opened.
#[cfg(not(target_os = "linux"))]
pub fn replaced() -> bool {
    false
}
