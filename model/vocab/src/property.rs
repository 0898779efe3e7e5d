//! The properties by id, and what can be said of one.

/// A property that is checked. What each claims stands in `model/src/property/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is documented in model/src/property/")]
pub enum PropertyId {
    S1,
    Cfg,
    Iso,
    S2,
    Alias,
    Conf,
    Scope,
    Report,
    Use,
    Tear,
    Hitless,
    Live,
}

impl PropertyId {
    /// All of them, in the order of reports.
    pub const ALL: [PropertyId; 12] = [
        PropertyId::S1,
        PropertyId::Cfg,
        PropertyId::Iso,
        PropertyId::S2,
        PropertyId::Alias,
        PropertyId::Conf,
        PropertyId::Scope,
        PropertyId::Report,
        PropertyId::Use,
        PropertyId::Tear,
        PropertyId::Hitless,
        PropertyId::Live,
    ];

    /// The id as written in spec files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            PropertyId::S1 => "P-S1",
            PropertyId::Cfg => "P-CFG",
            PropertyId::Iso => "P-ISO",
            PropertyId::S2 => "P-S2",
            PropertyId::Alias => "P-ALIAS",
            PropertyId::Conf => "P-CONF",
            PropertyId::Scope => "P-SCOPE",
            PropertyId::Report => "P-REPORT",
            PropertyId::Use => "P-USE",
            PropertyId::Tear => "P-TEAR",
            PropertyId::Hitless => "P-HITLESS",
            PropertyId::Live => "P-LIVE",
        }
    }

    /// The property of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.name() == name)
    }

    /// This property as a bit of a set.
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What a run says of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No reachable state within the bounds violates it, all were visited, and its witness is among them.
    Holds,
    /// A reachable state violates it.
    Violated,
    /// A limit was hit before all states were visited, and none so far violates it.
    Unknown,
    /// No reachable state violates it, but none put it to the test either.
    Vacuous,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 4] = [
        Verdict::Holds,
        Verdict::Violated,
        Verdict::Unknown,
        Verdict::Vacuous,
    ];

    /// The word used in spec files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Violated => "violated",
            Verdict::Unknown => "unknown",
            Verdict::Vacuous => "vacuous",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}
