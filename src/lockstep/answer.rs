//! What a device, and the guest behind it, can notice of an access: where it goes, or the fault with its event record.
//!
//! This is the one place that says what is compared. Records are compared whole: the words that the manual asks for are written here
//! once more, from Arm IHI 0070 G.b, 7.3 "Event records", and not taken from the engine's encoder.

use engine::layout::Event;
use engine::{Access, Outcome, Refusal, Rights, Translation};
use vocab::{Frame, Ipa};

use super::map;

/// What an access comes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It reaches a frame, with the right to read and to write.
    Frame(Frame),
    /// An abort without a record: the STE says so.
    Abort,
    /// C_BAD_STE.
    BadSte,
    /// C_BAD_CD.
    BadCd,
    /// C_BAD_SUBSTREAMID: traffic with a SubstreamID to a stream without stage 1.
    BadSubstream,
    /// F_STREAM_DISABLED: traffic without a SubstreamID where S1DSS terminates it.
    Disabled,
    /// F_TRANSLATION of stage 1: no leaf, or no walk is allowed (EPD0).
    NoLeaf,
    /// F_TRANSLATION of stage 2, for the page that stage 1 yields.
    NoStage2(Ipa),
    /// F_TRANSLATION of stage 2, for the table that TTB0 names where nothing was written to it.
    NoTable,
    /// F_TRANSL_FORBIDDEN: a translated access to a frame, while ATS is off for the stream.
    Forbidden(Frame),
    /// The translation request is answered with UR; with F_BAD_ATS_TREQ, or without a record where the STE says abort.
    Unsupported {
        /// Whether there is a record.
        recorded: bool,
    },
    /// The translation request is answered with CA: configuration is broken.
    CompleterAbort,
    /// The translation request is answered with no rights.
    NoTranslation,
    /// Anything else, which no model state allows. Says what.
    Strange(String),
}

/// How an access was made, as far as records repeat it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// StreamID.
    pub sid: u32,
    /// SubstreamID.
    pub ssid: Option<u32>,
    /// The address.
    pub address: u64,
    /// What for, and with which privilege.
    pub how: Access,
}

/// What a translation is, if it comes with these rights.
pub fn of_translation(
    translation: &Translation,
    rights: Rights,
    frame: impl Fn(u64) -> Option<Frame>,
) -> Answer {
    match frame(translation.pa.0) {
        Some(frame) if translation.rights == rights => Answer::Frame(frame),
        _ => Answer::Strange(format!("{translation:?}")),
    }
}

/// What the board's leaves of both stages give together. Each may read, write and execute (AP\[2:1\] = 1, S2AP = 3, no XN), except that
/// what is writable without privilege is not executable with it (Arm DDI 0487, D8.4, "Stage 1 instruction execution permissions").
pub const NESTED_RIGHTS: Rights = STAGE_2_RIGHTS.without(Rights::PRIVILEGED_EXECUTE);

/// What the board's leaves of stage 2 give.
pub const STAGE_2_RIGHTS: Rights = Rights::ALL;

/// What a refusal is, with everything that was recorded since the access began.
pub fn of_refusal(refusal: &Refusal, recorded: &[Event], asked: Asked, frames: &[Frame]) -> Answer {
    let strange = || Answer::Strange(format!("{refusal:x?}, recorded {recorded:x?}"));
    if refusal.outcome != Outcome::Abort || recorded != refusal.event.as_slice() {
        return strange();
    }
    let Some(event) = refusal.event else {
        return Answer::Abort;
    };
    let candidates = [
        Answer::BadSte,
        Answer::BadCd,
        Answer::BadSubstream,
        Answer::Disabled,
        Answer::NoLeaf,
        Answer::NoTable,
    ];
    let stage_2 = (0..8).map(|ipa| Answer::NoStage2(Ipa(ipa)));
    let forbidden = frames.iter().map(|&frame| Answer::Forbidden(frame));
    candidates
        .into_iter()
        .chain(stage_2)
        .chain(forbidden)
        .find(|answer| record(answer, asked) == Some(event.words()))
        .unwrap_or_else(strange)
}

/// The record that the manual asks for. A translated access records the address that it came with, which is the caller's to say.
fn record(answer: &Answer, asked: Asked) -> Option<[u64; 4]> {
    let Access {
        write,
        instruction,
        privileged,
    } = asked.how;
    // RnW, InD and PnU; a write is data.
    let rnw = u64::from(!write) << 35;
    let how = rnw | u64::from(instruction && !write) << 34 | u64::from(privileged) << 33;
    const S2: u64 = 1 << 39;
    const TT: u64 = 1 << 40;
    const IN: u64 = 2 << 40;
    let ssid = asked.ssid.map_or(0, |ssid| 1 << 11 | u64::from(ssid) << 12);
    let word0 = |id: u64| id | ssid | u64::from(asked.sid) << 32;
    Some(match answer {
        Answer::BadSte => [word0(0x04), 0, 0, 0],
        Answer::BadCd => [word0(0x0a), 0, 0, 0],
        Answer::Disabled => [word0(0x06), 0, 0, 0],
        // Without SSV: the SubstreamID is always there (7.3.9).
        Answer::BadSubstream => [word0(0x08) & !(1 << 11), 0, 0, 0],
        Answer::NoLeaf => [word0(0x10), how | IN, asked.address, 0],
        Answer::NoStage2(ipa) => [word0(0x10), how | S2 | IN, asked.address, map::ipa(*ipa)],
        // The walk began at IPA 0.
        Answer::NoTable => [word0(0x10), how | S2 | TT, asked.address, 0],
        // 7.3.8 has RnW only.
        Answer::Forbidden(_) => [word0(0x07), rnw, asked.address, 0],
        _ => return None,
    })
}

/// F_BAD_ATS_TREQ, as far as it says who asked.
pub fn is_bad_ats_request(event: &Event, asked: Asked) -> bool {
    let ssid = asked.ssid.map_or(0, |ssid| 1 << 11 | u64::from(ssid) << 12);
    event.words()[0] == 0x05 | ssid | u64::from(asked.sid) << 32
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Frame(frame) => write!(f, "{frame}"),
            Answer::Abort => f.write_str("abort"),
            Answer::BadSte => f.write_str("C_BAD_STE"),
            Answer::BadCd => f.write_str("C_BAD_CD"),
            Answer::BadSubstream => f.write_str("C_BAD_SUBSTREAMID"),
            Answer::Disabled => f.write_str("F_STREAM_DISABLED"),
            Answer::NoLeaf => f.write_str("F_TRANSLATION of stage 1"),
            Answer::NoStage2(ipa) => write!(f, "F_TRANSLATION of stage 2 for {ipa}"),
            Answer::NoTable => f.write_str("F_TRANSLATION of stage 2 for a stage-1 table"),
            Answer::Forbidden(frame) => write!(f, "F_TRANSL_FORBIDDEN for {frame}"),
            Answer::Unsupported { recorded: true } => f.write_str("UR with F_BAD_ATS_TREQ"),
            Answer::Unsupported { recorded: false } => f.write_str("UR"),
            Answer::CompleterAbort => f.write_str("CA"),
            Answer::NoTranslation => f.write_str("an ATS answer without rights"),
            Answer::Strange(what) => write!(f, "what no state of the model allows: {what}"),
        }
    }
}
