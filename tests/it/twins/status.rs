//! Status of calls: what a caller is told when something fails, and whether it is true.
//!
//! Failures are the model's: `may fail` in the conversion of a command, CERROR_ILL, CERROR_ATC_INV_SYNC; each is tried at every place where it may
//! happen, and the twin is given the same at the same place. The correct version of a known bug is what `Contract::Exact` says, and the
//! bug, where there is one, is what `Contract::Linux` says: that the two contracts differ is exactly the bug.

mod arrays;
mod early;
mod operations;
mod uncopied;

use engine::hypervisor::{Contract, Forwarding};

use super::hypervisor::Kind;

/// OpenVMM before a kernel with this contract.
const fn native(contract: Contract) -> Kind {
    Kind::Native(Forwarding::UntilSync, contract)
}
