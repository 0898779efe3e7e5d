//! A counterexample told as a story.
//!
//! A search finds a trace with saturated caches: every cache is everything that may be cached. Here it is made concrete (`schedule`): hardware
//! fetches, walks and executes commands in steps of its own. Then everything is left out that does not matter (`minimise`), it is
//! taken once more on the machine with scheduled caches (`certify`), what went wrong is derived from where the entries in use come from
//! (`provenance`, `cause`), and it is told in rows (`rows`, `sentence`) in one of several formats. At last it is performed on the engine's real
//! bytes (`executed`), and what an access then comes to is part of what is told.

mod cause;
mod events;
mod executed;
mod json;
mod markdown;
mod mermaid;
mod minimise;
mod order;
mod provenance;
mod quiet;
mod rows;
mod schedule;
mod sentence;
mod stuck;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use model::trace::Actor;
use model::{CacheMode, Machine, State, Step};
use vocab::{Devices, PropertyId, Threat};

pub use cause::{Cause, Removal, Sent, Stale};
pub use executed::{Bytes, Executed};
pub use rows::{Kind, Row};
pub use stuck::{Stuck, Taken};

use crate::certify::{certify, is_deadlock};
use events::Event;
use schedule::Goal;

/// A story.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it is about.
    pub about: About,
    /// What happens.
    pub rows: Vec<Row>,
    /// What is wrong with the last state.
    pub end: String,
    /// Why it came to that.
    pub cause: Cause,
    /// The same in one sentence.
    pub because: String,
    /// How many steps of software, fetches and effects of commands it has.
    pub steps: (usize, usize, usize),
    /// What the engine makes of it.
    pub executed: Executed,
    /// What each event stores and queues there.
    pub bytes: Bytes,
    /// Whether bytes are told.
    pub tells_bytes: bool,
}

/// What a story is about.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct About {
    pub spec: String,
    pub title: String,
    pub property: PropertyId,
    pub threat: Threat,
    pub devices: Devices,
    pub scope: String,
    pub part: String,
}

/// Why there is no story of a violation: always a fault of nestcheck, because the two cache modes disagree.
#[derive(Clone, Debug)]
pub struct NoStory(String);

impl std::fmt::Display for NoStory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoStory {}

/// Tells a shortest trace that a search has found with saturated caches. `folds` lets operations that run undisturbed take one row.
pub fn tell(
    machine: &Arc<Machine>,
    about: About,
    path: &[Step],
    folds: bool,
) -> Result<Story, NoStory> {
    let id = about.property;
    let replay = |path: &[Step]| {
        certify(machine, id, path)
            .map_err(|wrong| NoStory(format!("with saturated caches: {wrong}")))
    };
    let found = replay(path)?;
    let last = found
        .last()
        .map_or_else(|| machine.initial(), |taken| taken.after);
    let is_end = |state: &State| match id {
        PropertyId::Live => schedule::is_same_software(state, &last),
        _ => machine.judge(state, id.bit()) != 0,
    };
    let path = replay(&order::order(machine, path, is_end))?;

    let mut scheduled = Machine::clone(machine);
    scheduled.caches = CacheMode::Scheduled;
    let scheduled = Arc::new(scheduled);
    let software: Vec<_> = path.iter().map(|taken| taken.step).collect();
    let expected: Vec<_> = path.iter().map(|taken| taken.after).collect();
    let violates = |state: &State| id == PropertyId::Live || scheduled.judge(state, id.bit()) != 0;
    let goal = Goal {
        machine: &scheduled,
        software: &software,
        expected: &expected,
        violates: &violates,
    };
    let run = schedule::schedule(&goal).ok_or_else(|| {
        NoStory(format!(
            "the trace of {} steps to a violation of {} cannot be taken with scheduled caches: the two cache modes disagree",
            software.len(),
            id.name()
        ))
    })?;
    let run = minimise::minimise(&goal, run);
    let certified = match id {
        PropertyId::Live => certify(
            &Arc::new(quiet::Quiet(Arc::clone(&scheduled))),
            id,
            &run.steps(),
        )
        .map(|_| ()),
        _ => certify(&scheduled, id, &run.steps()).map(|_| ()),
    };
    certified.map_err(|wrong| NoStory(format!("with scheduled caches: {wrong}")))?;

    let (executed, bytes) = executed::execute(&scheduled, &run, id);
    let cause = cause::cause(&scheduled, &run, id, &violates);
    let rows = rows::rows(&scheduled, &run, &cause.events(), folds);
    let row_of = |event| {
        let row = rows.iter().position(|row| row.events.contains(&event));
        row.map_or(0, |row| row + 1)
    };
    let end = match id {
        PropertyId::Live if is_deadlock(&quiet::Quiet(Arc::clone(&scheduled)), &run.end) => {
            "no step is possible any more".to_owned()
        }
        PropertyId::Live => {
            "no state without operations in progress can be reached any more".to_owned()
        }
        _ => run.wrong(&scheduled, id),
    };
    let because = cause.sentence(&row_of);
    let events = run.events();
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    Ok(Story {
        steps: (
            count(|event| matches!(event, Event::Software(_))),
            count(|event| matches!(event, Event::Fill(..))),
            count(|event| matches!(event, Event::Effect(_))),
        ),
        about,
        end,
        because,
        cause,
        rows,
        executed,
        bytes,
        tells_bytes: false,
    })
}

/// How a story is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For terminals: each actor has its place on the line
    #[default]
    Text,
    /// A table with a column for each actor
    Markdown,
    /// For programs
    Json,
    /// A sequence diagram
    Mermaid,
}

impl Story {
    /// The story in a format.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self),
            Format::Markdown => markdown::render(self),
            Format::Json => json::render(self),
            Format::Mermaid => mermaid::render(self),
        }
    }

    /// Who acts, in the order of columns.
    fn columns(&self) -> Vec<String> {
        let mut actors: Vec<_> = self.rows.iter().map(|row| &row.actor).collect();
        actors.sort();
        let mut columns: Vec<_> = actors.into_iter().map(column).collect();
        columns.dedup();
        columns
    }

    /// What a row says. The kernel has one column, whoever called it, and says for whom it works where that is not plain.
    fn says(&self, row: &Row) -> String {
        let mut callers: Vec<_> = self
            .rows
            .iter()
            .filter_map(|row| caller(&row.actor))
            .collect();
        callers.sort_unstable();
        callers.dedup();
        match caller(&row.actor) {
            Some(caller) if callers.len() > 1 => format!("for {caller}: {}", row.what),
            _ => row.what.clone(),
        }
    }

    /// `P-S1 of atc-before-tlbi is violated`
    fn title(&self) -> String {
        let About { property, spec, .. } = &self.about;
        format!("{} of {spec} is violated", property.name())
    }

    /// Under which circumstances.
    fn circumstances(&self) -> String {
        let About {
            threat,
            devices,
            scope,
            part,
            ..
        } = &self.about;
        format!(
            "{} guest, {} devices; scope {scope}, part {part}",
            threat.name(),
            devices.name()
        )
    }

    /// What a row stores and queues, if that is told.
    fn bytes_of(&self, row: &Row) -> Vec<&str> {
        let events = row.events.clone().filter(|_| self.tells_bytes);
        let lines = events.filter_map(|event| self.bytes.get(event));
        lines.flatten().map(String::as_str).collect()
    }

    /// What the reader may rely on.
    fn certificate(&self) -> String {
        let (software, fills, effects) = self.steps;
        let fetches = match fills {
            0 => "hardware need not fetch anything for it".to_owned(),
            _ => format!(
                "{fills} fetches of hardware, without any one of which it does not end like this"
            ),
        };
        format!(
            "by taking it with scheduled caches: {software} steps of software, {effects} commands that take effect; {fetches}"
        )
    }
}

/// The column of an actor.
fn column(actor: &Actor) -> String {
    match actor {
        Actor::Kernel(_) => "kernel".to_owned(),
        other => other.to_string(),
    }
}

fn caller(actor: &Actor) -> Option<&str> {
    match actor {
        Actor::Kernel(caller) => Some(caller),
        _ => None,
    }
}
