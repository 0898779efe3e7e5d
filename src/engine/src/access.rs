//! What a device asks for, what it gets, and what tables allow.

use crate::ids::{Iova, Pa, Stag, StreamId, SubstreamId};
use crate::layout::Event;

/// How memory is accessed, as the device says it; the STE may override privilege and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// A write; else a read.
    pub write: bool,
    /// An instruction fetch. Writes are data, whatever is said here.
    pub instruction: bool,
    /// Privileged.
    pub privileged: bool,
}

impl Access {
    /// An unprivileged read of data, as PCIe devices do.
    pub const READ: Access = Access {
        write: false,
        instruction: false,
        privileged: false,
    };
    /// An unprivileged write.
    pub const WRITE: Access = Access {
        write: true,
        ..Access::READ
    };

    /// The same, as far as PCIe can say it without a PASID, which carries Execute and Privileged: Arm IHI 0070, 13.7 "PCIe permission
    /// attribute interpretation".
    pub(crate) const fn without_pasid(self) -> Self {
        Access {
            instruction: false,
            privileged: false,
            ..self
        }
    }

    /// The one right that this access needs.
    #[inline]
    pub const fn needs(self) -> Rights {
        // Bits as Rights has them: read 0, write 1, execute 2; privileged ones three higher.
        let kind = if self.write {
            1
        } else {
            (self.instruction as u8) << 1
        };
        Rights(1 << (kind + 3 * self.privileged as u8))
    }
}

/// A set of rights: read, write and execute, each for unprivileged and privileged accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Rights(pub u8);

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);
    /// Unprivileged data reads.
    pub const UNPRIVILEGED_READ: Rights = Rights(1);
    /// Unprivileged writes.
    pub const UNPRIVILEGED_WRITE: Rights = Rights(2);
    /// Unprivileged instruction fetches.
    pub const UNPRIVILEGED_EXECUTE: Rights = Rights(4);
    /// Privileged data reads.
    pub const PRIVILEGED_READ: Rights = Rights(8);
    /// Privileged writes.
    pub const PRIVILEGED_WRITE: Rights = Rights(16);
    /// Privileged instruction fetches.
    pub const PRIVILEGED_EXECUTE: Rights = Rights(32);
    /// Reads of both privileges.
    pub const READ: Rights = Rights(9);
    /// Writes of both privileges.
    pub const WRITE: Rights = Rights(18);
    /// Instruction fetches of both privileges.
    pub const EXECUTE: Rights = Rights(36);
    /// Everything unprivileged.
    pub const UNPRIVILEGED: Rights = Rights(7);
    /// Everything.
    pub const ALL: Rights = Rights(63);

    /// Whether every right of `other` is here.
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether some right of `other` is here.
    pub const fn meets(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }

    /// The rights in both.
    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// The rights in either.
    pub const fn or(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// The rights here that are not in `other`.
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }
}

/// What kind of address a transaction carries: PCIe's AT field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressType {
    /// To be translated.
    Untranslated,
    /// Translated already, by an earlier ATS request.
    Translated,
}

/// One access of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Which device.
    pub sid: StreamId,
    /// In which of its address spaces.
    pub ssid: Option<SubstreamId>,
    /// Where.
    pub address: Iova,
    /// How.
    pub access: Access,
    /// Translated or not.
    pub address_type: AddressType,
}

impl Transaction {
    /// An untranslated access.
    pub const fn new(
        sid: StreamId,
        ssid: Option<SubstreamId>,
        address: Iova,
        access: Access,
    ) -> Self {
        Transaction {
            sid,
            ssid,
            address,
            access,
            address_type: AddressType::Untranslated,
        }
    }

    /// What the SMMU sees of a translated transaction: SMMU_IDR3.PASIDTT is 0, so that it is unprivileged data without a SubstreamID
    /// (Arm IHI 0070, 3.9.1.3 "Handling of ATS Translated transactions"). Others are seen as they are.
    pub(crate) const fn as_seen(self) -> Self {
        match self.address_type {
            AddressType::Untranslated => self,
            AddressType::Translated => Transaction {
                ssid: None,
                access: self.access.without_pasid(),
                ..self
            },
        }
    }
}

/// Where an access goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address of the access's first byte.
    pub pa: Pa,
    /// Log2 of the bytes of the aligned page around `pa` that is translated alike.
    pub page_bits: u8,
    /// What this page allows through this stream: the whole walk's rights, both stages.
    pub rights: Rights,
}

impl Translation {
    /// Bytes from the access's first to the end of the page: as far as this translation reaches. Saturated.
    pub const fn reach(&self) -> u64 {
        match self.page_bits {
            64.. => u64::MAX - self.pa.0,
            bits => (1 << bits) - (self.pa.0 & ((1 << bits) - 1)),
        }
    }
}

/// How a refused transaction ends for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An abort, or bus error.
    Abort,
    /// Reads return zero, writes are ignored, and the device is not told: CD.A = 0.
    RazWi,
    /// It waits for CMD_RESUME or CMD_STALL_TERM.
    Stalled(Stag),
}

/// A transaction that was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the device sees.
    pub outcome: Outcome,
    /// What software is told, where anything is recorded.
    pub event: Option<Event>,
}

impl Refusal {
    /// An abort that nobody is told of.
    pub const SILENT: Refusal = Refusal {
        outcome: Outcome::Abort,
        event: None,
    };
}
