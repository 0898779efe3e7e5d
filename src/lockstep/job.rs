//! The job of `lockstep`: every part of a scope whose graph is small enough, under every threat and with every kind of devices.

use std::time::{Duration, Instant};

use model::{CacheMode, Machine};
use rayon::prelude::*;
use vocab::{Devices, Threat};

use super::{Compared, Difference, Graph, NoGraph, Pace, drive};
use crate::exit::Exit;
use crate::job::{Options, pairs_of};
use crate::search::machine::machine;
use crate::spec::{Part, Spec};

/// One part of one spec, under one threat and with one kind of devices.
#[derive(Debug)]
pub struct Driven {
    /// The spec's name.
    pub spec: String,
    /// What guests may do.
    pub threat: Threat,
    /// What devices may do.
    pub devices: Devices,
    /// The part's name.
    pub part: String,
    /// What was compared, at either pace.
    pub outcome: Outcome,
    /// How long it took; never printed on stdout.
    pub time: Duration,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The whole graph was driven and every answer is one that the model allows.
    Agreed(Box<Compared>),
    /// An answer that the model does not allow.
    Differs(Box<Difference>),
    /// Nothing was driven, and why.
    NotDriven(NoGraph),
}

impl Driven {
    /// How many accesses were compared.
    pub fn accesses(&self) -> u64 {
        match &self.outcome {
            Outcome::Agreed(compared) => compared.accesses,
            Outcome::Differs(_) | Outcome::NotDriven(_) => 0,
        }
    }

    /// How it ended and how fast it was, for stderr.
    pub fn rate(&self) -> String {
        let seconds = self.time.as_secs_f64();
        let end = match self.outcome {
            Outcome::Agreed(_) => "",
            Outcome::Differs(_) => "DIFFERS, ",
            Outcome::NotDriven(_) => "not driven, ",
        };
        format!(
            "{} {} {} {}: {end}{seconds:.1} s, {:.0} accesses a second",
            self.spec,
            self.threat.name(),
            self.devices.name(),
            self.part,
            self.accesses() as f64 / seconds
        )
    }

    /// What the process ends with, if this is all that it did.
    pub fn exit(&self) -> Exit {
        match self.outcome {
            Outcome::Agreed(_) => Exit::AsExpected,
            Outcome::Differs(_) => Exit::Internal,
            Outcome::NotDriven(_) => Exit::Incomplete,
        }
    }
}

/// Drives everything, on all cores; each is told as soon as it is driven. Errors are the user's.
pub fn run(
    specs: &[Spec],
    options: &Options,
    most: u64,
    tell: impl Fn(&Driven) + Sync,
) -> Result<Vec<Driven>, String> {
    let mut work = Vec::new();
    for spec in specs {
        let parts = options.scope.parts(spec)?;
        for pair in pairs_of(spec, &parts, options)? {
            let chosen = parts.iter().filter(|part| part.threats.contains(&pair.0));
            work.extend(chosen.map(|part| (spec, part.clone(), pair)));
        }
    }
    if work.is_empty() {
        return Err(
            "there is nothing to drive: no part of the scope is run under what is asked for"
                .to_owned(),
        );
    }
    Ok(work
        .into_par_iter()
        .map(|(spec, part, pair)| one(spec, &part, pair, most))
        .inspect(|driven| tell(driven))
        .collect())
}

fn one(spec: &Spec, part: &Part, (threat, devices): (Threat, Devices), most: u64) -> Driven {
    let began = Instant::now();
    let machine = machine(spec, part, threat, devices, CacheMode::Saturated);
    Driven {
        spec: spec.name.clone(),
        threat,
        devices,
        part: part.name.clone(),
        outcome: compare(&machine, most),
        time: began.elapsed(),
    }
}

fn compare(machine: &Machine, most: u64) -> Outcome {
    let graph = match Graph::of(machine, most) {
        Ok(graph) => graph,
        Err(why) => return Outcome::NotDriven(why),
    };
    let mut whole = Compared::default();
    for pace in [Pace::AtOnce, Pace::AtSync] {
        match drive(machine, &graph, pace) {
            Ok(compared) => whole.add(&compared),
            Err(difference) => return Outcome::Differs(difference),
        }
    }
    Outcome::Agreed(Box::new(whole))
}
