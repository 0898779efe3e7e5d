//! What is known of a transaction that fails, and what software chose to do about it.

use crate::access::{Access, Transaction};
use crate::context::Context;
use crate::fault::{Fault, Origin};
use crate::mutant::{Mutant, on};
use crate::stream::{Stage2, Stream};

/// How a fault is handled: CD.{A,R,S}, or STE.{S2R,S2S} with an implied A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) abort: bool,
    pub(crate) record: bool,
    pub(crate) stall: bool,
}

impl Policy {
    pub(crate) const ABORT_AND_RECORD: Policy = Policy {
        abort: true,
        record: true,
        stall: false,
    };

    const fn stage1(context: &Context) -> Self {
        Policy {
            abort: context.abort,
            record: context.record,
            stall: context.stall,
        }
    }

    /// CD's for stage 1's faults, STE's for stage 2's.
    pub(crate) fn both(fault: &Fault, context: &Context, stream: &Stream) -> Self {
        match (fault, &stream.stage2) {
            _ if on(Mutant::Stage2PolicyOfCd) => Policy::stage1(context),
            (Fault::Translation(_, Origin::Stage2 { .. }), Some(stage2)) => Policy::stage2(stage2),
            _ => Policy::stage1(context),
        }
    }

    pub(crate) const fn stage2(stage2: &Stage2) -> Self {
        Policy {
            abort: true,
            record: stage2.record,
            stall: stage2.stall,
        }
    }
}

/// A refused transaction, before anyone has been told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) policy: Policy,
    /// After STE.{PRIVCFG,INSTCFG}.
    pub(crate) access: Access,
}

/// What is known of a transaction while it is being translated, in case it fails.
pub(crate) struct Failing {
    pub(crate) policy: Policy,
    pub(crate) access: Access,
}

impl Failing {
    pub(crate) const fn new(transaction: &Transaction) -> Self {
        Failing {
            policy: Policy::ABORT_AND_RECORD,
            access: transaction.access,
        }
    }

    pub(crate) const fn with(self, fault: Fault) -> Failure {
        Failure {
            fault,
            policy: self.policy,
            access: self.access,
        }
    }
}
