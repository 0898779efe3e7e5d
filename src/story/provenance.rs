//! Where the entries of a concrete trace come from, and since when they are out of date.

use model::caches::Caches;
use model::trace::Cache;
use model::{Machine, State};

use super::events::{Event, Run};

/// An entry by its name ([`Caches::bits`]).
pub type Name = (u8, u8);

/// What can be asked of a trace.
pub struct Provenance<'a> {
    machine: &'a Machine,
    run: &'a Run,
    /// Before each event, and at the end: what hardware with empty caches could come to cache.
    current: Vec<Caches>,
}

impl<'a> Provenance<'a> {
    /// Of a trace.
    pub fn new(machine: &'a Machine, run: &'a Run) -> Self {
        let states = run.taken.iter().map(|taken| &taken.before);
        let current = states
            .chain([&run.end])
            .map(|state| machine.legitimate(state));
        Provenance {
            machine,
            run,
            current: current.collect(),
        }
    }

    /// The cached entries without any of which a state would not be what it is, those nearest to memory first.
    pub fn needed(&self, state: &State, is: impl Fn(&State) -> bool) -> Vec<Name> {
        let mut least = *state;
        for (byte, bit) in sorted(&state.caches) {
            let mut fewer = least;
            fewer.caches = fewer.caches.minus(&Caches::one(byte, bit));
            if is(&fewer) {
                least = fewer;
            }
        }
        sorted(&least.caches)
    }

    /// The event before `until` that cached an entry last.
    pub fn filled(&self, (byte, bit): Name, until: usize) -> Option<usize> {
        let taken = &self.run.taken[..until];
        taken
            .iter()
            .rposition(|taken| taken.event == Event::Fill(byte, bit))
    }

    /// The cached entries that a fill was made from.
    pub fn sources(&self, fill: usize) -> Vec<Name> {
        let taken = &self.run.taken[fill];
        let Event::Fill(byte, bit) = taken.event else {
            return Vec::new();
        };
        self.needed(&taken.before, |state| {
            Caches::one(byte, bit).is_subset(&self.machine.fetchable(state))
        })
    }

    /// Whether an entry cannot be fetched any more right before an event, from memory alone.
    pub fn is_stale(&self, (byte, bit): Name, before: usize) -> bool {
        !Caches::one(byte, bit).is_subset(&self.current[before])
    }

    /// The event before `until` that made an entry stale last.
    pub fn outdated(&self, name: Name, until: usize) -> Option<usize> {
        let events = (0..until).rev();
        let mut events = events.filter(|&event| !self.is_stale(name, event));
        events
            .next()
            .filter(|&event| self.is_stale(name, event + 1))
    }

    /// The step of software before `fill` that wrote what the fill has read.
    pub fn wrote(&self, fill: usize) -> Option<usize> {
        let taken = &self.run.taken[fill];
        let Event::Fill(byte, bit) = taken.event else {
            return None;
        };
        let offers = |state: &State| {
            let caches = taken.before.caches;
            let state = State { caches, ..*state };
            Caches::one(byte, bit).is_subset(&self.machine.fetchable(&state))
        };
        let earlier = self.run.taken[..fill].iter();
        earlier
            .enumerate()
            .rev()
            .find(|(_, taken)| !offers(&taken.before) && offers(&taken.after))
            .map(|(event, _)| event)
    }
}

/// Entries in the order in which caches depend on each other.
fn sorted(caches: &Caches) -> Vec<Name> {
    let mut names: Vec<_> = caches.bits().collect();
    names.sort_by_key(|&name| Cache::of(name));
    names
}
