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
