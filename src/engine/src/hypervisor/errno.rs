//! Errors as an ioctl returns them.

use std::fmt;

/// Why a request was refused: the values of Linux's `errno` that this interface uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Errno {
    /// ENOENT: what is named does not exist.
    NoEntry = 2,
    /// EIO: the guest's STE or command is not allowed.
    Io = 5,
    /// E2BIG: an entry says something that is not known here.
    TooBig = 7,
    /// ENOMEM: no memory for the copy of the array.
    NoMemory = 12,
    /// EFAULT: the caller's memory ends before the array does.
    Fault = 14,
    /// EBUSY: something else is there.
    Busy = 16,
    /// EEXIST: the name is taken.
    Exists = 17,
    /// EINVAL: the request makes no sense.
    Invalid = 22,
    /// ENOSPC: no number is left.
    NoSpace = 28,
    /// ETIMEDOUT: the hardware did not answer.
    TimedOut = 110,
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Errno::NoEntry => "ENOENT",
            Errno::Io => "EIO",
            Errno::TooBig => "E2BIG",
            Errno::NoMemory => "ENOMEM",
            Errno::Fault => "EFAULT",
            Errno::Busy => "EBUSY",
            Errno::Exists => "EEXIST",
            Errno::Invalid => "EINVAL",
            Errno::NoSpace => "ENOSPC",
            Errno::TimedOut => "ETIMEDOUT",
        })
    }
}

impl std::error::Error for Errno {}
