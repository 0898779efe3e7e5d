//! What a device, and the software behind it, can notice of an access: where it goes, or the fault with its event record.
//!
//! Records are compared whole. The words that the manual asks for are written here once more, from Arm IHI 0070 G.b, 7.3 "Event
//! records", and not taken from the engine's encoder.

use engine::{AtcMiss, Outcome, Refusal, Translation};

/// What an access may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It reaches an address.
    Reached {
        pa: u64,
        /// Read, write, execute, unprivileged and privileged; `None` where nothing is translated.
        rights: Option<u8>,
        /// Log2 of the bytes around it that are translated alike; the engine may know of fewer.
        bits: u8,
    },
    /// It is refused.
    Refused {
        /// Reads are zero, writes ignored; else it aborts.
        razwi: bool,
        record: Option<[u64; 4]>,
    },
    /// The device gets no translation: an ATS answer without rights, UR or CA.
    NoTranslation {
        /// Word 0 of F_BAD_ATS_TREQ.
        record: Option<u64>,
    },
}

/// How an access was made, as far as records repeat it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub sid: u32,
    pub ssid: Option<u32>,
    pub address: u64,
    pub write: bool,
    pub execute: bool,
    pub privileged: bool,
}

/// What was being translated: CLASS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Cd = 0,
    Tt = 1,
    In = 2,
}

/// A fault that has a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    BadStreamId,
    SteFetch(u64),
    BadSte,
    StreamDisabled,
    Forbidden,
    BadSubstreamId,
    CdFetch(u64),
    BadCd,
    WalkEabt {
        stage2: bool,
        class: Class,
        fetch: u64,
    },
    /// Of stage 1: F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION.
    Stage1(Kind),
    Stage2(Kind, Class, u64),
}

/// The four faults that software chooses the handling of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Translation = 0x10,
    AddrSize = 0x11,
    Access = 0x12,
    Permission = 0x13,
}

impl Asked {
    /// What PCIe can say of it without a PASID: 13.7.
    pub fn without_pasid(self) -> Self {
        Asked {
            execute: false,
            privileged: false,
            ..self
        }
    }

    /// The one bit of [`Answer::Reached::rights`] that the access needs. Writes are data.
    pub fn needs(&self) -> u8 {
        let kind = match (self.write, self.execute) {
            (true, _) => 2,
            (false, true) => 4,
            (false, false) => 1,
        };
        if self.privileged { kind << 3 } else { kind }
    }

    fn word0(&self, id: u64) -> u64 {
        let ssid = self.ssid.map_or(0, |ssid| 1 << 11 | u64::from(ssid) << 12);
        id | ssid | u64::from(self.sid) << 32
    }

    /// Word 0 of F_BAD_ATS_TREQ.
    pub fn bad_ats_request(&self) -> u64 {
        self.word0(0x05)
    }

    /// The record of a fault.
    pub fn record(&self, fault: Fault) -> [u64; 4] {
        const S2: u64 = 1 << 39;
        let rnw = u64::from(!self.write) << 35;
        let how =
            u64::from(self.privileged) << 33 | u64::from(self.execute && !self.write) << 34 | rnw;
        let class = |class: Class| (class as u64) << 40;
        let page = |ipa: u64| ipa & 0x00ff_ffff_ffff_f000;
        let address = self.address;
        match fault {
            Fault::BadStreamId => [self.word0(0x02), 0, 0, 0],
            Fault::SteFetch(fetch) => [self.word0(0x03), 0, 0, fetch],
            Fault::BadSte => [self.word0(0x04), 0, 0, 0],
            Fault::StreamDisabled => [self.word0(0x06), 0, 0, 0],
            Fault::Forbidden => [self.word0(0x07), rnw, address, 0],
            // 7.3.9: there is no SSV; the SubstreamID is always valid.
            Fault::BadSubstreamId => [self.word0(0x08) & !(1 << 11), 0, 0, 0],
            Fault::CdFetch(fetch) => [self.word0(0x09), 0, 0, fetch],
            Fault::BadCd => [self.word0(0x0a), 0, 0, 0],
            Fault::WalkEabt {
                stage2,
                class: of,
                fetch,
            } => [
                self.word0(0x0b),
                how | u64::from(stage2) << 39 | class(of),
                address,
                fetch,
            ],
            Fault::Stage1(kind) => [self.word0(kind as u64), how | class(Class::In), address, 0],
            Fault::Stage2(kind, of, ipa) => {
                let ttrnw = kind == Kind::Permission && of == Class::Tt;
                [
                    self.word0(kind as u64),
                    how | S2 | class(of) | u64::from(ttrnw) << 44,
                    address,
                    page(ipa),
                ]
            }
        }
    }
}

/// What the engine said of an untranslated access.
pub fn of_access(result: &Result<Translation, Refusal>) -> Answer {
    match result {
        Ok(translation) => of_translation(translation),
        Err(refusal) => of_refusal(refusal),
    }
}

/// What it said of an access through an ATC.
pub fn of_atc(result: &Result<Translation, AtcMiss>, recorded: &[[u64; 4]]) -> Answer {
    match result {
        Ok(translation) => Answer::Reached {
            pa: translation.pa.0,
            // The translated access says neither what the device was told.
            rights: None,
            bits: 0,
        },
        Err(AtcMiss::Refused(refusal)) => of_refusal(refusal),
        Err(_) => {
            let bad = recorded
                .first()
                .map(|record| record[0])
                .filter(|word0| word0 & 0xff == 0x05);
            Answer::NoTranslation { record: bad }
        }
    }
}

fn of_translation(translation: &Translation) -> Answer {
    Answer::Reached {
        pa: translation.pa.0,
        rights: Some(translation.rights.0),
        bits: translation.page_bits,
    }
}

fn of_refusal(refusal: &Refusal) -> Answer {
    Answer::Refused {
        razwi: refusal.outcome == Outcome::RazWi,
        record: refusal.event.map(|event| event.words()),
    }
}

impl Answer {
    /// Whether what the engine said is this.
    pub fn allows(&self, said: &Answer) -> bool {
        match (*self, *said) {
            (
                Answer::Reached { pa, rights, bits },
                Answer::Reached {
                    pa: said_pa,
                    rights: said_rights,
                    bits: said_bits,
                },
            ) => {
                let same = rights.is_none() || said_rights.is_none() || rights == said_rights;
                pa == said_pa && same && (said_bits <= bits || rights.is_none())
            }
            (may, said) => may == said,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Reached { pa, rights, bits } => {
                write!(f, "{pa:#x} (rights {rights:02x?}, alike in 2^{bits} bytes)")
            }
            Answer::Refused { razwi, record } => {
                let how = if *razwi { "RAZ/WI" } else { "abort" };
                write!(f, "{how}, record {record:x?}")
            }
            Answer::NoTranslation { record } => {
                write!(f, "no translation, F_BAD_ATS_TREQ {record:x?}")
            }
        }
    }
}
