//! Event records: Arm IHI 0070, 7.3. 32 bytes.

use bitfield_struct::bitfield;

/// The number of an event, bits 7:0 of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(
    non_camel_case_types,
    reason = "the manual's names, as they are searched for"
)]
pub enum EventId {
    /// Unsupported upstream transaction.
    F_UUT = 0x01,
    /// StreamID out of range.
    C_BAD_STREAMID = 0x02,
    /// The fetch of an STE aborted.
    F_STE_FETCH = 0x03,
    /// The STE is invalid or ILLEGAL.
    C_BAD_STE = 0x04,
    /// An ATS translation request where ATS is off.
    F_BAD_ATS_TREQ = 0x05,
    /// Traffic without a SubstreamID where S1DSS = 0, or with SubstreamID 0 where S1DSS = 2.
    F_STREAM_DISABLED = 0x06,
    /// An ATS translated transaction where that is not allowed.
    F_TRANSL_FORBIDDEN = 0x07,
    /// SubstreamID out of range, or where none is expected.
    C_BAD_SUBSTREAMID = 0x08,
    /// The fetch of a CD aborted.
    F_CD_FETCH = 0x09,
    /// The CD is invalid or ILLEGAL.
    C_BAD_CD = 0x0a,
    /// The fetch of a translation table descriptor aborted.
    F_WALK_EABT = 0x0b,
    /// No valid descriptor for an address.
    F_TRANSLATION = 0x10,
    /// A stage yields an address that is too large.
    F_ADDR_SIZE = 0x11,
    /// AF = 0.
    F_ACCESS = 0x12,
    /// The access is not allowed.
    F_PERMISSION = 0x13,
    /// Two TLB entries match.
    F_TLB_CONFLICT = 0x20,
    /// Two configuration cache entries match.
    F_CFG_CONFLICT = 0x21,
    /// A speculative page request.
    E_PAGE_REQUEST = 0x24,
    /// The fetch of a VMS aborted.
    F_VMS_FETCH = 0x25,
}

impl EventId {
    /// Every event that the architecture defines.
    pub const ALL: [EventId; 19] = [
        EventId::F_UUT,
        EventId::C_BAD_STREAMID,
        EventId::F_STE_FETCH,
        EventId::C_BAD_STE,
        EventId::F_BAD_ATS_TREQ,
        EventId::F_STREAM_DISABLED,
        EventId::F_TRANSL_FORBIDDEN,
        EventId::C_BAD_SUBSTREAMID,
        EventId::F_CD_FETCH,
        EventId::C_BAD_CD,
        EventId::F_WALK_EABT,
        EventId::F_TRANSLATION,
        EventId::F_ADDR_SIZE,
        EventId::F_ACCESS,
        EventId::F_PERMISSION,
        EventId::F_TLB_CONFLICT,
        EventId::F_CFG_CONFLICT,
        EventId::E_PAGE_REQUEST,
        EventId::F_VMS_FETCH,
    ];
}

/// What was being accessed when the fault occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// The fetch of a CD.
    Cd = 0,
    /// The fetch of a stage-1 translation table descriptor.
    Tt = 1,
    /// The transaction's own address.
    In = 2,
}

/// Bits 63:0 of a record.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventWord0 {
    /// [`EventId`].
    pub id: u8,
    #[bits(3)]
    __: u8,
    /// A SubstreamID came with the transaction.
    pub ssv: bool,
    /// The SubstreamID.
    #[bits(20)]
    pub substreamid: u32,
    /// The StreamID.
    pub streamid: u32,
}

/// Bits 127:64 of a record of a translation-related fault.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventWord1 {
    /// Names the stalled transaction. F_UUT, the fetch events and the conflicts have an IMPLEMENTATION DEFINED Reason here.
    pub stag: u16,
    #[bits(15)]
    __: u16,
    /// The transaction is stalled.
    pub stall: bool,
    #[bits(1)]
    __: u8,
    /// Privileged.
    pub pnu: bool,
    /// Instruction.
    pub ind: bool,
    /// Read.
    pub rnw: bool,
    #[bits(3)]
    __: u8,
    /// The fault is stage 2's.
    pub s2: bool,
    /// [`Class`].
    #[bits(2)]
    pub class: u8,
    #[bits(2)]
    __: u8,
    /// F_PERMISSION with CLASS = TT: the descriptor was being read.
    pub ttrnw: bool,
    #[bits(19)]
    __: u32,
}

/// Bits 127:64 of F_BAD_ATS_TREQ: what the translation request asked for. Span in 67:64; R, W, X and Priv from 95 down: 7.3.6 names the
/// fields in its text, their places only in a figure, and nothing else at hand confirms them.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct AtsRequestWord1 {
    /// How many STUs were asked for.
    #[bits(4)]
    pub span: u8,
    #[bits(24)]
    __: u32,
    /// Priv.
    pub privileged: bool,
    /// Execute.
    pub x: bool,
    /// Write: !NW.
    pub w: bool,
    /// Read; always 1 with PCIe.
    pub r: bool,
    __: u32,
}

/// Bits 127:64 of E_PAGE_REQUEST: which accesses a device expects.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct PageRequestWord1 {
    #[bits(33)]
    __: u64,
    /// Unprivileged execute.
    pub ux: bool,
    /// Unprivileged write.
    pub uw: bool,
    /// Unprivileged read.
    pub ur: bool,
    #[bits(1)]
    __: u8,
    /// Privileged execute.
    pub px: bool,
    /// Privileged write.
    pub pw: bool,
    /// Privileged read.
    pub pr: bool,
    #[bits(4)]
    __: u8,
    /// How many pages of 4 KiB.
    pub span: u8,
    #[bits(12)]
    __: u16,
}

/// A record as it lies in the event queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Bits 63:0.
    pub word0: EventWord0,
    /// Bits 127:64; of F_BAD_ATS_TREQ they are [`AtsRequestWord1`], of E_PAGE_REQUEST [`PageRequestWord1`].
    pub word1: EventWord1,
    /// InputAddr, where the record has one.
    pub input_addr: u64,
    /// IPA or FetchAddr, where the record has one.
    pub ipa_or_fetch_addr: u64,
}

impl Event {
    /// Bytes of one record.
    pub const SIZE: u64 = 32;

    /// The record that these words are, lowest first.
    pub const fn from_words([w0, w1, w2, w3]: [u64; 4]) -> Self {
        Event {
            word0: EventWord0::from_bits(w0),
            word1: EventWord1::from_bits(w1),
            input_addr: w2,
            ipa_or_fetch_addr: w3,
        }
    }

    /// The words of this record, lowest first.
    pub const fn words(&self) -> [u64; 4] {
        [
            self.word0.into_bits(),
            self.word1.into_bits(),
            self.input_addr,
            self.ipa_or_fetch_addr,
        ]
    }
}
