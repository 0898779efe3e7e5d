//! The devices, as far as commands speak to them: ATS invalidation requests.

use crate::ids::{Iova, StreamId, SubstreamId};

/// The device did not answer an invalidation in time: Arm IHI 0070, 3.9.1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// An ATS invalidation request, as CMD_ATC_INV makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtcInvalidation {
    /// Which function.
    pub sid: StreamId,
    /// Which PASID.
    pub ssid: Option<SubstreamId>,
    /// Global invalidate.
    pub global: bool,
    /// First address, aligned to the span.
    pub address: Iova,
    /// Log2 of the span's bytes: 12 to 64, where 64 means everything.
    pub span_bits: u8,
}

/// The devices, as far as commands speak to them.
pub trait Endpoints {
    /// Has a device forget translations. A device that does not exist answers at once (UR).
    ///
    /// # Errors
    /// [`TimedOut`] fails the next CMD_SYNC.
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut>;
}

/// No device caches translations.
impl Endpoints for () {
    fn atc_invalidate(&self, _: &AtcInvalidation) -> Result<(), TimedOut> {
        Ok(())
    }
}
