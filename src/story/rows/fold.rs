//! Several steps in one row: operations that nobody disturbs, and what nobody needs to know of the others.

use std::ops::Range;

use model::Step;
use model::trace::{self, Actor};

use super::{Kind, Row, Teller};
use crate::story::events::{Event, Taken, thread_of};

/// How many steps in a row are told as one at least.
const STRETCH: usize = 3;

impl Teller<'_> {
    /// An operation that begins here and ends before anybody else moves; commands that take effect at its SYNCs apart. Not the last one: it
    /// is what the story is about.
    pub(super) fn operation(&self, at: usize) -> Option<Row> {
        let Step::Begin { thread, .. } = self.taken[at].step else {
            return None;
        };
        let ends = |taken: &Taken| taken.after.threads[thread as usize].is_idle();
        let undisturbed = self.undisturbed(at, thread);
        let last = undisturbed
            .clone()
            .find(|&event| ends(&self.taken[event]))?;
        if undisturbed.end <= last || self.is_last_step(last) {
            return None;
        }
        let (first, end) = (&self.taken[at], &self.taken[last]);
        let begun = trace::begun(self.machine, first.step);
        let how = match trace::ended(self.machine, &end.before, end.step) {
            Some(false) => "fails",
            _ => "runs to completion",
        };
        let count = match self.steps(at..last + 1) {
            1 => String::new(),
            steps => format!(" ({steps} steps)"),
        };
        Some(self.folded(at..last + 1, thread, format!("{begun} {how}{count}")))
    }

    /// Several steps of an operation that is told in part. All steps are told of the last operation if the story is about it.
    pub(super) fn stretch(&self, at: usize) -> Option<Row> {
        let thread = thread_of(self.taken[at].step)?;
        let operation = self.run.operation(at);
        let is_told = |event: &usize| self.run.operation(*event) == operation;
        let last = self.taken.iter().rposition(is_software)?;
        if self.run.operation(last) == operation && self.pinned.iter().any(is_told) {
            return None;
        }
        let mut events = self.undisturbed(at, thread);
        let other =
            |&event: &usize| event > at && matches!(self.taken[event].step, Step::Begin { .. });
        events.end = events.clone().find(other).unwrap_or(events.end);
        // An effect is told with its SYNC, and the last step by itself.
        while events.end > at
            && (!is_software(&self.taken[events.end - 1]) || self.is_last_step(events.end - 1))
        {
            events.end -= 1;
        }
        let steps = self.steps(events.clone());
        if steps < STRETCH {
            return None;
        }
        let (first, end) = (&self.taken[at], &self.taken[events.end - 1]);
        let begun = match first.step {
            Step::Begin { .. } => format!("{}: ", trace::begun(self.machine, first.step)),
            _ => String::new(),
        };
        let line = trace::describe(self.machine, &end.before, end.step, &end.after);
        let what = format!(
            "{begun}{steps} steps, the last: {}",
            self.with_its_end(events.end - 1, line.what)
        );
        Some(self.folded(events, thread, what))
    }

    /// A row for several steps of a thread: what they have made of memory.
    fn folded(&self, events: Range<usize>, thread: u8, what: String) -> Row {
        let (first, end) = (&self.taken[events.start], &self.taken[events.end - 1]);
        let mut notes = trace::written(self.machine, &first.before, &end.after);
        notes.extend(trace::promised(self.machine, &first.before, &end.after));
        Row {
            actor: self.beginner(events.start, thread),
            kind: Kind::Operation,
            source: self.source(events.start),
            what,
            notes,
            events,
        }
    }

    /// The events from here on in which only one thread moves, apart from commands that take effect at its SYNCs, and none is pinned.
    fn undisturbed(&self, at: usize, thread: u8) -> Range<usize> {
        let disturbs = |&event: &usize| match self.taken[event].event {
            _ if self.pinned.contains(&event) => true,
            Event::Software(step) => thread_of(step) != Some(thread),
            Event::Effect(_) => self.sync_behind(event).is_none(),
            Event::Fill(..) => true,
        };
        at..(at..self.taken.len())
            .find(disturbs)
            .unwrap_or(self.taken.len())
    }

    fn steps(&self, events: Range<usize>) -> usize {
        self.taken[events]
            .iter()
            .filter(|taken| is_software(taken))
            .count()
    }

    fn is_last_step(&self, at: usize) -> bool {
        !self.taken[at + 1..].iter().any(is_software)
    }

    /// Whoever begins an operation; its first step may be a call's already.
    fn beginner(&self, at: usize, thread: u8) -> Actor {
        let taken = &self.taken[at];
        match trace::actor(self.machine, &taken.before, taken.step) {
            Actor::Kernel(name) => Actor::Guest(thread, name),
            other => other,
        }
    }
}

fn is_software(taken: &Taken) -> bool {
    matches!(taken.event, Event::Software(_))
}
