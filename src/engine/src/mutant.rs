//! Deliberate mistakes, for one question: which tests notice them?
//!
//! Without the feature `mutants` none can be made: [`on`] is false when the engine is compiled, and nothing is paid. With it, a process
//! makes the one that its environment names ([`VARIABLE`]), so that one build has them all. `tests/mutants/` of the repository runs them;
//! docs/mutants.md says who finds which.
//!
//! Those whose names begin with B are mistakes that QEMU has made; each names the commit that mended it.

/// The environment variable: `engine:` and a name.
#[cfg(feature = "mutants")]
pub const VARIABLE: &str = "NESTCHECK_MUTANT";

macro_rules! mutants {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A mistake, each at one place, or at the same place of each kind of caches.
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
    /// A range is taken for one aligned block of a power of two pages (QEMU 6d9cd115b9, 219729cfbf).
    B58RangeAsBlock,
    /// TLBI_NH_VAA looks for an ASID that no entry has (QEMU a4b6e1be2c).
    B59AsidUnset,
    /// TG of a TLBI is decoded as that of a CD's TTB0 (QEMU dcda883cd2).
    B60TgDecoded,
    /// Stage-1 and combined entries are not tagged with the VMID (QEMU 2eaeb7d593).
    B61NoVmidTag,
    /// TLBI_NH_ASID ignores the VMID (QEMU eb41313c4b).
    B61NhAsidAnyVmid,
    /// TLBI_NH_ALL ignores the VMID (QEMU b8fa4c233b).
    B61NhAllAnyVmid,
    /// A combined entry with too few rights is a fault of stage 1 at once (QEMU d7cdf89c27).
    B62CombinedPermission,
    /// CDs and L1CDs are fetched from where their intermediate address would be physical (QEMU 9dd6aa9b05).
    B63CdNotThroughStage2,
    /// Stage 1's tables are fetched from where their intermediate address would be physical (QEMU 9dd6aa9b05).
    B63TablesNotThroughStage2,
    /// CLASS says IN of every fault of stage 2 (QEMU 48f9e9eb29).
    B64Class,
    /// IPA says the device's address (QEMU 2731ea049d).
    B64Ipa,
    /// CD.V is bit 30 (QEMU 1b41847afb).
    B65CdValid,
    /// A change of registers leaves caches as they are (QEMU 43530095e1).
    B66ResetLeavesCaches,
    /// TLBI_NH_VA leaves global entries.
    NhVaSparesGlobal,
    /// Commands by virtual address leave cached tables even with Leaf = 0.
    NhVaSparesTables,
    /// TLBI_S2_IPA leaves the fast caches' tables even with Leaf = 0.
    S2IpaSparesTables,
    /// TLBI_S2_IPA leaves the pages that it names.
    S2IpaForgetsNothing,
    /// TLBI_NH_ALL leaves global entries.
    NhAllSparesGlobal,
    /// TLBI_NH_ASID does nothing.
    NhAsidForgetsNothing,
    /// TLBI_S12_VMALL leaves stage-2 entries.
    S12VmallSparesStage2,
    /// TLBI_NSNH_ALL leaves the fast caches' stage-2 entries.
    NsnhAllSparesStage2,
    /// CFGI_STE leaves the CDs that were reached through the STE.
    CfgiSteSparesCds,
    /// CFGI_CD leaves the fast caches' routes through the CD.
    CfgiCdSparesRoutes,
    /// CFGI_STE_RANGE names 2^range STEs.
    CfgiRangeIsHalf,
    /// An address of a large page of stage 1 finds only the part of it that lies there.
    PartsOfPageStay,
    /// The fast caches take traffic without SubstreamID for that of SubstreamID 0.
    RouteOfAnySsid,
    /// An invalidation does not make the fast caches look at their routes again.
    RouteOutlivesInvalidation,
    /// CFGI_CD with Leaf = 0 leaves the L1CD.
    CfgiCdSparesL1cd,
    /// CFGI_STE with Leaf = 0 leaves the L1STD.
    CfgiSteSparesL1std,
    /// A cached L1CD is found from every stream.
    L1cdOfAnyStream,
    /// An L1STD without STEs is cached.
    InvalidL1stdKept,
    /// A combined entry has stage 1's page size.
    CombinedPageOfStage1,
    /// A combined entry has stage 1's rights.
    CombinedRightsOfStage1,
    /// nG is ignored: every translation belongs to all ASIDs.
    EveryLeafGlobal,
    /// nG is ignored: every translation belongs to one ASID.
    NoLeafGlobal,
    /// Permissions of table descriptors are ignored.
    TablesTakeNothingAway,
    /// CD.HADx is ignored.
    HadIgnored,
    /// CD.PAN is ignored.
    PanIgnored,
    /// CD.WXN is ignored.
    WxnIgnored,
    /// CD.EPD0 does not prevent walks.
    Epd0Ignored,
    /// The top byte is ignored whatever CD.TBIx says.
    TopByteIgnored,
    /// A stage-2 leaf with AF = 0 does not fault.
    AccessFlagIgnored,
    /// XN of stage 2 is ignored.
    S2XnIgnored,
    /// Outputs of stage 1 that are larger than CD.IPS are followed.
    OutputSizeUnchecked,
    /// The start level of stage 2 has one table only: no concatenation.
    StartTableIsOnePage,
    /// Address bits 51:48 of 64 KiB descriptors are dropped.
    HighBitsLost,
    /// A block of 32 MiB, of the 16 KiB granule, is taken for an invalid descriptor.
    BlockAtLevel2Refused,
    /// TTB and S2TTB are aligned to a page, not to the start table's size.
    RootAlignedToPage,
    /// STE.PRIVCFG is ignored.
    PrivcfgIgnored,
    /// A StreamID behind the array of its L1STD is looked up all the same.
    SpanIgnored,
    /// Traffic with SubstreamID 0 passes where S1DSS gives CD 0 to traffic without.
    Ssid0NotDisabled,
    /// A SubstreamID beyond S1CDMax is looked up all the same.
    S1cdmaxIgnored,
    /// RnW says read of every access.
    RnwSaysRead,
    /// S2 is 0 in translation faults of stage 2.
    S2SaysStage1,
    /// TTRnW is 0.
    TtrnwNever,
    /// C_BAD_SUBSTREAMID has SSV.
    SsvOfBadSubstream,
    /// F_ADDR_SIZE is recorded as F_TRANSLATION.
    AddrSizeIsTranslation,
    /// C_BAD_STREAMID is recorded whatever CR2.RECINVSID says.
    RecinvsidIgnored,
    /// A stalled transaction is recorded only if CD.R or STE.S2R says so.
    StallNotRecorded,
    /// CD.A = 0 aborts.
    RazWiAborts,
    /// Faults of stage 2 are handled as the CD says.
    Stage2PolicyOfCd,
    /// The record of a stalled transaction is lost when the queue is full.
    StallRecordLost,
    /// OVFLG is toggled by every record that is lost.
    OverflowTwice,
    /// CMD_SYNC does not wait for transactions in flight.
    SyncDoesNotWait,
    /// An ATC_INV that was not answered does not fail CMD_SYNC.
    AtcTimeoutForgotten,
    /// An ATC_INV that was not answered fails every CMD_SYNC behind it.
    AtcTimeoutKept,
    /// An illegal command is passed over.
    IllegalIsSkipped,
    /// A queue goes on although its error is not acknowledged.
    ErrorDoesNotStop,
    /// CMD_ATC_INV names half of its span.
    AtcInvIsSmaller,
    /// CMD_RESUME does not look at the StreamID.
    ResumeOfAnyStream,
    /// CMD_STALL_TERM terminates every stream's transactions.
    StallTermOfAll,
    /// A reader that was overtaken by the ring applies what it finds there.
    LaggedReader,
    /// A translation request that meets a translation fault is answered with CA.
    AtsFaultIsAbort,
    /// Translated transactions pass although STE.EATS is 0.
    EatsIgnored,
    /// Translation requests are answered although STE.EATS is 0.
    RequestIgnoresEats,
    /// Split-stage ATS gives the device a physical address.
    SplitStageGivesPa,
    /// CMD_ATC_INV without SubstreamID leaves what was asked for with one.
    AtcInvSparesPasids,
    /// A device keeps an answer that an invalidation has overtaken.
    AtcKeepsVoidAnswer,
    /// Of several misses in a batch the last is refused unseen.
    BatchForgetsMisses,
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
    let name = asked.strip_prefix("engine:")?;
    let place = ALL.iter().position(|(known, _)| *known == name);
    Some(EACH[place.expect("the environment names a mutant that exists")])
}
