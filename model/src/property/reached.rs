//! What P-S1, P-ISO and P-S2 have in common: each forbids frames, and holds if nobody who may make requests reaches one.

use vocab::{Frame, Page, PropertyId, Slot};

use super::{iso, s1, s2};
use crate::caches::values;
use crate::machine::Machine;
use crate::state::State;

/// A frame that a request may reach and must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// With which SubstreamID of which device.
    pub slot: Slot,
    /// To which page.
    pub page: Page,
    /// What it reaches.
    pub frame: Frame,
}

/// The frames that a property forbids a slot's requests to a page; none if it is not about frames.
fn forbidden(
    id: PropertyId,
    machine: &Machine,
    state: &State,
    slot: Slot,
    page: Page,
) -> Option<u8> {
    match id {
        PropertyId::S1 => Some(!s1::granted(machine, state, slot, page)),
        PropertyId::Iso => Some(!iso::own_frames(machine, state, slot)),
        PropertyId::S2 => {
            Some(iso::own_frames(machine, state, slot) & !s2::lent(machine, state, slot))
        }
        _ => None,
    }
}

/// Whether nothing that a property forbids may be reached.
pub(crate) fn holds(id: PropertyId, machine: &Machine, state: &State) -> bool {
    asking(machine, state).all(|(slot, page)| {
        let forbidden = forbidden(id, machine, state, slot, page);
        machine.reach(state, slot, page) & forbidden.unwrap_or(0) == 0
    })
}

/// Everything that may be reached against a property; nothing if it is not about frames.
pub fn wrongly_reached(id: PropertyId, machine: &Machine, state: &State) -> Vec<Reached> {
    let of = |(slot, page)| {
        let forbidden = forbidden(id, machine, state, slot, page).unwrap_or(0);
        values(machine.reach(state, slot, page) & forbidden).map(move |frame| Reached {
            slot,
            page,
            frame: Frame(frame),
        })
    };
    asking(machine, state).flat_map(of).collect()
}

/// Who may make requests, and to what.
fn asking<'a>(
    machine: &'a Machine,
    state: &'a State,
) -> impl Iterator<Item = (Slot, Page)> + use<'a> {
    let slots = (0..machine.slots()).map(Slot);
    slots
        .filter(|&slot| machine.may_request(state, slot))
        .flat_map(|slot| (0..machine.bounds.pages).map(move |page| (slot, Page(page))))
}
