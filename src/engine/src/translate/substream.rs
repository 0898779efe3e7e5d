//! The SubstreamID rules: STE.{S1DSS,S1CDMax}, 7.3.7 F_STREAM_DISABLED, 7.3.9 C_BAD_SUBSTREAMID.

use crate::fault::Fault;
use crate::features::fits;
use crate::ids::SubstreamId;
use crate::mutant::{Mutant, on};
use crate::stream::{CdTable, DefaultSubstream, Stream};

/// Which way stage 1 goes.
pub(crate) enum Stage1 {
    Skip,
    Cd(u32),
}

/// Which CD a transaction's stage 1 begins with, if it has a stage 1.
#[inline]
pub(crate) fn stage1_of(ssid: Option<SubstreamId>, stream: &Stream) -> Result<Stage1, Fault> {
    let Some(cds) = &stream.cds else {
        return match ssid {
            None => Ok(Stage1::Skip),
            Some(_) => Err(Fault::BadSubstreamId),
        };
    };
    match (ssid, cds) {
        (None, CdTable { cdmax: 0, .. }) => Ok(Stage1::Cd(0)),
        (None, cds) => match cds.dss {
            DefaultSubstream::Terminate => Err(Fault::StreamDisabled),
            DefaultSubstream::Bypass => Ok(Stage1::Skip),
            DefaultSubstream::Cd0 => Ok(Stage1::Cd(0)),
        },
        (Some(_), CdTable { cdmax: 0, .. }) => Err(Fault::BadSubstreamId),
        (Some(SubstreamId(ssid)), cds)
            if !fits(u64::from(ssid), cds.cdmax) && !on(Mutant::S1cdmaxIgnored) =>
        {
            Err(Fault::BadSubstreamId)
        }
        (Some(SubstreamId(0)), cds)
            if cds.dss == DefaultSubstream::Cd0 && !on(Mutant::Ssid0NotDisabled) =>
        {
            Err(Fault::StreamDisabled)
        }
        (Some(SubstreamId(ssid)), _) => Ok(Stage1::Cd(ssid)),
    }
}
