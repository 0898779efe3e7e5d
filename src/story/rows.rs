//! From events to the rows that are told: one for a software step, one for what hardware fetches in one go, one for an operation
//! that runs to completion undisturbed.

mod fold;

use model::Machine;
use model::trace::{self, Actor, Cache};

use super::events::{Event, Run, Taken};

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
        (self.run.sync(self.machine, sync)? + 1 == self.run.issued[nth].queue).then_some(sync)
    }

    /// A thread's step, with the effects right before it that it has waited for.
    fn software(&self, from: usize, at: usize) -> Row {
        let taken = &self.taken[at];
        let line = trace::describe(self.machine, &taken.before, taken.step, &taken.after);
        let mut notes: Vec<_> = (from..at)
            .flat_map(|effect| self.takes_effect(effect))
            .collect();
        notes.extend(line.changes);
        let kind = match self.run.sync(self.machine, at) {
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
            .run
            .operation(at)
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

/// One thing that was fetched.
fn fetched(cache: Cache, tag: &str, words: &[String]) -> String {
    let words = words.join(", ");
    match cache {
        Cache::Ste => format!("STE of {tag}: {words}"),
        Cache::Cd => format!("CD of {tag}: {words}"),
        Cache::Ttb => format!("TTB0: {tag}"),
        Cache::Stage1 => format!("stage 1: {tag}"),
        Cache::Stage2 => format!("stage 2: {tag}"),
        Cache::Tlb => format!("TLB: {tag}"),
        Cache::Atc => format!("ATC: {tag}"),
    }
}
