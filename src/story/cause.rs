//! Why it came to a violation: the invalidation that came too early, too late, on the wrong queue or not at all.
//!
//! Among the cached entries that the violation needs, the one to blame is stale: hardware with empty caches could not come to cache it
//! any more. Of several, the one nearest to memory: if a descriptor that is out of date had been forgotten, what was made
//! with it would do no harm. If it was made from an entry that was stale already, that one is blamed with it. What is then
//! asked of it is what became of the commands that name it, between the step that made it stale and the moment it was used.

use model::caches::Caches;
use model::trace::{Cache, assumed, command, entry};
use model::{Machine, State};
use vocab::PropertyId;

use super::events::{Event, Issued, Run};
use super::provenance::{Name, Provenance};
use super::stuck::{Stuck, stuck};

/// What went wrong. Events are named by their places in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A stale entry is used.
    Stale(Stale),
    /// What is used is what memory says: each word, and the event that wrote it if any did.
    Memory(Vec<(String, Option<usize>)>),
    /// What is used is what guest memory held, which no program wrote: each word, and when it was read.
    GuestMemory(Vec<(String, usize)>),
    /// No cache is to blame: one step did what it must not, and what that was.
    Step(usize, String),
    /// Operations wait for each other, or for a lock that is never given back.
    Stuck(Vec<Stuck>),
}

/// An entry that is, or was, used though it is out of date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The cache that it is in.
    pub cache: Cache,
    /// Its tag and value.
    pub entry: String,
    /// When it was cached.
    pub filled: usize,
    /// The entry that it was made from, if that was stale then.
    pub from: Option<Box<Stale>>,
    /// What made it stale; none if it was made from an entry that was.
    pub outdated: Option<usize>,
    /// What became of its invalidation.
    pub removal: Removal,
}

/// What became of the command that should have removed an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// No command that names it was issued; these were, by the same operation.
    NotAtAll(Vec<(String, usize)>),
    /// It took effect before the entry was cached.
    TooEarly(Sent),
    /// It was issued after the entry had been used.
    TooLate(Sent),
    /// The entry was used between its issue and its SYNC.
    InFlight(Sent),
    /// It was issued, and nobody waited for it.
    NotSynced(Sent),
    /// It was issued, and its SYNC ended, in that event, without an answer of the device.
    NotAnswered(Sent, usize),
    /// It was issued, and a SYNC was waited for on another queue, in that event.
    WrongQueue(Sent, usize),
}

/// A command and when it was issued and took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sent {
    pub command: String,
    pub issued: usize,
    pub effect: Option<usize>,
}

/// Says why a trace ends in a violation.
pub fn cause(
    machine: &Machine,
    run: &Run,
    id: PropertyId,
    violates: &dyn Fn(&State) -> bool,
) -> Cause {
    if id == PropertyId::Live {
        return Cause::Stuck(stuck(machine, run));
    }
    let inquiry = Inquiry {
        machine,
        run,
        provenance: Provenance::new(machine, run),
    };
    let end = run.taken.len();
    let used = inquiry.provenance.needed(&run.end, violates);
    let mut stale = used
        .iter()
        .filter(|name| inquiry.provenance.is_stale(**name, end));
    match stale.next() {
        Some(&name) => match inquiry.stale(name, end) {
            Some(stale) => Cause::Stale(stale),
            None => inquiry.read(&used),
        },
        None if used.is_empty() => inquiry.offence(id),
        None => inquiry.read(&used),
    }
}

struct Inquiry<'a> {
    machine: &'a Machine,
    run: &'a Run,
    provenance: Provenance<'a>,
}

impl Inquiry<'_> {
    /// What is to be said of a stale entry that is used right before the event `until`.
    fn stale(&self, name: Name, until: usize) -> Option<Stale> {
        let filled = self.provenance.filled(name, until)?;
        // What carries the value stands nearest to the entry.
        let sources = self.provenance.sources(filled);
        let mut old = sources.into_iter().rev();
        let from = old
            .find(|&source| self.provenance.is_stale(source, filled))
            .and_then(|source| self.stale(source, filled));
        let outdated = self.provenance.outdated(name, until);
        Some(Stale {
            cache: Cache::of(name),
            entry: entry(self.machine, name),
            filled,
            removal: self.removal(name, filled, outdated, from.as_ref(), until),
            from: from.map(Box::new),
            outdated,
        })
    }

    fn removal(
        &self,
        name: Name,
        filled: usize,
        outdated: Option<usize>,
        from: Option<&Stale>,
        until: usize,
    ) -> Removal {
        let naming = || {
            let issued = self.run.issued.iter();
            issued.filter(|issued| self.names(issued, name))
        };
        let is_end = until == self.run.taken.len();
        // What was sent after the entry had become stale was meant for it, and what the same operation sent before, too.
        let origin = from.and_then(Stale::origin).or(outdated);
        let operation = origin.and_then(|event| self.run.operation(event));
        let by_operation =
            |issued: &&Issued| operation.is_some() && self.run.operation(issued.at) == operation;
        let meant =
            |issued: &&Issued| origin.is_some_and(|at| issued.at > at) || by_operation(issued);
        let pending = naming()
            .filter(meant)
            .find(|issued| issued.at < until && issued.effect.is_none_or(|at| at >= until));
        if let Some(issued) = pending {
            let sent = self.sent(issued);
            if let Some(sync) = issued.given_up.filter(|&at| at < until) {
                return Removal::NotAnswered(sent, sync);
            }
            if !is_end {
                return Removal::InFlight(sent);
            }
            return match self.sync_elsewhere(issued) {
                Some(sync) => Removal::WrongQueue(sent, sync),
                None => Removal::NotSynced(sent),
            };
        }
        if let Some(issued) = naming().find(|issued| issued.at >= until) {
            return Removal::TooLate(self.sent(issued));
        }
        let early = naming()
            .filter(by_operation)
            .rfind(|issued| issued.effect.is_some_and(|at| at < filled));
        match early {
            Some(issued) => Removal::TooEarly(self.sent(issued)),
            None => {
                let others = self.run.issued.iter().filter(by_operation);
                let others = others.filter(|issued| origin.is_some_and(|at| issued.at > at));
                Removal::NotAtAll(
                    others
                        .map(|issued| (self.command(issued), issued.at))
                        .collect(),
                )
            }
        }
    }

    fn names(&self, issued: &Issued, (byte, bit): Name) -> bool {
        Caches::one(byte, bit).is_subset(&self.machine.hits(issued.command))
    }

    fn command(&self, issued: &Issued) -> String {
        command(self.machine, issued.command)
    }

    fn sent(&self, issued: &Issued) -> Sent {
        Sent {
            command: self.command(issued),
            issued: issued.at,
            effect: issued.effect,
        }
    }

    /// A SYNC on another queue that the same operation waited for after it had issued a command.
    fn sync_elsewhere(&self, issued: &Issued) -> Option<usize> {
        let operation = self.run.operation(issued.at);
        (issued.at + 1..self.run.taken.len()).find(|&event| {
            let queue = self.run.sync(self.machine, event);
            queue.is_some_and(|queue| queue + 1 != issued.queue)
                && self.run.operation(event) == operation
        })
    }

    /// What the last step did.
    fn offence(&self, id: PropertyId) -> Cause {
        let wrong = || self.run.wrong(self.machine, id);
        let Some(last) = self.run.taken.last() else {
            return Cause::Step(0, wrong());
        };
        let line = model::trace::describe(self.machine, &last.before, last.step, &last.after);
        let name = format!("{}: ", id.name());
        let said = line
            .changes
            .iter()
            .find_map(|change| change.strip_prefix(&name));
        Cause::Step(
            self.run.taken.len() - 1,
            said.map_or_else(wrong, str::to_owned),
        )
    }

    /// What memory held that led to the entries in use.
    fn read(&self, used: &[Name]) -> Cause {
        let end = self.run.taken.len();
        let mut todo: Vec<_> = used.iter().map(|&name| (name, end)).collect();
        let mut fills = Vec::new();
        while let Some((name, until)) = todo.pop() {
            if let Some(fill) = self.provenance.filled(name, until)
                && !fills.contains(&fill)
            {
                fills.push(fill);
                let sources = self.provenance.sources(fill).into_iter();
                todo.extend(sources.map(|source| (source, fill)));
            }
        }
        fills.sort_unstable();
        let name = |fill: usize| match self.run.taken[fill].event {
            Event::Fill(byte, bit) => (byte, bit),
            _ => unreachable!("only fills are collected"),
        };
        let anything: Vec<_> = fills
            .iter()
            .filter_map(|&fill| {
                let held = assumed(self.machine, &self.run.taken[fill].before, name(fill))?;
                Some((held, fill))
            })
            .collect();
        if !anything.is_empty() {
            return Cause::GuestMemory(anything);
        }
        let words = fills
            .iter()
            .filter(|&&fill| Cache::of(name(fill)) < Cache::Tlb)
            .map(|&fill| {
                let name = name(fill);
                let what = format!("{} {}", Cache::of(name).entry(), entry(self.machine, name));
                (what, self.provenance.wrote(fill))
            });
        let mut words: Vec<_> = words.collect();
        words.sort();
        Cause::Memory(words)
    }
}

impl Stale {
    /// What made the oldest of the entries stale that this one was made from.
    fn origin(&self) -> Option<usize> {
        let from = self.from.as_ref().and_then(|from| from.origin());
        from.or(self.outdated)
    }
}
