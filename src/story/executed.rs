//! A story executed: the concrete trace performed on the engine's real bytes, and what an access then comes to.
//!
//! What hardware caches and when its commands take effect is chosen as the trace says (`lockstep::replay`); everything else the engine
//! does by itself. A trace that cannot be executed is reported as such: either the model allows more than this engine does, and then the
//! choice that it lacks is named, or one of the two is wrong.

use model::property::wrongly_reached;
use model::{Machine, State};
use vocab::{Page, PropertyId, Slot};

use super::events::{Event, Run};
use crate::lockstep::{Answer, Happening, Replay, replay};

/// What came of executing a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// An access reaches a frame that the property forbids.
    Reached(Access),
    /// An access comes to something else than without caches, which shows that what is out of date is in use.
    Stale(Access, Answer),
    /// An access that must go through does not.
    Refused(Access),
    /// Every step was performed, and no access within the bounds tells the difference.
    Unseen,
    /// Every step was performed; the property is about what software does and is told, which no access shows.
    Software,
    /// The engine does not do what the trace says. Says what.
    NotReproduced(String),
}

/// An access and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who: `device 1 ssid 1`.
    pub who: String,
    /// To which page.
    pub page: Page,
    /// Whether through the device's ATC.
    pub through_atc: bool,
    /// What it comes to.
    pub answer: Answer,
}

impl Executed {
    /// A word for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Executed::Reached(_) => "reached",
            Executed::Stale(..) => "stale",
            Executed::Refused(_) => "refused",
            Executed::Unseen => "unseen",
            Executed::Software => "software",
            Executed::NotReproduced(_) => "not-reproduced",
        }
    }
}

/// A trace as bytes: for each event what was stored and queued, in words.
pub type Bytes = Vec<Vec<String>>;

/// Executes a trace that violates a property.
pub fn execute(machine: &Machine, run: &Run, id: PropertyId) -> (Executed, Bytes) {
    let happenings = run.taken.iter().map(|taken| {
        let happening = match taken.event {
            Event::Software(step) => Happening::Software(step),
            Event::Fill(byte, bit) => Happening::Fill(byte, bit),
            Event::Effect(nth) => Happening::Effect(nth),
        };
        (happening, taken.before, taken.after)
    });
    let end =
        |board: &mut Replay<'_>, state: &State| (look(machine, board, state, id), board.told());
    match replay(machine, happenings, end) {
        Ok(executed) => executed,
        Err(wrong) => (Executed::NotReproduced(wrong.0), Vec::new()),
    }
}

/// Looks for an access that shows the violation.
fn look(machine: &Machine, board: &mut Replay<'_>, state: &State, id: PropertyId) -> Executed {
    match id {
        PropertyId::S1 | PropertyId::Iso | PropertyId::S2 => reached(machine, board, state, id),
        PropertyId::Cfg | PropertyId::Alias | PropertyId::Tear => {
            stale(machine, board, state).unwrap_or(Executed::Unseen)
        }
        PropertyId::Hitless => stale(machine, board, state)
            .or_else(|| refused(machine, board))
            .unwrap_or(Executed::Unseen),
        PropertyId::Use => refused(machine, board).unwrap_or(Executed::Unseen),
        PropertyId::Conf | PropertyId::Scope | PropertyId::Report | PropertyId::Live => {
            Executed::Software
        }
    }
}

fn access(machine: &Machine, slot: Slot, page: Page, through_atc: bool, answer: Answer) -> Access {
    Access {
        who: model::trace::traffic_name(machine, slot),
        page,
        through_atc,
        answer,
    }
}

fn reached(machine: &Machine, board: &mut Replay<'_>, state: &State, id: PropertyId) -> Executed {
    let mut other = Vec::new();
    for wrong in wrongly_reached(id, machine, state) {
        let expected = Answer::Frame(wrong.frame);
        for through_atc in [machine.axes.ats, false] {
            let answer = board.access(wrong.slot, wrong.page, through_atc);
            let access = access(machine, wrong.slot, wrong.page, through_atc, answer);
            if access.answer == expected {
                return Executed::Reached(access);
            }
            other.push(format!("{access}, not {expected}"));
        }
    }
    other.dedup();
    Executed::NotReproduced(other.join("; "))
}

fn stale(machine: &Machine, board: &mut Replay<'_>, state: &State) -> Option<Executed> {
    let kinds: &[bool] = if machine.axes.ats {
        &[false, true]
    } else {
        &[false]
    };
    for (slot, page) in places(machine) {
        let fresh = board.access_afresh(slot, page);
        for &through_atc in kinds {
            if through_atc && !machine.may_request(state, slot) {
                continue;
            }
            let answer = board.access(slot, page, through_atc);
            let is_frame = matches!(answer, Answer::Frame(_));
            // Through an ATC refusals are others.
            if answer != fresh && (!through_atc || is_frame) {
                let access = access(machine, slot, page, through_atc, answer);
                return Some(Executed::Stale(access, fresh));
            }
        }
    }
    None
}

fn refused(machine: &Machine, board: &mut Replay<'_>) -> Option<Executed> {
    places(machine).find_map(|(slot, page)| {
        let answer = board.access(slot, page, false);
        let is_refused = !matches!(answer, Answer::Frame(_));
        is_refused.then(|| Executed::Refused(access(machine, slot, page, false, answer)))
    })
}

fn places(machine: &Machine) -> impl Iterator<Item = (Slot, Page)> + use<> {
    let pages = machine.bounds.pages;
    (0..machine.slots())
        .map(Slot)
        .flat_map(move |slot| (0..pages).map(move |page| (slot, Page(page))))
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Access {
            who,
            page,
            through_atc,
            answer,
        } = self;
        let how = if *through_atc { " through its ATC" } else { "" };
        match answer {
            Answer::Frame(frame) => write!(f, "DMA of {who} to {page}{how} reaches {frame}"),
            other => write!(f, "DMA of {who} to {page}{how} comes to {other}"),
        }
    }
}

impl std::fmt::Display for Executed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Executed::Reached(access) | Executed::Refused(access) => write!(f, "{access}"),
            Executed::Stale(access, fresh) => {
                write!(f, "{access}; without caches it comes to {fresh}")
            }
            Executed::Unseen => f.write_str(
                "every step was performed; no access within these bounds comes to anything else than without caches",
            ),
            Executed::Software => f.write_str(
                "every step was performed; what is wrong is what software does or is told, which no access shows",
            ),
            Executed::NotReproduced(why) => write!(f, "NOT REPRODUCED: {why}"),
        }
    }
}
