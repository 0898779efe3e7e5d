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
    /// So are stage 1's tables (QEMU 9dd6aa9b05).
    B63TablesNotThroughStage2,
    /// CLASS says IN of every fault of stage 2 (QEMU 48f9e9eb29).
    B64Class,
    /// IPA says the device's address (QEMU 2731ea049d).
    B64Ipa,
    /// CD.V is bit 30 (QEMU 1b41847afb).
    B65CdValid,
    /// A change of registers leaves caches as they are (QEMU 43530095e1).
    B66ResetLeavesCaches,
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
