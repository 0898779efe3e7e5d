//! Commands: Arm IHI 0070, chapter 4. 16 bytes.
//!
//! [`Command::decode`] says what two words mean, or that they are ILLEGAL; [`Command::encode`] is for software and tests.
//! What depends on the implementation's features (say, ATC_INV without ATS) is judged where commands are consumed.

mod display;
mod words;

use super::Granule;
use crate::ids::{Asid, Iova, Ipa, Stag, StreamId, SubstreamId, Vmid};
use crate::mutant::{Mutant, on};

/// A command that cannot be consumed: CERROR_ILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal;

/// The fields of invalidations by address that widen or narrow them: Arm IHI 0070, 4.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RangeHint {
    /// TG: 0 for a single address without hints.
    pub tg: u8,
    /// TTL: level of the leaf descriptors, 0 for any.
    pub ttl: u8,
    /// NUM.
    pub num: u8,
    /// SCALE.
    pub scale: u8,
}

impl RangeHint {
    /// TG with NUM, SCALE and TTL all 0 is a single page without a level, which software writes with TG = 0. TTL = 1 with the 16 KiB
    /// granule counts as 0. CERROR_ILL where range invalidation is implemented: 4.4.1.1 "Range-based invalidation and level hint".
    pub(crate) const fn is_reserved(self) -> bool {
        let no_level = self.ttl == 0 || (self.tg == 2 && self.ttl == 1);
        self.tg != 0 && no_level && self.num == 0 && self.scale == 0
    }

    /// Bytes from the command's address on that are invalidated, saturated: (NUM+1) * 2^SCALE * granule.
    /// `None` for a single address, which hits whatever entry covers it.
    pub fn bytes(self) -> Option<u64> {
        let granule = if on(Mutant::B60TgDecoded) {
            Granule::from_tg0(self.tg)?
        } else {
            Granule::from_tlbi_tg(self.tg)?
        };
        let pages = (u128::from(self.num) + 1) << self.scale;
        Some(u64::try_from(pages << granule.page_bits()).unwrap_or(u64::MAX))
    }
}

/// What CMD_SYNC does when it completes: CS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncSignal {
    /// Nothing; software polls CONS.
    None,
    /// The wired interrupt; and unless the address is 0, an MSI write of `data` to `address`.
    Irq {
        /// MSIAddress.
        address: u64,
        /// MSIData.
        data: u32,
    },
    /// An event for processors in WFE.
    Sev,
}

/// How a stalled transaction is to go on: Ac and Ab of CMD_RESUME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// It is translated again as if it had just arrived.
    Retry,
    /// The device gets an abort.
    Abort,
    /// Reads return zero and writes are ignored.
    RazWi,
}

/// A command by the manual's name, without `CMD_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A hint; nothing happens.
    PrefetchConfig {
        /// Whose configuration.
        sid: StreamId,
        /// Which of its contexts.
        ssid: Option<SubstreamId>,
    },
    /// A hint; nothing happens.
    PrefetchAddr {
        /// Whose translations.
        sid: StreamId,
        /// Which of its contexts.
        ssid: Option<SubstreamId>,
    },
    /// Forget an STE and the CDs reached through it; unless `leaf`, the L1STD too.
    CfgiSte {
        /// Which entry.
        sid: StreamId,
        /// Spare the L1STD.
        leaf: bool,
    },
    /// Forget 2^(range+1) STEs, aligned; range 31 is CMD_CFGI_ALL.
    CfgiSteRange {
        /// An entry of the range.
        sid: StreamId,
        /// Log2 of the number of entries, minus 1.
        range: u8,
    },
    /// Forget a CD; unless `leaf`, the L1CD too.
    CfgiCd {
        /// Reached through which entry.
        sid: StreamId,
        /// Its index.
        ssid: SubstreamId,
        /// Spare the L1CD.
        leaf: bool,
    },
    /// Forget all CDs and L1CDs of a stream.
    CfgiCdAll {
        /// Reached through which entry.
        sid: StreamId,
    },
    /// Forget a VMID's stage-1 and combined entries, global ones included.
    TlbiNhAll {
        /// Whose.
        vmid: Vmid,
    },
    /// Forget the non-global entries of an ASID.
    TlbiNhAsid {
        /// Of which machine.
        vmid: Vmid,
        /// Whose.
        asid: Asid,
    },
    /// Forget addresses of an ASID, and of global entries.
    TlbiNhVa {
        /// Of which machine.
        vmid: Vmid,
        /// Whose.
        asid: Asid,
        /// From which address on.
        address: Iova,
        /// Spare cached table descriptors.
        leaf: bool,
        /// How far.
        hint: RangeHint,
    },
    /// Forget addresses of every ASID, and of global entries.
    TlbiNhVaa {
        /// Of which machine.
        vmid: Vmid,
        /// From which address on.
        address: Iova,
        /// Spare cached table descriptors.
        leaf: bool,
        /// How far.
        hint: RangeHint,
    },
    /// Forget everything of a VMID.
    TlbiS12Vmall {
        /// Whose.
        vmid: Vmid,
    },
    /// Forget stage-2 entries; combined entries may stay.
    TlbiS2Ipa {
        /// Of which machine.
        vmid: Vmid,
        /// From which address on.
        address: Ipa,
        /// Spare cached table descriptors.
        leaf: bool,
        /// How far.
        hint: RangeHint,
    },
    /// Forget everything of every VMID.
    TlbiNsnhAll,
    /// Have a device forget 2^size pages, aligned; size 52 means all.
    AtcInv {
        /// Which device.
        sid: StreamId,
        /// Which of its address spaces.
        ssid: Option<SubstreamId>,
        /// With an SSID: entries of every PASID that the device marked global.
        global: bool,
        /// Somewhere in the span.
        address: Iova,
        /// Log2 of the pages.
        size: u8,
    },
    /// Answer a page request group.
    PriResp {
        /// Which device.
        sid: StreamId,
        /// Which of its address spaces.
        ssid: Option<SubstreamId>,
        /// Which group.
        prgindex: u16,
        /// 0 failure, 1 invalid request, 2 success.
        resp: u8,
    },
    /// Let a stalled transaction go on.
    Resume {
        /// Of which stream.
        sid: StreamId,
        /// Which transaction.
        stag: Stag,
        /// How.
        response: Response,
    },
    /// Terminate all stalled transactions of a stream.
    StallTerm {
        /// Of which stream.
        sid: StreamId,
    },
    /// Complete everything before it.
    Sync(SyncSignal),
}
