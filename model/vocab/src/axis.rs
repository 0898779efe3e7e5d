//! Whom a run trusts.

/// What guests may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Threat {
    /// Guests follow their programs.
    Honest,
    /// Guests follow their programs, but whatever lies in guest memory may hold anything at any time.
    Scribbling,
    /// Guest memory holds anything, and guests make any call with any argument at any time.
    Hostile,
}

/// What devices may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Devices {
    /// A device uses a SubstreamID only after bind returned and until unbind returned.
    Driven,
    /// A device uses any SubstreamID at any time.
    Wild,
}

impl Threat {
    /// All of them, from the weakest.
    pub const ALL: [Threat; 3] = [Threat::Honest, Threat::Scribbling, Threat::Hostile];

    /// The word used in spec files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Threat::Honest => "honest",
            Threat::Scribbling => "scribbling",
            Threat::Hostile => "hostile",
        }
    }
}

impl Devices {
    /// All of them, from the weakest.
    pub const ALL: [Devices; 2] = [Devices::Driven, Devices::Wild];

    /// The word used in spec files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Devices::Driven => "driven",
            Devices::Wild => "wild",
        }
    }
}
