//! A cause in one sentence.

use model::trace::Cache;

use super::cause::{Cause, Removal, Sent, Stale};
use super::stuck::Stuck;

impl Cause {
    /// What reports for programs call it.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::Stale(stale) if stale.from.is_some() => "filled-from-stale",
            Cause::Stale(stale) => stale.removal.name(),
            Cause::Memory(_) => "memory",
            Cause::GuestMemory(_) => "guest-memory",
            Cause::Step(..) => "step",
            Cause::Stuck(_) => "stuck",
        }
    }

    /// What became of the command that should have removed the stale entry, or the oldest one that it was made from.
    pub fn removal(&self) -> Option<&'static str> {
        let Cause::Stale(stale) = self else {
            return None;
        };
        let mut stale = stale;
        while let Some(from) = &stale.from {
            stale = from;
        }
        Some(stale.removal.name())
    }

    /// The events that the sentence names.
    pub fn events(&self) -> Vec<usize> {
        match self {
            Cause::Stale(stale) => stale.events(),
            Cause::Memory(words) => words.iter().filter_map(|(_, wrote)| *wrote).collect(),
            Cause::GuestMemory(words) => words.iter().map(|(_, read)| *read).collect(),
            Cause::Step(at, _) => vec![*at],
            Cause::Stuck(stuck) => stuck.iter().filter_map(Stuck::event).collect(),
        }
    }

    /// The sentence. `row` tells in which row of the story an event is.
    pub fn sentence(&self, row: &dyn Fn(usize) -> usize) -> String {
        let step = |event| format!("step {}", row(event));
        match self {
            Cause::Stale(stale) => stale.sentence(&step),
            Cause::Memory(words) => {
                let words = grouped(words, &step);
                format!("nothing stale is used, memory itself leads there: {words}")
            }
            Cause::GuestMemory(words) => {
                let words = words
                    .iter()
                    .map(|(held, read)| format!("{held} (read at {})", step(*read)));
                let words: Vec<_> = words.collect();
                format!(
                    "nothing stale is used, guest memory held what no program wrote there: {}",
                    words.join("; ")
                )
            }
            Cause::Step(at, what) => format!("{} does it, whatever is cached: {what}", step(*at)),
            Cause::Stuck(stuck) => {
                let each: Vec<_> = stuck.iter().map(|one| one.sentence(&step)).collect();
                each.join("; ")
            }
        }
    }
}

/// Words of one structure together: `CD device 0 ssid 0: V=1 asid 0 (step 9), TTB0 of space 0 (step 4)`.
fn grouped(words: &[(String, Option<usize>)], step: &dyn Fn(usize) -> String) -> String {
    let mut groups: Vec<String> = Vec::new();
    let mut last = "";
    for (what, wrote) in words {
        let since = wrote.map_or(String::new(), |wrote| format!(" ({})", step(wrote)));
        match (what.split_once(": "), groups.last_mut()) {
            (Some((tag, word)), Some(group)) if tag == last => {
                group.push_str(&format!(", {word}{since}"))
            }
            (parts, _) => {
                last = parts.map_or("", |(tag, _)| tag);
                groups.push(format!("{what}{since}"));
            }
        }
    }
    groups.join("; ")
}

impl Removal {
    fn name(&self) -> &'static str {
        match self {
            Removal::NotAtAll(_) => "not-at-all",
            Removal::TooEarly(_) => "too-early",
            Removal::TooLate(_) => "too-late",
            Removal::InFlight(_) => "in-flight",
            Removal::NotSynced(_) => "not-synced",
            Removal::WrongQueue(..) => "wrong-queue",
            Removal::NotAnswered(..) => "not-answered",
        }
    }

    fn events(&self) -> Vec<usize> {
        let of = |sent: &Sent| {
            [Some(sent.issued), sent.effect]
                .into_iter()
                .flatten()
                .collect()
        };
        match self {
            Removal::NotAtAll(others) => others.iter().map(|(_, at)| *at).collect(),
            Removal::TooEarly(sent)
            | Removal::TooLate(sent)
            | Removal::InFlight(sent)
            | Removal::NotSynced(sent) => of(sent),
            Removal::WrongQueue(sent, sync) | Removal::NotAnswered(sent, sync) => {
                [of(sent), vec![*sync]].concat()
            }
        }
    }
}

impl Stale {
    fn events(&self) -> Vec<usize> {
        let mut events = vec![self.filled];
        events.extend(self.outdated);
        events.extend(self.removal.events());
        events.extend(self.from.iter().flat_map(|from| from.events()));
        events
    }

    fn name(&self) -> String {
        let word = match self.cache {
            Cache::Ste | Cache::Cd => "the cached",
            _ => "the",
        };
        format!("{word} {} {}", self.cache.entry(), self.entry)
    }

    fn sentence(&self, step: &dyn Fn(usize) -> String) -> String {
        let (name, filled) = (self.name(), step(self.filled));
        if let Some(from) = &self.from {
            let own = match &self.removal {
                Removal::TooEarly(Sent {
                    command,
                    issued,
                    effect: Some(effect),
                }) => format!(
                    "; its own {command} (issued at {}) had taken effect before that, at {}",
                    step(*issued),
                    step(*effect)
                ),
                Removal::NotAtAll(_) => String::new(),
                other => format!("; {}", other.fate(self.cache, step)),
            };
            return format!(
                "{name} was filled at {filled} from {}{own}",
                from.as_source(step)
            );
        }
        let outdated = match self.outdated {
            Some(outdated) => format!("which {} made stale", step(outdated)),
            None => "which is stale".to_owned(),
        };
        format!(
            "{name}, filled at {filled}, {outdated}, is still used: {}",
            self.removal.fate(self.cache, step)
        )
    }

    /// As what another entry was made from.
    fn as_source(&self, step: &dyn Fn(usize) -> String) -> String {
        let name = self.name();
        if let Some(from) = &self.from {
            let filled = step(self.filled);
            return format!(
                "{name}, itself filled at {filled} from {}",
                from.as_source(step)
            );
        }
        match &self.removal {
            Removal::InFlight(sent) | Removal::NotSynced(sent) | Removal::WrongQueue(sent, _) => {
                format!(
                    "{name} whose {} ({}) had not been SYNCed",
                    sent.command,
                    step(sent.issued)
                )
            }
            Removal::TooLate(sent) => {
                format!(
                    "{name} whose {} was not issued until {}",
                    sent.command,
                    step(sent.issued)
                )
            }
            removal => {
                let since = self
                    .outdated
                    .map_or(String::new(), |at| format!(" since {}", step(at)));
                format!("{name}, stale{since}: {}", removal.fate(self.cache, step))
            }
        }
    }
}

/// The commands that remove entries of a cache.
fn remover(cache: Cache) -> &'static str {
    match cache {
        Cache::Ste => "CFGI_STE",
        Cache::Cd => "CFGI",
        Cache::Ttb | Cache::Stage1 | Cache::Tlb => "TLBI",
        Cache::Stage2 => "TLBI of stage 2",
        Cache::Atc => "ATC_INV",
    }
}

impl Removal {
    /// What became of the invalidation.
    fn fate(&self, cache: Cache, step: &dyn Fn(usize) -> String) -> String {
        let what = remover(cache);
        match self {
            Removal::NotAtAll(others) if others.is_empty() => {
                format!("no {what} that names it had been issued since")
            }
            Removal::NotAtAll(others) => {
                let others = others
                    .iter()
                    .map(|(command, at)| format!("{command} ({})", step(*at)));
                let others: Vec<_> = others.collect();
                format!(
                    "no {what} that names it had been issued since, only {}",
                    others.join(" and ")
                )
            }
            Removal::TooEarly(sent) => {
                let effect = sent
                    .effect
                    .map_or(String::new(), |at| format!(", took effect at {}", step(at)));
                format!(
                    "its {} came too early: issued at {}{effect}, before the entry was filled",
                    sent.command,
                    step(sent.issued)
                )
            }
            Removal::TooLate(sent) => format!(
                "its {} was not issued until {}",
                sent.command,
                step(sent.issued)
            ),
            Removal::InFlight(sent) => format!(
                "its {} ({}) had not been SYNCed",
                sent.command,
                step(sent.issued)
            ),
            Removal::NotSynced(sent) => {
                format!(
                    "its {} was issued at {}, and no SYNC was waited for since",
                    sent.command,
                    step(sent.issued)
                )
            }
            Removal::NotAnswered(sent, sync) => format!(
                "its {} was issued at {}, and the SYNC behind it ({}) reported that a device did not answer: CERROR_ATC_INV_SYNC",
                sent.command,
                step(sent.issued),
                step(*sync)
            ),
            Removal::WrongQueue(sent, sync) => format!(
                "its {} was issued at {}, but the SYNC of {} was on another queue",
                sent.command,
                step(sent.issued),
                step(*sync)
            ),
        }
    }
}
