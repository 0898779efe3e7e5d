//! Where the two readings meet, as fast as it can be: it ends at the first answer of the engine that the model does not allow.

use std::path::Path;

use nestcheck::job::{Engine, Options};
use nestcheck::lockstep::job::{Outcome, run};
use nestcheck::scope::Choice;
use nestcheck::search::Limits;
use nestcheck::{files, spec};
use rayon::prelude::*;

/// Every shipped variant, and every one with a mistake in it, in the tiny scope.
#[test]
fn no_answer_differs() {
    let paths = ["specs", "specs/mutants"].map(|path| Path::new(path).to_owned());
    let specs: Vec<_> = files::named(&paths)
        .expect("specs are shipped")
        .iter()
        .map(|path| spec::read(path).unwrap_or_else(|errors| panic!("{errors}")))
        .collect();
    let options = Options {
        threat: None,
        devices: None,
        scope: "tiny".parse::<Choice>().expect("a scope"),
        limits: Limits::default(),
        engine: Engine::Levels,
        caches: model::CacheMode::Saturated,
    };
    let difference = specs.par_iter().find_map_any(|spec| {
        let driven = run(std::slice::from_ref(spec), &options, 10_000).expect("parts to drive");
        driven.iter().find_map(|one| match &one.outcome {
            Outcome::Agreed(_) => None,
            Outcome::Differs(difference) => {
                Some(format!("{} {}:\n{difference}", one.spec, one.part))
            }
            Outcome::NotDriven(why) => Some(format!("{} {}: {why}", one.spec, one.part)),
        })
    });
    if let Some(difference) = difference {
        panic!("{difference}");
    }
}
