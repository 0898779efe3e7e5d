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

/// How many steps in a row are told as one at least.
const STRETCH: usize = 3;

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
        let folded = || teller.operation(at).or_else(|| teller.stretch(at));
        let row = if folds { folded() } else { None };
        let row = row.unwrap_or_else(|| teller.row(at));
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
    fn stretch(&self, at: usize) -> Option<Row> {
        let thread = thread_of(self.taken[at].step)?;
        let operation = self.operation_of(at);
        let is_told = |event: &usize| self.operation_of(*event) == operation;
        let last = self.taken.iter().rposition(is_software)?;
        if self.operation_of(last) == operation && self.pinned.iter().any(is_told) {
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
    fn folded(&self, events: std::ops::Range<usize>, thread: u8, what: String) -> Row {
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
    fn undisturbed(&self, at: usize, thread: u8) -> std::ops::Range<usize> {
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

    fn steps(&self, events: std::ops::Range<usize>) -> usize {
        self.taken[events]
            .iter()
            .filter(|taken| is_software(taken))
            .count()
    }

    fn is_last_step(&self, at: usize) -> bool {
        !self.taken[at + 1..].iter().any(is_software)
    }

    /// The event in which the operation of a thread's step began.
    fn operation_of(&self, at: usize) -> Option<usize> {
        let thread = thread_of(self.taken[at].step)?;
        let begins = |taken: &Taken| matches!(taken.step, Step::Begin { thread: beginner, .. } if beginner == thread);
        self.taken[..=at].iter().rposition(begins)
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
            what: self.with_its_end(at, line.what),
            notes,
            events: from..at + 1,
        }
    }

    /// Says what returns or fails, where a step says only that something does.
    fn with_its_end(&self, at: usize, what: String) -> String {
        let begun = self
            .operation_of(at)
            .map(|event| trace::begun(self.machine, self.taken[event].step));
        let name = begun
            .as_deref()
            .and_then(|begun| begun.split('(').next())
            .unwrap_or_default();
        for end in ["returns", "fails"] {
            if let Some(step) = what.strip_suffix(&format!("; {end}")) {
                return format!("{step}; {name} {end}");
            }
        }
        what
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
        let mut fills: Vec<_> = events.clone().collect();
        // The words of a structure in their order, whichever was fetched first.
        fills.sort_by_key(|&event| match self.taken[event].event {
            Event::Fill(byte, bit) => (Cache::of((byte, bit)), byte, bit),
            _ => (Cache::Ste, 0, 0),
        });
        for event in fills {
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
                .find(|(other, name, _)| (*other, name) == (cache, &tag))
            {
                Some((.., words)) => words.extend(value),
                None => told.push((cache, tag, value)),
            }
            let held = trace::assumed(self.machine, &self.taken[event].before, (byte, bit));
            notes.extend(held.map(|held| format!("guest memory holds {held}")));
        }
        let mut said: Vec<_> = told
            .iter()
            .map(|(cache, tag, words)| fetched(*cache, tag, words))
            .collect();
        let kind = match who {
            Actor::Device(_) => Kind::Request,
            _ => Kind::Fetch,
        };
        let what = match (said.len(), kind) {
            (1, Kind::Fetch) => format!("fetches {}", said.remove(0)),
            (1, _) => format!("asks by ATS and keeps the answer: {}", said.remove(0)),
            (_, Kind::Fetch) => "fetches and caches".to_owned(),
            _ => "asks by ATS and keeps the answers".to_owned(),
        };
        said.extend(notes);
        Row {
            what,
            actor: who,
            kind,
            source: None,
            notes: said,
            events,
        }
    }
}

fn is_software(taken: &Taken) -> bool {
    matches!(taken.event, Event::Software(_))
}

/// One thing that was fetched.
fn fetched(cache: Cache, tag: &str, words: &[String]) -> String {
    let words = words.join(", ");
    match cache {
        Cache::Ste => format!("STE of {tag}: {words}"),
        Cache::Cd => format!("CD of {tag}: {words}"),
        Cache::Stage1 => format!("stage 1: {tag}"),
        Cache::Stage2 => format!("stage 2: {tag}"),
        Cache::Tlb => format!("TLB: {tag}"),
        Cache::Atc => format!("ATC: {tag}"),
    }
}
