//! A concrete trace as events, taken again and again with some of them moved or left out.
//!
//! `Step::TakeEffect` names a place in `State::flight`, which changes as commands come and go; here an effect names the command by the
//! order of issue, so that events can be moved about. Nothing is taken on trust: an event is taken only if the machine
//! lists it among the steps of that state.

use model::caches::Caches;
use model::{Instr, Machine, Outcome, State, Step};
use vocab::{Command, PropertyId};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A thread's step.
    Software(Step),
    /// Hardware caches an entry, by its name ([`model::caches::Caches::bits`]).
    Fill(u8, u8),
    /// The n-th issued command takes effect.
    Effect(usize),
}

/// A command that was put into a hardware queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The event that did so.
    pub at: usize,
    /// The queue plus one, as in [`model::state::InFlight`].
    pub queue: u8,
    /// The command.
    pub command: Command,
    /// The event in which it took effect; none if it has not by the end.
    pub effect: Option<usize>,
    /// The SYNC that ended without it, because a device did not answer (CERROR_ATC_INV_SYNC).
    pub given_up: Option<usize>,
}

/// An event that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// What.
    pub event: Event,
    /// The machine's name for it.
    pub step: Step,
    /// The state in which it was taken.
    pub before: State,
    /// The state to which it led.
    pub after: State,
}

/// Events that were taken, one after another.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened.
    pub taken: Vec<Taken>,
    /// The commands, in the order of issue.
    pub issued: Vec<Issued>,
    /// The last state.
    pub end: State,
}

impl Run {
    /// At the beginning.
    pub fn new(machine: &Machine) -> Self {
        Run {
            taken: Vec::new(),
            issued: Vec::new(),
            end: machine.initial(),
        }
    }

    /// The events.
    pub fn events(&self) -> Vec<Event> {
        self.taken.iter().map(|taken| taken.event).collect()
    }

    /// The steps.
    pub fn steps(&self) -> Vec<Step> {
        self.taken.iter().map(|taken| taken.step).collect()
    }

    /// Takes an event, if it is possible now.
    pub fn take(&mut self, machine: &Machine, event: Event) -> bool {
        let step = match event {
            Event::Software(step) => step,
            Event::Fill(byte, bit) => {
                let offered = machine.fetchable(&self.end);
                if !Caches::one(byte, bit).is_subset(&offered) {
                    return false;
                }
                Step::Fill(byte, bit)
            }
            Event::Effect(nth) => match self.place(machine, nth) {
                Some(place) => Step::TakeEffect(place as u8),
                None => return false,
            },
        };
        let Outcome::Next(after, _) = machine.apply(&self.end, step) else {
            return false;
        };
        let (at, before) = (self.taken.len(), self.end);
        match event {
            Event::Software(_) => {
                self.give_up(&after, at);
                self.issued.extend(issued(&before, &after, at));
            }
            Event::Effect(nth) => self.issued[nth].effect = Some(at),
            Event::Fill(..) => {}
        }
        self.end = after;
        self.taken.push(Taken {
            event,
            step,
            before,
            after,
        });
        true
    }

    /// The queue of the SYNC that an event completes.
    pub fn sync(&self, machine: &Machine, event: usize) -> Option<u8> {
        let taken = &self.taken[event];
        let Step::Go { thread, .. } = taken.step else {
            return None;
        };
        let pc = taken.before.threads[thread as usize].pc;
        match machine.code.instrs[pc as usize] {
            Instr::Sync(queue) => Some(queue),
            _ => None,
        }
    }

    /// The event in which the operation or call began that an event of a thread belongs to.
    pub fn operation(&self, event: usize) -> Option<usize> {
        let thread = thread_of(self.taken[event].step)?;
        let begins = |taken: &Taken| matches!(taken.step, Step::Begin { thread: beginner, .. } if beginner == thread);
        self.taken[..=event].iter().rposition(begins)
    }

    /// The commands that are in flight, oldest first.
    pub fn in_flight(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.issued.len()).filter(|&nth| {
            let issued = &self.issued[nth];
            issued.effect.is_none() && issued.given_up.is_none()
        })
    }

    /// Notes what software has stopped waiting for: of equal commands in one queue the older ones.
    fn give_up(&mut self, after: &State, at: usize) {
        let waiting: Vec<_> = self.in_flight().collect();
        for (place, &nth) in waiting.iter().enumerate() {
            let (queue, command) = (self.issued[nth].queue, self.issued[nth].command);
            let equal = waiting[place..].iter().filter(|&&other| {
                (self.issued[other].queue, self.issued[other].command) == (queue, command)
            });
            if equal.count() > count(after, queue, command) {
                self.issued[nth].given_up = Some(at);
            }
        }
    }

    /// What is wrong with the end.
    pub fn wrong(&self, machine: &Machine, id: PropertyId) -> String {
        let last = self.taken.last().map(|taken| (&taken.before, taken.step));
        model::trace::violation(machine, last, &self.end, id)
    }

    /// Where the n-th issued command stands in `State::flight`, if it may take effect. Of equal commands in one queue the older is covered by
    /// every SYNC that covers the younger.
    fn place(&self, machine: &Machine, nth: usize) -> Option<usize> {
        let wanted = self.issued.get(nth)?;
        if wanted.effect.is_some() {
            return None;
        }
        let equal = |other: &Issued| (other.queue, other.command) == (wanted.queue, wanted.command);
        let older = self.in_flight().take_while(|&other| other < nth);
        let rank = older.filter(|&other| equal(&self.issued[other])).count();
        let flight = &self.end.flight;
        let mut places: Vec<_> = (0..flight.len())
            .filter(|&place| {
                flight[place].queue == wanted.queue
                    && flight[place].command() == Some(wanted.command)
            })
            .collect();
        places.sort_by_key(|&place| std::cmp::Reverse(flight[place].covered.count_ones()));
        let place = *places.get(rank)?;
        machine.may_take_effect(&self.end, place).then_some(place)
    }
}

/// How many equal commands are in flight in a queue.
fn count(state: &State, queue: u8, command: Command) -> usize {
    let same =
        |entry: &&model::state::InFlight| entry.queue == queue && entry.command() == Some(command);
    state.flight.iter().filter(same).count()
}

/// The command that a thread's step has put into a queue: of which there is one more now.
fn issued(before: &State, after: &State, at: usize) -> Option<Issued> {
    after.flight.iter().find_map(|entry| {
        let (queue, command) = (entry.queue, entry.command()?);
        let is_new = count(after, queue, command) > count(before, queue, command);
        is_new.then_some(Issued {
            at,
            queue,
            command,
            effect: None,
            given_up: None,
        })
    })
}

/// The thread that takes a step.
pub fn thread_of(step: Step) -> Option<u8> {
    match step {
        Step::Begin { thread, .. } | Step::Go { thread, .. } => Some(thread),
        Step::Fill(..) | Step::Evict(..) | Step::TakeEffect(_) => None,
    }
}
