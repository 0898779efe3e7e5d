//! What is known of a transaction that fails, and what software chose to do about it.

use crate::access::Access;
use crate::context::Context;
use crate::fault::Fault;
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

    pub(crate) const fn stage1(context: &Context) -> Self {
        Policy {
            abort: context.abort,
            record: context.record,
            stall: context.stall,
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
    pub(crate) fn overridden_by(&mut self, stream: &Stream) {
        if let Some(privileged) = stream.privileged {
            self.access.privileged = privileged;
        }
        if let Some(instruction) = stream.instruction {
            self.access.instruction = instruction;
        }
    }
}
