//! A VMM between a guest's command queue and the kernel.

use std::collections::BTreeSet;

use super::convert::{op, opcode, stream};
use super::{Contract, Errno, Host, Viommu};
use crate::ids::StreamId;

/// How many commands a VMM hands over at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// One call for each, as QEMU does.
    EachCommand,
    /// All up to the guest's next CMD_SYNC, or to any other command that is not forwarded, as OpenVMM does. The kernel puts no CMD_SYNC
    /// between a TLBI and an ATC_INV of one array, so the guest's own has to end it.
    UntilSync,
}

/// How far a guest's queue was consumed. `cons` counts commands from the first that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// All of it.
    All,
    /// Up to a command that is about STEs (CFGI_STE, CFGI_STE_RANGE, CFGI_ALL): read them again, attach, and go on behind it.
    Configuration {
        /// Where it is.
        cons: usize,
    },
    /// Up to a command that the kernel refused: CERROR_ILL for the guest.
    Refused {
        /// Where the guest is told that the error is.
        cons: usize,
        /// Why.
        errno: Errno,
    },
}

/// The part of a VMM that consumes a guest's commands.
#[derive(Clone, Debug)]
pub struct Forwarder {
    /// What it hands them to.
    pub viommu: Viommu,
    forwarding: Forwarding,
    contract: Contract,
    translating: BTreeSet<StreamId>,
    ioctls: u64,
}

impl Forwarder {
    /// A VMM in front of `viommu`, which has no stream that translates yet.
    pub fn new(viommu: Viommu, forwarding: Forwarding, contract: Contract) -> Self {
        Forwarder {
            viommu,
            forwarding,
            contract,
            translating: BTreeSet::new(),
            ioctls: 0,
        }
    }

    /// A stream was attached to an STE that translates, or to one that does not.
    ///
    /// Commands about contexts of a stream that does not translate are dropped: drivers write the CD before the STE, when there is no
    /// vDEVICE yet that the kernel would accept. That is safe since attaching invalidates the STE, and with it its CDs.
    pub fn translates(&mut self, vsid: StreamId, translates: bool) {
        if translates {
            self.translating.insert(vsid);
        } else {
            self.translating.remove(&vsid);
        }
    }

    /// Calls into the kernel so far.
    pub const fn ioctls(&self) -> u64 {
        self.ioctls
    }

    /// Consumes what the guest has written. When this returns, every CMD_SYNC before `cons` has completed.
    pub fn consume(&mut self, host: &mut dyn Host, commands: &[[u64; 2]]) -> Consumed {
        // Commands that wait to be handed over, and where in the queue each is.
        let mut batch = Vec::new();
        let mut places = Vec::new();
        for (place, &command) in commands.iter().enumerate() {
            let local = matches!(
                opcode(command),
                op::SYNC
                    | op::PREFETCH_CONFIG
                    | op::PREFETCH_ADDR
                    | op::CFGI_STE
                    | op::CFGI_STE_RANGE
            );
            if local {
                if let Some(refused) = self.flush(host, &mut batch, &mut places) {
                    return refused;
                }
                if matches!(opcode(command), op::CFGI_STE | op::CFGI_STE_RANGE) {
                    return Consumed::Configuration { cons: place };
                }
                continue;
            }
            if self.is_premature(command) {
                continue;
            }
            batch.push(command);
            places.push(place);
            if self.forwarding == Forwarding::EachCommand
                && let Some(refused) = self.flush(host, &mut batch, &mut places)
            {
                return refused;
            }
        }
        self.flush(host, &mut batch, &mut places)
            .unwrap_or(Consumed::All)
    }

    fn is_premature(&self, command: [u64; 2]) -> bool {
        matches!(opcode(command), op::CFGI_CD | op::CFGI_CD_ALL | op::ATC_INV)
            && !self.translating.contains(&stream(command))
    }

    /// Hands the batch over; `Some` if the kernel refused something.
    fn flush(
        &mut self,
        host: &mut dyn Host,
        batch: &mut Vec<[u64; 2]>,
        places: &mut Vec<usize>,
    ) -> Option<Consumed> {
        if batch.is_empty() {
            return None;
        }
        self.ioctls += 1;
        let invalidated = self.viommu.invalidate(host, self.contract, batch);
        let refused = invalidated.result.err().map(|errno| {
            // A count that leaves nothing to be wrong says nothing: all of it is done again, which does no harm.
            let place = places.get(invalidated.entry_num).unwrap_or(&places[0]);
            Consumed::Refused {
                cons: *place,
                errno,
            }
        });
        batch.clear();
        places.clear();
        refused
    }
}
