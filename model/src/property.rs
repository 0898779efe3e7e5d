//! Properties: one claim a file.
//!
//! P-LIVE is about the graph of states and is judged by a search; its file says what is claimed.

pub(crate) mod alias;
pub(crate) mod cfg;
mod conf;
pub(crate) mod hitless;
pub(crate) mod iso;
mod live;
mod reached;
mod report;
pub(crate) mod s1;
pub(crate) mod s2;
mod scope;
pub(crate) mod tear;
pub(crate) mod usable;

use vocab::{PropertyId, Threat};

pub use reached::{Reached, wrongly_reached};

use crate::machine::Machine;
use crate::state::State;

/// A property: what it claims, where that comes from, and how one sees that it was tested and can fail.
pub struct Property {
    /// Its id.
    pub id: PropertyId,
    /// What is claimed of every reachable state.
    pub claim: &'static str,
    /// Where the claim comes from.
    pub source: &'static str,
    /// What must have been reached before "holds" means anything.
    pub witness: &'static str,
    /// The spec under `specs/mutants/` or `specs/corpus/` that violates it.
    pub broken_by: &'static str,
    /// Whether a state satisfies it; none if it is not about single states.
    pub holds: Option<fn(&Machine, &State) -> bool>,
    /// Of which guests it is judged.
    pub judged: Judged,
}

/// Of which guests a property is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Only of those whose memory holds what their programs wrote: others may harm themselves.
    Honest,
    /// Of all that follow their programs.
    UnlessHostile,
    /// Of all: a host promises it to others.
    Always,
}

/// All of them, in the order of [`PropertyId::ALL`].
pub const ALL: [Property; 12] = [
    s1::PROPERTY,
    cfg::PROPERTY,
    iso::PROPERTY,
    s2::PROPERTY,
    alias::PROPERTY,
    conf::PROPERTY,
    scope::PROPERTY,
    report::PROPERTY,
    usable::PROPERTY,
    tear::PROPERTY,
    hitless::PROPERTY,
    live::PROPERTY,
];

impl Property {
    /// The property with an id.
    pub fn of(id: PropertyId) -> &'static Property {
        &ALL[id as usize]
    }

    /// Whether it is judged under a threat.
    pub fn is_judged(&self, threat: Threat) -> bool {
        match self.judged {
            Judged::Honest => threat == Threat::Honest,
            Judged::UnlessHostile => threat != Threat::Hostile,
            Judged::Always => true,
        }
    }
}

impl Machine {
    /// Which of the properties that are asked for a state violates, as sets of [`PropertyId::bit`]; those that its threat does not
    /// judge are left out.
    pub fn judge(&self, state: &State, asked: u16) -> u16 {
        ALL.iter()
            .filter(|property| asked & property.id.bit() != 0)
            .filter(|property| property.is_judged(self.threat))
            .filter(|property| property.holds.is_some_and(|holds| !holds(self, state)))
            .fold(0, |violated, property| violated | property.id.bit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_in_the_order_of_their_ids() {
        for (place, id) in PropertyId::ALL.into_iter().enumerate() {
            assert_eq!(ALL[place].id, id);
        }
    }
}
