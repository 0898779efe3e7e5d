//! How many transitions a second both searches take: every part of scope `quick` of two variants, under all that they have claims for.
//!
//! `cargo bench --bench searches` prints the best of some rounds, in which the searches take turns; neighbours on the machine slow some
//! rounds down and never speed one up. `-- levels 1` is one round of one search, for a profiler. What the numbers were:
//! docs/search-speed.md.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use model::{CacheMode, Machine};
use nestcheck::scope::Choice;
use nestcheck::search::{Control, Limits, levels, machine::machine, stateright};
use nestcheck::spec;
use vocab::PropertyId;

/// One that holds, and the one whose state spaces are largest.
const VARIANTS: [&str; 2] = ["native-batched", "strong-guest-cd-trapped"];
const SEARCHES: [&str; 2] = ["levels", "stateright"];
const ROUNDS: usize = 7;

/// A machine, and what it is asked.
struct Run {
    machine: Arc<Machine>,
    asks: u16,
}

/// What a round took.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counted {
    states: u64,
    transitions: u64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let only = words.iter().find(|word| SEARCHES.contains(&word.as_str()));
    let rounds = words.iter().find_map(|word| word.parse().ok());
    println!("variant                  search      states   transitions  transitions/s");
    for variant in VARIANTS {
        let runs = runs(variant);
        let mut best = [Duration::MAX; SEARCHES.len()];
        let mut counts: Option<Counted> = None;
        for _ in 0..rounds.unwrap_or(ROUNDS) {
            for (search, best) in SEARCHES.into_iter().zip(&mut best) {
                if only.is_some_and(|only| only != search) {
                    continue;
                }
                let began = Instant::now();
                let counted = round(search, &runs);
                *best = began.elapsed().min(*best);
                assert!(
                    *counts.get_or_insert(counted) == counted,
                    "two rounds of {variant} found different state spaces"
                );
            }
        }
        let counted = counts.expect("there is a round");
        for (search, best) in SEARCHES.into_iter().zip(best) {
            if best == Duration::MAX {
                continue;
            }
            let rate = counted.transitions as f64 / best.as_secs_f64();
            let Counted {
                states,
                transitions,
            } = counted;
            println!("{variant:<24} {search:<10} {states:>8} {transitions:>13} {rate:>14.0}");
        }
    }
}

/// Every part of the scope, under every threat and kind of device.
fn runs(variant: &str) -> Vec<Run> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("specs/{variant}.toml"));
    let spec = spec::read(&path).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    let quick: Choice = "quick".parse().expect("it is a scope's name");
    let parts = quick.parts(&spec).expect("every spec has it");
    let mut runs = Vec::new();
    for &(threat, devices) in spec.expect.keys() {
        for part in parts.iter().filter(|part| part.threats.contains(&threat)) {
            let machine = machine(&spec, part, threat, devices, CacheMode::Saturated);
            let asks = part.asks.iter().map(|id: &PropertyId| id.bit());
            runs.push(Run {
                machine: Arc::new(machine),
                asks: asks.fold(0, |asks, bit| asks | bit),
            });
        }
    }
    runs
}

/// One search of each machine.
fn round(search: &str, runs: &[Run]) -> Counted {
    let interrupt = AtomicBool::new(false);
    let mut sum = Counted {
        states: 0,
        transitions: 0,
    };
    for run in runs {
        let control = Control::new(Limits::default(), &interrupt, &|_| {});
        let (states, transitions) = match search {
            "levels" => {
                let found = levels::search(&*run.machine, run.asks, &control);
                (found.states, found.transitions)
            }
            _ => {
                let found = stateright::search(&run.machine, run.asks, &control, 1);
                (found.states, found.transitions)
            }
        };
        sum.states += states;
        sum.transitions += transitions;
    }
    sum
}
