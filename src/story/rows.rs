//! From events to the rows that are told: one for a software step, one for what hardware fetches in one go, one for an operation
//! that runs to completion undisturbed.

use model::trace::{self, Actor, Cache};
use model::{Instr, Machine, Step};

use super::events::{Event, Run, Taken};
use super::provenance::thread_of;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who moves.
    pub actor: Actor,
    /// What kind of thing happens.
    pub kind: Kind,
    /// File and line of the step, for software.
    pub source: Option<(String, u32)>,
    /// What is done.
    pub what: String,
    /// What is different afterwards.
    pub notes: Vec<String>,
    /// Where its events begin and end.
    pub events: std::ops::Range<usize>,
}

/// Kinds of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole operation.
    Operation,
    /// A step of software.
    Step,
    /// A step that puts a command into a hardware queue.
    Command,
    /// A SYNC that is complete.
    Sync,
    /// The SMMU fetches or walks.
    Fetch,
    /// A device asks by ATS.
    Request,
    /// A command takes effect before its SYNC.
    Effect,
}

impl Kind {
    /// The word in reports for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Operation => "operation",
            Kind::Step => "step",
            Kind::Command => "command",
            Kind::Sync => "sync",
            Kind::Fetch => "fetch",
            Kind::Request => "request",
            Kind::Effect => "effect",
        }
    }
}

/// Tells all events. Operations that one of `pinned` belongs to are told step by step, and so is everything if nothing may be folded.
pub fn rows(machine: &Machine, run: &Run, pinned: &[usize], folds: bool) -> Vec<Row> {
    let teller = Teller {
        machine,
        taken: &run.taken,
        run,
        pinned,
    };
    let mut rows = Vec::new();
    let mut at = 0;
    while at < run.taken.len() {
        let operation = if folds { teller.operation(at) } else { None };
        let row = operation.unwrap_or_else(|| teller.row(at));
        at = row.events.end;
        rows.push(row);
    }
    rows
}

struct Teller<'a> {
    machine: &'a Machine,
    taken: &'a [Taken],
    run: &'a Run,
    pinned: &'a [usize],
}

impl Teller<'_> {
    /// An operation that begins here and ends before anybody else moves; commands that take effect at its SYNCs apart. Not the last one: it
    /// is what the story is about.
    fn operation(&self, at: usize) -> Option<Row> {
        let Step::Begin { thread, .. } = self.taken[at].step else {
            return None;
        };
        let is_own = |taken: &Taken| match taken.event {
            Event::Software(step) => thread_of(step) == Some(thread),
            Event::Effect(_) => true,
            Event::Fill(..) => false,
        };
        let ends = |taken: &Taken| taken.after.threads[thread as usize].is_idle();
        let last = (at..self.taken.len())
            .take_while(|&event| is_own(&self.taken[event]))
            .find(|&event| ends(&self.taken[event]))?;
        let is_last = !self.taken[last + 1..]
            .iter()
            .any(|taken| matches!(taken.event, Event::Software(_)));
        let is_told = self.pinned.iter().any(|event| (at..=last).contains(event));
        let early = (at..=last).any(|event| self.is_early_effect(event));
        if is_last || is_told || early {
            return None;
        }
        let (first, end) = (&self.taken[at], &self.taken[last]);
        let steps = self.taken[at..=last].iter();
        let steps = steps
            .filter(|taken| matches!(taken.event, Event::Software(_)))
            .count();
        let begun = trace::begun(self.machine, first.step);
        let how = match trace::ended(self.machine, &end.before, end.step) {
            Some(false) => "fails",
            _ => "runs to completion",
        };
        let plural = if steps == 1 { "" } else { "s" };
        let mut notes = trace::written(self.machine, &first.before, &end.after);
        notes.extend(trace::promised(self.machine, &first.before, &end.after));
        Some(Row {
            actor: self.beginner(at, thread),
            kind: Kind::Operation,
            source: self.source(at),
            what: format!("{begun} {how} ({steps} step{plural})"),
            notes,
            events: at..last + 1,
        })
    }

    /// Whoever begins an operation; its first step may be a call's already.
    fn beginner(&self, at: usize, thread: u8) -> Actor {
        let taken = &self.taken[at];
        match trace::actor(self.machine, &taken.before, taken.step) {
            Actor::Kernel(name) => Actor::Guest(thread, name),
            other => other,
        }
    }

    fn row(&self, at: usize) -> Row {
        match self.taken[at].event {
            Event::Fill(..) => self.fetch(at),
            Event::Effect(_) => match self.sync_behind(at) {
                Some(sync) => self.software(at, sync),
                None => self.effect(at),
            },
            Event::Software(_) => self.software(at, at),
        }
    }

    /// The SYNC that waits for an effect, if nothing but effects happens between.
    fn sync_behind(&self, effect: usize) -> Option<usize> {
        let is_effect = |taken: &Taken| matches!(taken.event, Event::Effect(_));
        let sync = (effect..self.taken.len()).find(|&event| !is_effect(&self.taken[event]))?;
        let Event::Effect(nth) = self.taken[effect].event else {
            return None;
        };
        (self.sync(sync)? + 1 == self.run.issued[nth].queue).then_some(sync)
    }

    fn is_early_effect(&self, event: usize) -> bool {
        matches!(self.taken[event].event, Event::Effect(_)) && self.sync_behind(event).is_none()
    }

    /// The queue of the SYNC that an event completes.
    fn sync(&self, event: usize) -> Option<u8> {
        let taken = &self.taken[event];
        let Step::Go { thread, .. } = taken.step else {
            return None;
        };
        let pc = taken.before.threads[thread as usize].pc;
        match self.machine.code.instrs[pc as usize] {
            Instr::Sync(queue) => Some(queue),
            _ => None,
        }
    }

    /// A thread's step, with the effects right before it that it has waited for.
    fn software(&self, from: usize, at: usize) -> Row {
        let taken = &self.taken[at];
        let line = trace::describe(self.machine, &taken.before, taken.step, &taken.after);
        let mut notes: Vec<_> = (from..at)
            .flat_map(|effect| self.takes_effect(effect))
            .collect();
        notes.extend(line.changes);
        let kind = match self.sync(at) {
            Some(_) => Kind::Sync,
            None if self.run.issued.iter().any(|issued| issued.at == at) => Kind::Command,
            None => Kind::Step,
        };
        Row {
            actor: trace::actor(self.machine, &taken.before, taken.step),
            kind,
            source: self.source(at),
            what: line.what,
            notes,
            events: from..at + 1,
        }
    }

    fn source(&self, at: usize) -> Option<(String, u32)> {
        let taken = &self.taken[at];
        let step = trace::source(self.machine, &taken.before, taken.step)?;
        Some((step.file.clone(), step.line))
    }

    /// That a command takes effect, and what goes with it.
    fn takes_effect(&self, at: usize) -> Vec<String> {
        let taken = &self.taken[at];
        let line = trace::describe(self.machine, &taken.before, taken.step, &taken.after);
        [vec![line.what], line.changes].concat()
    }

    fn effect(&self, at: usize) -> Row {
        let mut said = self.takes_effect(at).into_iter();
        Row {
            actor: Actor::Smmu,
            kind: Kind::Effect,
            source: None,
            what: said.next().unwrap_or_default(),
            notes: said.collect(),
            events: at..at + 1,
        }
    }

    /// What one actor fetches until somebody else moves.
    fn fetch(&self, at: usize) -> Row {
        let actor = |event: usize| {
            let taken = &self.taken[event];
            let is_fill = matches!(taken.event, Event::Fill(..));
            is_fill.then(|| trace::actor(self.machine, &taken.before, taken.step))
        };
        let who = actor(at).expect("fetches are fills");
        let end = (at..self.taken.len()).find(|&event| actor(event).as_ref() != Some(&who));
        let events = at..end.unwrap_or(self.taken.len());
        let mut told: Vec<(Cache, String, Vec<String>)> = Vec::new();
        let mut notes = Vec::new();
        for event in events.clone() {
            let Event::Fill(byte, bit) = self.taken[event].event else {
                continue;
            };
            let cache = Cache::of((byte, bit));
            let entry = trace::entry(self.machine, (byte, bit));
            let (tag, value) = match entry.split_once(": ") {
                Some((tag, word)) => (tag.to_owned(), vec![word.to_owned()]),
                None => (entry, Vec::new()),
            };
            match told
                .iter_mut()
                .find(|(other, name, _)| (*other, &*name) == (cache, &tag))
            {
                Some((.., words)) => words.extend(value),
                None => told.push((cache, tag, value)),
            }
            let held = trace::assumed(self.machine, &self.taken[event].before, (byte, bit));
            notes.extend(held.map(|held| format!("guest memory holds {held}")));
        }
        let said = told
            .iter()
            .map(|(cache, tag, words)| fetched(*cache, tag, words));
        let kind = match who {
            Actor::Device(_) => Kind::Request,
            _ => Kind::Fetch,
        };
        Row {
            what: said.collect::<Vec<_>>().join("; "),
            actor: who,
            kind,
            source: None,
            notes,
            events,
        }
    }
}

/// One thing that was fetched.
fn fetched(cache: Cache, tag: &str, words: &[String]) -> String {
    let words = words.join(", ");
    match cache {
        Cache::Ste => format!("fetches the STE of {tag}: {words}"),
        Cache::Cd => format!("fetches the CD of {tag}: {words}"),
        Cache::Stage1 => format!("walks stage 1: {tag}"),
        Cache::Stage2 => format!("walks stage 2: {tag}"),
        Cache::Tlb => format!("caches in the TLB: {tag}"),
        Cache::Atc => format!("asks by ATS, caches in its ATC: {tag}"),
    }
}
