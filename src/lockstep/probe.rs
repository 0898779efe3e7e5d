//! One access that is made in every state, and what the model allows it to come to.

use engine::Access;
use model::{Machine, State};
use vocab::{Page, Slot};

use super::answer::Answer;
use super::board::Board;
use super::may;

/// One access.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// With which SubstreamID of which device.
    pub slot: Slot,
    /// To which page.
    pub page: Page,
    /// Whether the device may use what it has cached, or asks for a translation first.
    pub through_atc: bool,
}

impl Probe {
    /// Every slot to every page, through the ATC (where there are any) and without.
    pub fn all(machine: &Machine) -> Vec<Probe> {
        let mut probes = Vec::new();
        for slot in (0..machine.slots()).map(Slot) {
            for page in (0..machine.bounds.pages).map(Page) {
                let kinds: &[bool] = if machine.axes.ats {
                    &[false, true]
                } else {
                    &[false]
                };
                probes.extend(kinds.iter().map(|&through_atc| Probe {
                    slot,
                    page,
                    through_atc,
                }));
            }
        }
        probes
    }

    /// Whether it is made in a state. Devices that are not to make requests yet do not; the SMMU itself may translate for any slot.
    pub fn is_made(&self, machine: &Machine, state: &State) -> bool {
        !self.through_atc || machine.may_request(state, self.slot)
    }

    /// What the model allows.
    pub fn expected(&self, machine: &Machine, state: &State) -> Expected {
        let answers = match self.through_atc {
            false => may::untranslated(machine, state, self.slot, self.page),
            true => may::through_atc(machine, state, self.slot, self.page),
        };
        assert!(answers.len() <= 64, "more answers than frames and faults");
        Expected {
            answers: answers.into_iter().collect(),
            given: 0,
        }
    }

    /// What the engine does.
    pub fn make(&self, board: &mut Board<'_>, unit: usize, how: Access) -> Answer {
        match self.through_atc {
            false => board.access(unit, self.slot, self.page, how),
            true => board.through_atc(unit, self.slot, self.page, how),
        }
    }

    /// What for, and with which privilege: another each time. The model has no rights, so all of these come to the same.
    pub const fn how(turn: usize) -> Access {
        const HOW: [Access; 4] = [
            Access::READ,
            Access::WRITE,
            Access {
                instruction: true,
                ..Access::READ
            },
            Access {
                privileged: true,
                ..Access::WRITE
            },
        ];
        HOW[turn % HOW.len()]
    }

    /// Says that it came to what the model does not allow.
    pub fn unexpected(&self, caches: &str, answer: &Answer, expected: &Expected) -> String {
        let Probe {
            slot,
            page,
            through_atc,
        } = self;
        let how = if *through_atc { " through the ATC" } else { "" };
        let allowed: Vec<_> = expected.answers.iter().map(Answer::to_string).collect();
        format!(
            "an access of {slot} to {page}{how} (caches: {caches}) comes to {answer}; the model allows: {}",
            allowed.join(", ")
        )
    }
}

/// The answers that one access may come to in one state, in order, and which of them were given, as a bit set.
#[derive(Clone, Debug)]
pub struct Expected {
    answers: Vec<Answer>,
    given: u64,
}

impl Expected {
    /// Notes an answer; false if it is none of these.
    pub fn gives(&mut self, answer: &Answer) -> bool {
        let place = self.answers.binary_search(answer);
        self.given |= place.map_or(0, |place| 1 << place);
        place.is_ok()
    }

    /// Whether there is one only.
    pub fn is_certain(&self) -> bool {
        self.answers.len() == 1
    }

    /// How many there are.
    pub fn allowed(&self) -> u64 {
        self.answers.len() as u64
    }

    /// How many of them were given.
    pub fn given(&self) -> u64 {
        u64::from(self.given.count_ones())
    }
}
