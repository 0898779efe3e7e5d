//! The job of `explain`: the shortest violation of one property, told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{CacheMode, Machine, State, Step};
use vocab::{Devices, PropertyId, Threat};

use super::plan::pairs_of;
use super::{Options, Watch};
use crate::exit::Error;
use crate::search::{Control, Outcome, System, Why, levels, machine::machine};
use crate::spec::{Part, Spec};
use crate::story::{self, About, Story};

/// What came of it.
pub enum Explained {
    /// The story.
    Story(Box<Story>),
    /// There is none: the property is not violated, or nobody knows. Says why.
    Nothing(String),
    /// The user interrupted before a violation was found.
    Interrupted(String),
}

/// A violation that was found.
struct Violation {
    machine: Arc<Machine>,
    path: Vec<Step>,
    about: About,
}

/// Looks for the shortest violation over all parts of the first threat and kind of devices that has one, and tells it.
pub fn explain(
    spec: &Spec,
    id: PropertyId,
    folds: bool,
    options: &Options,
    watch: &dyn Watch,
) -> Result<Explained, Error> {
    let parts = options.scope.parts(spec).map_err(Error::Usage)?;
    let pairs = pairs_of(spec, &parts, options).map_err(Error::Usage)?;
    let mut looked = Vec::new();
    for &pair in &pairs {
        let mut best: Option<Violation> = None;
        let shows = |part: &&Part| {
            let bug = spec.bug.as_ref();
            part.threats.contains(&pair.0) && bug.is_none_or(|bug| bug.shown_in(&part.name))
        };
        for part in parts.iter().filter(shows) {
            let judged = model::property::Property::of(id).is_judged(pair.0);
            if !part.asks.contains(&id) || !judged {
                continue;
            }
            let (found, said) = search(spec, part, pair, id, options, watch)?;
            if watch.interrupt().load(Ordering::Relaxed) && found.is_none() {
                return Ok(Explained::Interrupted(said));
            }
            looked.push(said);
            best = match (best, found) {
                (Some(best), Some(found)) if best.path.len() <= found.path.len() => Some(best),
                (best, found) => found.or(best),
            };
        }
        if let Some(Violation {
            machine,
            path,
            about,
        }) = best
        {
            let story = story::tell(&machine, about, &path, folds);
            return story
                .map(|story| Explained::Story(Box::new(story)))
                .map_err(|wrong| Error::Internal(format!("{}: {wrong}", spec.name)));
        }
    }
    let (path, name) = (spec.path.display(), id.name());
    Ok(Explained::Nothing(match looked.is_empty() {
        true => format!(
            "{path}: no part of scope `{}` that is run here judges {name}",
            options.scope.name()
        ),
        false => format!(
            "{path}: no violation of {name} to explain: {}",
            looked.join("; ")
        ),
    }))
}

/// Searches a part until the first violation. Also says what was searched.
fn search(
    spec: &Spec,
    part: &Part,
    (threat, devices): (Threat, Devices),
    id: PropertyId,
    options: &Options,
    watch: &dyn Watch,
) -> Result<(Option<Violation>, String), Error> {
    let machine = Arc::new(machine(spec, part, threat, devices, CacheMode::Saturated));
    let (threat_name, devices_name) = (threat.name(), devices.name());
    let name = format!("{} {threat_name} {devices_name} {}", spec.name, part.name);
    watch.begins(&name);
    let done = Arc::new(AtomicBool::new(false));
    let first = First {
        machine: Arc::clone(&machine),
        id,
        done: Arc::clone(&done),
    };
    let tell = |progress| {
        watch.progress(progress);
        done.fetch_or(watch.interrupt().load(Ordering::Relaxed), Ordering::Relaxed);
    };
    let control = Control::new(options.limits.clone(), &done, &tell);
    let found = levels::search(&first, id.bit(), &control);
    let mut summary = found.summary();
    if found.violated & id.bit() != 0 {
        // It was not interrupted: it had seen enough.
        summary.stopped = None;
    }
    watch.ends(&name, &summary, control.began.elapsed());
    let states = found.states;
    let Some((_, path)) = found.paths.iter().find(|(violated, _)| *violated == id) else {
        let how = match &found.stopped {
            None => "all visited".to_owned(),
            Some(Why::Interrupted) => "interrupted".to_owned(),
            Some(why) => why.to_string(),
        };
        return Ok((
            None,
            format!(
                "{threat_name} guest, {devices_name} devices, part {}: {states} states, {how}",
                part.name
            ),
        ));
    };
    let path = path.clone();
    let about = About {
        spec: spec.name.clone(),
        title: spec.title.clone(),
        property: id,
        threat,
        devices,
        scope: options.scope.name().to_owned(),
        part: part.name.clone(),
    };
    Ok((
        Some(Violation {
            machine,
            path,
            about,
        }),
        String::new(),
    ))
}

/// The machine, which has seen enough when it meets the first violation: a level-by-level search meets a nearest one first.
struct First {
    machine: Arc<Machine>,
    id: PropertyId,
    done: Arc<AtomicBool>,
}

impl System for First {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        self.machine.initial()
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.machine.steps(state, steps);
    }

    fn apply(&self, state: &State, step: Step) -> Outcome<State> {
        System::apply(&*self.machine, state, step)
    }

    fn judge(&self, state: &State, asked: u16) -> u16 {
        let violated = self.machine.judge(state, asked);
        if violated & self.id.bit() != 0 {
            self.done.store(true, Ordering::Relaxed);
        }
        violated
    }

    fn is_idle(&self, state: &State) -> bool {
        self.machine.is_idle(state)
    }
}
