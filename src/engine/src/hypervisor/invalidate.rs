//! Batches of a guest's commands: `IOMMU_HWPT_INVALIDATE` on a virtual SMMU, `arm_vsmmu_cache_invalidate`.

use super::convert::{op, opcode};
use super::{Errno, Host, Issued, Stuck, Viommu};

/// Commands that are issued with one CMD_SYNC: `CMDQ_BATCH_ENTRIES` - 1.
pub const BATCH: usize = 63;

/// The longest array that Linux can copy: 4 MiB, the largest that `kcalloc` gives with 4 KiB pages.
pub const LARGEST: usize = (4 << 20) / 16;

/// What `entry_num` means when something fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// As Linux has it: when a command is refused, those before it count as handled although those of the unfinished batch were never
    /// issued; when a batch gets stuck, all of it but one counts; without memory, everything does; illegal commands and devices that do
    /// not answer are not reported at all; an empty array is refused.
    Linux,
    /// As `iommufd.h` documents it: `entry_num` commands were performed, and their completion was waited for. An empty array asks
    /// whether the data type is known, and succeeds.
    Exact,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidated {
    /// What the ioctl returns.
    pub result: Result<(), Errno>,
    /// What it writes back to `entry_num`: how many commands, from the first, count as handled.
    pub entry_num: usize,
}

/// A batch that failed, and how many of it count as handled.
struct Failed {
    errno: Errno,
    handled: usize,
}

impl Viommu {
    /// Converts a guest's commands and issues them, [`BATCH`] at a time with one CMD_SYNC each. Nothing is between two commands of one
    /// batch: a guest's own CMD_SYNC must not be taken out of an array, but end it.
    pub fn invalidate(
        &self,
        host: &mut dyn Host,
        contract: Contract,
        entries: &[[u64; 2]],
    ) -> Invalidated {
        let ended = |result, entry_num| Invalidated { result, entry_num };
        let refused = |errno: Errno, entry_num| ended(Err(errno), entry_num);
        match (contract, entries.len()) {
            (Contract::Linux, 0) => return refused(Errno::Invalid, 0),
            (Contract::Linux, len) if len > LARGEST => return refused(Errno::NoMemory, len),
            (Contract::Exact, len) if len > LARGEST => return refused(Errno::NoMemory, 0),
            _ => {}
        }
        // The whole array is copied first: what the guest changes from now on is not looked at.
        let mut commands = entries.to_vec();
        let mut last = 0;
        for current in 0..commands.len() {
            match self.convert(commands[current]) {
                Ok(converted) => commands[current] = converted,
                Err(errno) => {
                    if contract == Contract::Exact
                        && let Err(failed) = issue(host, contract, &commands[last..current])
                    {
                        return refused(failed.errno, last + failed.handled);
                    }
                    return refused(errno, current);
                }
            }
            let next = current + 1;
            if next != commands.len() && next - last != BATCH {
                continue;
            }
            if let Err(failed) = issue(host, contract, &commands[last..next]) {
                return refused(failed.errno, last + failed.handled);
            }
            last = next;
        }
        ended(Ok(()), commands.len())
    }
}

fn issue(host: &mut dyn Host, contract: Contract, commands: &[[u64; 2]]) -> Result<(), Failed> {
    if commands.is_empty() {
        return Ok(());
    }
    match (contract, host.issue(commands)) {
        (Contract::Linux, Ok(_)) => Ok(()),
        (Contract::Linux, Err(Stuck)) => Err(Failed {
            errno: Errno::TimedOut,
            handled: commands.len() - 1,
        }),
        (Contract::Exact, Ok(issued)) => performed(issued, commands),
        (Contract::Exact, Err(Stuck)) => Err(Failed {
            errno: Errno::TimedOut,
            handled: 0,
        }),
    }
}

/// What the hardware refused is an error at the first command that it may be about.
fn performed(issued: Issued, commands: &[[u64; 2]]) -> Result<(), Failed> {
    let rejected = issued.rejected.map(|handled| Failed {
        errno: Errno::Io,
        handled,
    });
    let unanswered = issued.unanswered.then(|| Failed {
        errno: Errno::TimedOut,
        // None here: it was of an earlier batch that got stuck, so that nothing is known of this one either.
        handled: commands
            .iter()
            .position(|&command| opcode(command) == op::ATC_INV)
            .unwrap_or(0),
    });
    match rejected
        .into_iter()
        .chain(unanswered)
        .min_by_key(|failed| failed.handled)
    {
        Some(failed) => Err(failed),
        None => Ok(()),
    }
}
