//! What hypervisors have that know the contexts of each ASID themselves.

use super::contexts::{Contexts, Issues, Parts};
use super::{Counted, Counts};
use crate::hypervisor::{Contract, Host, Viommu};

/// A guest's contexts, and the kernel that issues commands for them.
#[derive(Clone, Debug)]
pub(super) struct FanOut {
    pub viommu: Viommu,
    pub contexts: Contexts,
    pub counts: Counts,
}

impl FanOut {
    pub fn new(viommu: Viommu) -> Self {
        FanOut {
            viommu,
            contexts: Contexts::default(),
            counts: Counts::default(),
        }
    }

    /// The contexts, and the physical queue.
    pub fn parts<'a>(&'a mut self, host: &'a mut dyn Host) -> Parts<'a, impl Issues> {
        let (viommu, counts) = (&self.viommu, &mut self.counts);
        let perform = move |commands: &[[u64; 2]]| {
            let mut host = Counted { host, counts };
            viommu
                .invalidate(&mut host, Contract::Exact, commands)
                .result
        };
        (&mut self.contexts, perform)
    }
}
