//! Deliberate mistakes, for one question: which tests notice them?
//!
//! Without the feature `mutants` none can be made: [`on`] is false when the model is compiled, and nothing is paid. With it, a process
//! makes the one that its environment names ([`VARIABLE`]), so that one build has them all. `tests/mutants/` of the repository runs them;
//! docs/mutants.md says who finds which.

/// The environment variable: `model:` and a name.
#[cfg(feature = "mutants")]
pub const VARIABLE: &str = "NESTCHECK_MUTANT";

macro_rules! mutants {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A mistake of the hardware part, each at one place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mutant {
            $($(#[doc = $what])+ $name,)+
        }

        /// Every mutant's name, and what it does wrong.
        #[cfg(feature = "mutants")]
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), concat!($($what),+)),)+];

        #[cfg(feature = "mutants")]
        const EACH: &[Mutant] = &[$(Mutant::$name,)+];
    };
}

mutants! {
    /// The fixpoint of a command in flight is not taken again: what memory would fill anew stays doomed.
    NothingRevives,
    /// Word 1 of an STE is never cached.
    SteWord1NotFetched,
    /// Words 2 and 3 of an STE are never cached anew.
    SteWord2NotFetched,
    /// An STE that says abort is not cached, whatever hardware says of that.
    InvalidSteNotCached,
    /// An invalid CD is not cached, whatever hardware says of that.
    InvalidCdNotCached,
    /// CDs are read from their owner's memory, whoever's stage 2 leads there.
    CdOfOwnMemoryOnly,
    /// Word 1 of a CD is never cached anew.
    CdWord1NotFetched,
    /// A CD in memory that may hold anything is never invalid.
    AnyCdIsValid,
    /// EPD0 does not prevent walks.
    Epd0Walks,
    /// A global leaf is cached under the ASID alone.
    GlobalLeafTaggedByAsid,
    /// Every leaf is cached as a global one.
    EveryLeafGlobal,
    /// Stage-1 entries of every VMID are one.
    Stage1WithoutVmid,
    /// Stage-2 entries of every VMID are one.
    Stage2WithoutVmid,
    /// Stage 2 is walked only behind a stage 1.
    Stage2NeedsStage1,
    /// Who has read tables under a VMID is not remembered.
    TableReadersForgotten,
    /// Stage-1 and stage-2 results are never cached as one.
    StageResultsNotCombined,
    /// Global stage-1 results are never cached together with stage 2's.
    GlobalsNotCombined,
    /// Translation requests are answered whatever EATS says.
    AtsWithoutEats,
    /// Devices make requests before they may.
    AtsOfIdleSlots,
    /// A look-up does not find global entries.
    GlobalsNotFound,
    /// Traffic without SubstreamID bypasses stage 1 whatever S1DSS says.
    S1dssIgnored,
    /// What a device has in its ATC is not reached.
    ReachWithoutAtc,
    /// CFGI_STE leaves CDs.
    CfgiSteSparesCds,
    /// CFGI_STE leaves word 1 of the STE.
    CfgiSteSparesWord1,
    /// CFGI_CD does nothing.
    CfgiCdForgetsNothing,
    /// TLBI_NH_ALL, TLBI_NH_VAA and TLBI_NH_VA leave global entries.
    NhAllSparesGlobals,
    /// TLBI_NH_ASID names global entries.
    NhAsidTakesGlobals,
    /// TLBI_NH_VA names the page of every ASID.
    NhVaOfEveryAsid,
    /// TLBI_NH_VAA names the page of ASID 0.
    NhVaaOfOneAsid,
    /// Stage-1 commands name the entries of every VMID.
    TlbiOfEveryVmid,
    /// TLBI_S2_IPA does nothing.
    S2IpaForgetsNothing,
    /// TLBI_S2_IPA finds combined entries on every hardware.
    S2IpaTakesCombined,
    /// TLBI_S12_VMALL leaves stage-1 and combined entries.
    S12VmallSparesStage1,
    /// TLBI_S12_VMALL leaves where tables were read.
    S12VmallSparesTables,
    /// ATC_INV with a SubstreamID names every one.
    AtcInvOfEverySsid,
    /// ATC_INV without one names nothing.
    AtcInvOfNoSsid,
    /// Doomed entries revive each other: what a command leaves is filled from what it dooms, too.
    ReviveThroughDoomed,
    /// A command in flight does not hit what arrives after it.
    ArrivalsNotHit,
    /// A command takes effect when it is issued.
    EffectAtIssue,
    /// What a command's hits could be filled from is not looked for when it is issued.
    NoFixpointAtIssue,
    /// CMD_SYNC completes the commands of every queue.
    SyncOfAnotherQueue,
    /// CMD_SYNC completes commands that came behind it, too.
    SyncOfLaterCommands,
    /// CMD_SYNC completes commands without effect.
    SyncDropsNothing,
    /// An ATC_INV that is given up has taken effect.
    TimedOutInvTakesEffect,
    /// A command is dropped for one that fewer CMD_SYNCs complete.
    CoverForgotten,
    /// Queues whose commands take effect in order are as others.
    OrderForgotten,
}

/// Whether this mistake is to be made.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn on(_: Mutant) -> bool {
    false
}

/// Whether this mistake is to be made.
#[cfg(feature = "mutants")]
pub(crate) fn on(mutant: Mutant) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Mutant>> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(chosen) == Some(mutant)
}

/// What the environment asks for. A name that does not exist would be a mutant that nobody notices.
#[cfg(feature = "mutants")]
fn chosen() -> Option<Mutant> {
    let asked = std::env::var(VARIABLE).ok()?;
    let name = asked.strip_prefix("model:")?;
    let place = ALL.iter().position(|(known, _)| *known == name);
    Some(EACH[place.expect("the environment names a mutant that exists")])
}
