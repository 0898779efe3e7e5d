//! The engine against a third reading of the manual, at random, in large shapes.
//!
//! `tests/it/lockstep.rs` drives every state of the model through the engine, at the smallest bounds. Here the bounds are large and the
//! walk through them is random: eight devices, two guests and a host, all granules, levels and block sizes in both stages, concatenated
//! tables, TTB0 and TTB1, global entries, linear and two-level CD and stream tables, S1DSS, ATS, ranges and hints in TLBI commands,
//! three command queues.
//!
//! * **World** (`world`, `table`, `config`, `shape`): what software means its structures to say, and the same as bytes, encoded by hand.
//!   Nothing here reads a byte back.
//! * **Reference** (`reference`, `past`, `need`): the set of answers that an access may get. A location of memory has its value and,
//!   until the invalidations that its change asks for are complete, its earlier ones; a walk may read any of them at each step. So an
//!   access has several answers while changes are open and one when none is. `past` says when a change is followed: stage by stage (TLBI,
//!   CMD_SYNC, CMD_ATC_INV, CMD_SYNC), each with commands that cover all that could be kept. What no cache may keep has no past: a new
//!   mapping works at once.
//! * **Answers** (`answer`): physical address, rights and reach; or the fault with its whole record, and whether the device sees an
//!   abort. Nothing else of the engine is looked at.
//! * **Operations** (`operation`, `change`, `run`): each is valid in any state. Operands name places, not what earlier operations made;
//!   what makes no sense does nothing, what is not allowed yet waits until older changes are followed (break before make, an ASID is used
//!   again only when flushed). Any list of operations is a run and so is each part of it: proptest's own vectors draw and shrink them, and
//!   the same operations, one a line, are the files of tests/traces. proptest-state-machine would draw from a model's state what is
//!   possible next; with operations that are always possible there is nothing for it to do.
//! * **Units** (`unit`, `board`): every access is made through six kinds of caches and six sets of ATCs, which see the same commands.
//! * **Hostile guests** write anything into their own tables and CDs. Of their devices only isolation is asked for: they reach what their
//!   stage 2 leads to. Of all others the answers are compared as before, and the queues go on.
//! * **Threads** (`threads`): devices translate while software unmaps and invalidates; when CMD_SYNC has returned, nobody uses what is gone.
//! * **Mistakes** (`alter`): commands lost, narrowed or changed on their way to the engine, each of which has to be found.
//!
//! A difference is shrunk and written to tests/traces, where it stays. By default a fixed number of runs is drawn from a fixed seed;
//! with `NESTCHECK_RANDOM_SECONDS=n` new ones are for n seconds.
//!
//! Not drawn: stalled transactions, HTTU, TBI, WXN and PAN, hierarchical attributes switched off (HAD), STE.{PRIVCFG,INSTCFG}, IOVAs
//! that are not canonical, contiguous entries, more than one set of features.

mod alter;
mod answer;
mod board;
mod change;
mod config;
mod coverage;
mod geometry;
mod need;
mod operation;
mod past;
mod reference;
mod run;
mod shape;
mod table;
mod threads;
mod trace;
mod unit;
mod words;
mod world;

use std::cell::RefCell;
use std::time::{Duration, Instant};
use std::{env, fs};

use engine::layout::Command;
use engine::{Asid, CommandError, CommandQueue, Features, Registers, Smmu, Stopped, Vmid};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use vm_memory::{Bytes, GuestAddress};

use self::alter::Alteration;
use self::coverage::Coverage;
use self::run::{Case, run};
use self::world::Memory;

/// Runs of honest guests that are drawn by default: about eight seconds.
const HONEST: u32 = 2_000;
/// Of hostile ones: about two.
const HOSTILE: u32 = 500;

/// Every answer is one that the manual allows; and the runs have met what there is to meet.
#[test]
fn every_answer_is_allowed() {
    let coverage = draw(false, HONEST);
    let mut coverage = coverage.into_inner();
    without_a_stage(&mut coverage);
    eprintln!("{coverage}");
    let missing = coverage.missing();
    assert!(missing.is_empty(), "the runs have not met: {missing:#?}");
}

/// Whatever a guest writes into its tables, its devices stay within its stage 2, and others' notice nothing.
#[test]
fn hostile_guests_reach_nothing_else() {
    let coverage = draw(true, HOSTILE).into_inner();
    eprintln!("{coverage}");
    assert!(
        coverage.isolated > 100_000,
        "hostile guests' devices have hardly accessed anything"
    );
    assert!(
        coverage.reached > 1_000,
        "hostile guests' devices have hardly reached anything"
    );
}

/// If stage 2 could be left behind, that would be seen: where no TLBI arrives, hostile guests' devices reach what was taken away.
#[test]
fn a_hostile_guest_that_reaches_more_is_found() {
    let lost = Some(Alteration::NoTlbi);
    let found = runner(1, HOSTILE, 0).run(&Case::any(true), |case| {
        match run(&case, lost, &mut Coverage::default()) {
            Err(why) if why.contains("a hostile guest's device reaches") => {
                Err(TestCaseError::fail(why))
            }
            _ => Ok(()),
        }
    });
    assert!(found.is_err(), "nobody noticed");
}

/// Each mistake on the way from software to the engine is found within the default number of runs.
#[test]
fn every_mistake_is_found() {
    for mistake in Alteration::ALL {
        let began = Instant::now();
        let coverage = RefCell::new(Coverage::default());
        // Found is enough; nobody needs to read it.
        let found = runner(1, HONEST, 0).run(&Case::any(false), |case| {
            run(&case, Some(mistake), &mut coverage.borrow_mut()).map_err(TestCaseError::fail)
        });
        let Err(TestError::Fail(why, _)) = found else {
            panic!("{mistake:?} is not found: {found:?}");
        };
        assert!(
            why.message().contains("allowed:"),
            "{mistake:?} is found by something else than an answer: {why}"
        );
        eprintln!(
            "{mistake:?}: found in run {}, after {:.2?}",
            coverage.borrow().runs,
            began.elapsed()
        );
    }
}

/// What is found is told in a few operations.
#[test]
fn what_is_found_shrinks() {
    for mistake in [Alteration::NoTlbiByAddress, Alteration::ShortAtcInv] {
        let found = runner(1, HONEST, 20_000).run(&Case::any(false), |case| {
            run(&case, Some(mistake), &mut Coverage::default()).map_err(TestCaseError::fail)
        });
        let Err(TestError::Fail(why, case)) = found else {
            panic!("{mistake:?} is not found: {found:?}");
        };
        eprintln!("{}", trace::print(&case, &format!("{mistake:?}: {why}")));
        assert!(
            case.operations.len() <= 6,
            "{} operations are left",
            case.operations.len()
        );
    }
}

/// Every run that once found something, and some that were written by hand.
#[test]
fn every_trace_is_as_it_should_be() {
    let traces = trace::all();
    assert!(
        !traces.is_empty(),
        "no traces under {}",
        trace::directory().display()
    );
    for path in traces {
        let name = path.display();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let case = trace::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let result = run(&case, None, &mut Coverage::default());
        result.unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

/// A trace is what it is printed as; and a run whose commands are lost does not replay as one where they are not.
#[test]
fn a_trace_is_read_as_it_was_written() {
    let case = Case::any(true)
        .new_tree(&mut runner(3, 1, 0))
        .expect("a run can be drawn")
        .current();
    let text = trace::print(&case, "two\nlines");
    let again = trace::parse(&text).expect("what was printed can be read");
    assert_eq!(text, trace::print(&again, "two\nlines"));
    let wrong = trace::parse(&text.replace("\"page\"", "\"pgae\""));
    assert!(
        wrong.is_err_and(|why| why.starts_with("line ")),
        "a misspelt operand is an error with its line"
    );
}

/// When CMD_SYNC has returned, no thread uses what was invalidated; and who does not wait for it is found out.
#[test]
fn no_thread_uses_what_is_gone() {
    let shape = shape::Shape::SMALLEST;
    let time = Duration::from_millis(1_000);
    let outcome = threads::run(&shape, time, false);
    eprintln!("{outcome:?}");
    assert!(
        outcome.changes >= 12 && outcome.used > 1_000,
        "too little happened: {outcome:?}"
    );
    assert_eq!(
        outcome.stale,
        [0, 0],
        "a translation was used after the CMD_SYNC that ended it"
    );
    let mistaken = threads::run(&shape, time, true);
    eprintln!("noted before CMD_SYNC: {mistaken:?}");
    assert!(
        mistaken.stale.iter().all(|stale| *stale > 0),
        "a mistake that nobody notices"
    );
}

fn runner(seed: u64, cases: u32, shrink: u32) -> TestRunner {
    let mut bytes = [0; 32];
    bytes
        .chunks_mut(8)
        .for_each(|chunk| chunk.copy_from_slice(&seed.to_le_bytes()));
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: shrink,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Draws runs: so many, or for as long as the environment says. What is found is shrunk and kept, unless the environment has proptest's
/// own word for nothing to be kept.
fn draw(hostile: bool, cases: u32) -> RefCell<Coverage> {
    let coverage = RefCell::new(Coverage::default());
    let seconds = env::var("NESTCHECK_RANDOM_SECONDS").ok();
    let time = seconds.map(|seconds| {
        Duration::from_secs(
            seconds
                .parse()
                .expect("NESTCHECK_RANDOM_SECONDS is a number"),
        )
    });
    let keeps_nothing = env::var_os("PROPTEST_DISABLE_FAILURE_PERSISTENCE").is_some();
    let began = Instant::now();
    for seed in 1.. {
        let shrink = if keeps_nothing { 0 } else { 20_000 };
        let result = runner(seed, cases, shrink).run(&Case::any(hostile), |case| {
            run(&case, None, &mut coverage.borrow_mut()).map_err(TestCaseError::fail)
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(why, _)) if keeps_nothing => panic!("{why}"),
            Err(TestError::Fail(why, case)) => {
                let path = trace::keep(&case, &why.to_string());
                panic!("{why}\nkept as {}", path.display());
            }
            Err(TestError::Abort(why)) => panic!("{why}"),
        }
        if time.is_none_or(|time| began.elapsed() > time) {
            break;
        }
    }
    let runs = coverage.borrow().runs;
    let rate = runs as f64 / began.elapsed().as_secs_f64();
    eprintln!("{runs} runs, {rate:.0} a second");
    if time.is_none() {
        eprintln!("all of one seed: NESTCHECK_RANDOM_SECONDS=60 draws more");
    }
    coverage
}

/// The TLBI commands that are refused only where a stage is missing: 4.4.2, 4.4.3.
fn without_a_stage(coverage: &mut Coverage) {
    let stage2_only = Features {
        s1p: false,
        ..Features::all()
    };
    let stage1_only = Features {
        s2p: false,
        ..Features::all()
    };
    let (vmid, asid) = (Vmid(1), Asid(1));
    let refused = [
        (stage2_only, Command::TlbiNhAll { vmid }),
        (stage2_only, Command::TlbiNhAsid { vmid, asid }),
        (stage1_only, Command::TlbiS12Vmall { vmid }),
    ];
    for (features, command) in refused {
        let memory =
            Memory::from_ranges(&[(GuestAddress(0), 0x1000)]).expect("a page of memory can be had");
        let smmu = Smmu::new(memory, features);
        smmu.configure(Registers {
            cmdqen: true,
            ..Registers::RESET
        });
        let words = words::command(&command);
        for (word, at) in words.into_iter().zip([0, 8]) {
            smmu.memory()
                .write_obj(word, GuestAddress(at))
                .expect("the queue lies in memory");
        }
        let mut queue = CommandQueue::new(0, 2);
        queue.set_prod(1);
        assert_eq!(
            smmu.consume_all(&mut queue, &()),
            Stopped::Error(CommandError::Ill),
            "{command:?}"
        );
        coverage.refused(words);
    }
}
