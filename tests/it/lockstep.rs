//! The model against the engine, over whole graphs.

use std::path::Path;

use nestcheck::job::{Engine, Options};
use nestcheck::lockstep::job::{Driven, Outcome, run};
use nestcheck::scope::Choice;
use nestcheck::search::Limits;
use nestcheck::{files, spec};

/// Every shipped variant and every known bug, under every threat and with every kind of devices that it has claims for.
#[test]
fn every_graph_of_the_tiny_scope() {
    drive(
        "tiny",
        &[
            "specs",
            "specs/mutants",
            "specs/corpus",
            "specs/corpus/fixed",
        ],
        10_000,
    );
}

/// Larger graphs: all that have at most as many states; each run says on stderr what was left out.
#[test]
fn graphs_of_the_quick_scope() {
    if std::env::var_os("SLOW_TESTS").is_some() {
        drive("quick", &["specs"], 200_000);
    } else {
        eprintln!(
            "only two variants, and of their graphs those of up to 6,000 states: SLOW_TESTS=1 drives all"
        );
        let some = ["specs/native-batched.toml", "specs/strong-asid-only.toml"];
        drive("quick", &some, 6_000);
    }
}

fn drive(scope: &str, paths: &[&str], most: u64) {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| Path::new(path).to_owned())
        .collect();
    let specs: Vec<_> = files::named(&paths)
        .unwrap_or_else(|error| panic!("{error}"))
        .iter()
        .map(|path| spec::read(path).unwrap_or_else(|errors| panic!("{}", errors.render(false))))
        .collect();
    let options = Options {
        threat: None,
        devices: None,
        scope: scope.parse::<Choice>().expect("a scope"),
        limits: Limits::default(),
        engine: Engine::Levels,
        caches: model::CacheMode::Saturated,
    };
    let tell = |one: &Driven| eprintln!("{}", one.rate());
    let driven = run(&specs, &options, most, tell).expect("parts to drive");
    let (mut stale, mut agreed) = (0, 0);
    for one in &driven {
        match &one.outcome {
            Outcome::Agreed(compared) => {
                agreed += 1;
                stale += compared.stale;
                assert!(
                    compared.accesses > 0,
                    "{} {}: nothing compared",
                    one.spec,
                    one.part
                );
            }
            Outcome::NotDriven(why) => {
                eprintln!("{} {}: {why}", one.spec, one.part);
                assert!(scope != "tiny", "{} {}: {why}", one.spec, one.part);
            }
            Outcome::Differs(difference) => panic!("{} {}:\n{difference}", one.spec, one.part),
        }
    }
    assert!(
        agreed > 10,
        "most of a scope was left out: {agreed} graphs driven"
    );
    assert!(
        stale > 0,
        "nothing stale was ever met: a comparison of empty caches"
    );
}
