//! Measured values beside what they should be.
//!
//! Times: rounds of all cases in turn, and the best of each, so that neighbours on the machine disturb all alike. Instructions:
//! this program runs itself under valgrind's callgrind, twice a case, and divides the difference; these counts do not move with the
//! neighbours. Without valgrind they are left out, and that is said.
//!
//! `cargo bench --bench targets`; `-- --quick` for one short round.

#[path = "support/config_only.rs"]
mod config_only;
mod support;

use std::hint::black_box;
use std::process::Command as Process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config_only::ConfigOnly;
use engine::cache::{Caches, Fast, NoCaches};
use engine::layout::{Command, RangeHint};
use engine::{Asid, Iova, Tbu, Transaction, Vmid};
use support::{Machine, Memory, machine};
use vm_memory::{GuestAddress, Iotlb, Permissions};

const PAGES: u64 = 8192;

fn sum<C: Caches>(tbu: &mut Tbu<'_, Memory, C>, transactions: &[Transaction], times: usize) -> u64 {
    let mut burst = tbu.burst();
    let mut sum = 0;
    let mut left = times;
    while left > 0 {
        let round = &transactions[..left.min(transactions.len())];
        left -= round.len();
        for transaction in round {
            match burst.translate(transaction) {
                Ok(translation) => sum ^= translation.pa.0,
                Err(refusal) => panic!("{refusal:?}"),
            }
        }
    }
    sum
}

/// The same in batches, as a device with a queue of requests would.
fn sum_all<C: Caches>(
    tbu: &mut Tbu<'_, Memory, C>,
    transactions: &[Transaction],
    times: usize,
) -> u64 {
    let mut burst = tbu.burst();
    let mut answers = Vec::with_capacity(64);
    let mut sum = 0;
    let requests = transactions.chunks(64).cycle();
    let mut left = times;
    for request in requests {
        let request = &request[..left.min(request.len())];
        left -= request.len();
        answers.clear();
        burst.translate_all(request, &mut answers);
        for answer in &answers {
            match answer {
                Ok(translation) => sum ^= translation.pa.0,
                Err(refusal) => panic!("{refusal:?}"),
            }
        }
        if left == 0 {
            break;
        }
    }
    sum
}

/// Each translation's address depends on the one before: bits 63:60 of an address are 0, which the compiler does not know.
fn chain<C: Caches>(
    tbu: &mut Tbu<'_, Memory, C>,
    transactions: &[Transaction],
    times: usize,
) -> u64 {
    let mut burst = tbu.burst();
    let mut pa = 0u64;
    for step in 0..times {
        let index = (step + (pa >> 60) as usize) % transactions.len();
        match burst.translate(&transactions[index]) {
            Ok(translation) => pa = translation.pa.0,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }
    pa
}

const NH_ASID: Command = Command::TlbiNhAsid {
    vmid: Vmid(3),
    asid: Asid(7),
};
const NH_ALL: Command = Command::TlbiNhAll { vmid: Vmid(3) };

fn nh_va(transaction: &Transaction) -> Command {
    Command::TlbiNhVa {
        vmid: Vmid(3),
        asid: Asid(7),
        address: Iova(transaction.address.0 & !0xfff),
        leaf: true,
        hint: RangeHint::default(),
    }
}

/// Caches that have seen `pages` pages.
fn filled(machine: &Machine, pages: u64, caches: Fast) -> Fast {
    let mut tbu = machine.smmu.tbu_with(caches).expect("seats");
    black_box(sum(&mut tbu, &machine.transactions, pages as usize));
    tbu.into_caches()
}

/// What is timed or counted: does it so many times.
type Case<'a> = (&'static str, f64, Box<dyn FnMut(usize) -> u64 + 'a>);

fn invalidations<'a>(
    mut caches: Fast,
    mut command: impl FnMut(usize) -> Command + 'a,
) -> Box<dyn FnMut(usize) -> u64 + 'a> {
    let mut at = 0;
    Box::new(move |times| {
        for step in at..at + times {
            caches.invalidate(black_box(&command(step)));
        }
        at += times;
        caches.over_invalidations()
    })
}

/// Does a case's next so many transactions at each call.
fn onwards<'a>(
    transactions: &'a [Transaction],
    mut run: impl FnMut(&[Transaction], usize) -> u64 + 'a,
) -> Box<dyn FnMut(usize) -> u64 + 'a> {
    let mut at = 0;
    Box::new(move |times| {
        let from = at % transactions.len();
        at += times;
        run(&transactions[from..], times)
    })
}

/// Every case that is timed, with its target in nanoseconds.
fn cases<'a>(machine: &'a Machine, large: &'a Machine, huge: &'a Machine) -> Vec<Case<'a>> {
    let transactions = &machine.transactions[..];
    let tbu = |caches| machine.smmu.tbu_with(caches).expect("seats");
    let mut hit = tbu(Fast::new(14, 11, 11));
    let mut dependent = tbu(Fast::new(14, 11, 11));
    let mut miss = tbu(Fast::new(3, 3, 11));
    let mut batched = tbu(Fast::new(3, 3, 11));
    let cold = |caches| huge.smmu.tbu_with(caches).expect("seats");
    let (mut cold, mut cold_batched) = (cold(Fast::new(3, 3, 14)), cold(Fast::new(3, 3, 14)));
    let warm = |caches| large.smmu.tbu_with(caches).expect("seats");
    let (mut warm, mut warm_batched) = (warm(Fast::new(3, 3, 11)), warm(Fast::new(3, 3, 11)));
    let config_only = ConfigOnly(Fast::new(3, 3, 3));
    let mut walk = machine.smmu.tbu_with(config_only).expect("seats");
    let mut nothing = machine.smmu.tbu_with(NoCaches).expect("seats");
    let forgetting = move |times: usize| {
        let mut sum = 0;
        for transaction in transactions.iter().cycle().take(times) {
            sum ^= nothing.burst().translate(transaction).map_or(0, |t| t.pa.0);
        }
        sum
    };
    let small = |pages| filled(machine, pages, Fast::new(17, 11, 11));
    let mut peer = Iotlb::new();
    for page in 0..16 {
        peer.set_mapping(
            GuestAddress(page * 0x2000),
            GuestAddress(page << 20),
            0x1000,
            Permissions::ReadWrite,
        )
        .expect("mapped");
    }
    vec![
        (
            "TLB hit, 8 K entries",
            8.0,
            onwards(transactions, move |some, times| sum(&mut hit, some, times)),
        ),
        (
            "TLB hit, each waiting for the last",
            20.0,
            Box::new(move |times| chain(&mut dependent, transactions, times)),
        ),
        (
            "nested miss, tables remembered",
            30.0,
            onwards(transactions, move |some, times| sum(&mut miss, some, times)),
        ),
        (
            "nested miss, tables remembered, in batches",
            f64::NAN,
            onwards(transactions, move |some, times| {
                sum_all(&mut batched, some, times)
            }),
        ),
        (
            "nested miss, 64 K pages",
            f64::NAN,
            onwards(&large.transactions, move |some, times| {
                sum(&mut warm, some, times)
            }),
        ),
        (
            "nested miss, 64 K pages, in batches",
            f64::NAN,
            onwards(&large.transactions, move |some, times| {
                sum_all(&mut warm_batched, some, times)
            }),
        ),
        (
            "nested miss, 1 M pages",
            f64::NAN,
            onwards(&huge.transactions, move |some, times| {
                sum(&mut cold, some, times)
            }),
        ),
        (
            "nested miss, 1 M pages, in batches",
            f64::NAN,
            onwards(&huge.transactions, move |some, times| {
                sum_all(&mut cold_batched, some, times)
            }),
        ),
        (
            "nested miss, all 24 reads",
            60.0,
            onwards(transactions, move |some, times| sum(&mut walk, some, times)),
        ),
        (
            "nested, nothing remembered: STE and CD too",
            f64::NAN,
            Box::new(forgetting),
        ),
        (
            "TLBI_NH_ASID, 256 entries",
            30.0,
            invalidations(small(256), |_| NH_ASID),
        ),
        (
            "TLBI_NH_ASID, 64 K entries",
            30.0,
            invalidations(filled(large, 65536, Fast::new(17, 11, 11)), |_| NH_ASID),
        ),
        (
            "TLBI_NH_ALL, 256 entries",
            30.0,
            invalidations(small(256), |_| NH_ALL),
        ),
        (
            "TLBI_NH_ALL, 64 K entries",
            30.0,
            invalidations(filled(large, 65536, Fast::new(17, 11, 11)), |_| NH_ALL),
        ),
        (
            "TLBI_NSNH_ALL, 64 K entries",
            30.0,
            invalidations(filled(large, 65536, Fast::new(17, 11, 11)), |_| {
                Command::TlbiNsnhAll
            }),
        ),
        (
            "TLBI_NH_VA, 256 entries",
            60.0,
            invalidations(small(256), move |step| nh_va(&transactions[step % 256])),
        ),
        (
            "TLBI_NH_VA, 64 K entries",
            60.0,
            invalidations(filled(large, 65536, Fast::new(17, 11, 11)), move |step| {
                nh_va(&large.transactions[step % 65536])
            }),
        ),
        (
            "peer: vm-memory's Iotlb, hit at 16 entries",
            f64::NAN,
            Box::new(move |times| {
                (0..times as u64).fold(0, |sum, step| {
                    let found = Iotlb::lookup(
                        &peer,
                        GuestAddress(step % 16 * 0x2000),
                        8,
                        Permissions::Read,
                    );
                    sum ^ found.map_or(1, |mut found| found.next().map_or(2, |range| range.base.0))
                })
            }),
        ),
    ]
}

/// Of a case, what is timed at a time: less than a scheduler's time slice.
const SLICE: usize = 8192;

/// The best slice of all rounds, a case, in nanoseconds each. A round of a case begins with a slice that is not timed, so that a
/// processor's caches forget the case before.
fn times(cases: &mut [Case<'_>], rounds: usize) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; cases.len()];
    for _ in 0..rounds {
        for (best, (_, _, case)) in best.iter_mut().zip(cases.iter_mut()) {
            black_box(case(SLICE));
            for _ in 0..8 {
                let began = Instant::now();
                black_box(case(SLICE));
                *best = best.min(began.elapsed().as_secs_f64() * 1e9 / SLICE as f64);
            }
        }
    }
    best
}

/// Translations a second of `readers` threads, while invalidations are consumed at 100,000 a second.
fn rate(machine: &Machine, readers: usize, lasting: Duration) -> f64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(|| {
                    let mut tbu = machine.smmu.tbu_with(Fast::new(14, 11, 11)).expect("seats");
                    let mut done = 0u64;
                    while !stop.load(Ordering::Relaxed) {
                        black_box(sum(&mut tbu, &machine.transactions, 1024));
                        done += 1024;
                    }
                    done
                })
            })
            .collect();
        let began = Instant::now();
        let mut queue = engine::CommandQueue::new(0, 8);
        let mut prod = 0u32;
        while began.elapsed() < lasting {
            // A doorbell a millisecond, with 100 commands: they lie in the queue already.
            prod = (prod + 100) % 512;
            queue.set_prod(prod);
            machine.smmu.consume(&mut queue, &());
            std::thread::sleep(Duration::from_millis(1));
        }
        let lasted = began.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        let done: u64 = threads
            .into_iter()
            .map(|thread| thread.join().expect("readers do not panic"))
            .sum();
        done as f64 / lasted
    })
}

/// Instructions of one run of this program that does a case so many times.
fn instructions(case: usize, times: usize) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let output = Process::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--counted", &case.to_string(), &times.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// Cases whose instructions are counted, with their targets.
const COUNTED: [(usize, f64); 4] = [(0, 120.0), (2, 600.0), (3, f64::NAN), (8, f64::NAN)];

fn verdict(measured: f64, target: f64) -> &'static str {
    if target.is_nan() {
        ""
    } else if measured <= target {
        "met"
    } else {
        "MISSED"
    }
}

fn print(name: &str, unit: &str, measured: f64, target: f64) {
    let target_text = if target.is_nan() {
        String::new()
    } else {
        format!("{target:.0}")
    };
    println!(
        "{name:<52} {measured:>9.1} {unit:<6} {target_text:>6}  {}",
        verdict(measured, target)
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument == "--counted")
    {
        let [case, times] =
            [1, 2].map(|next| arguments[at + next].parse::<usize>().expect("numbers"));
        let machine = machine(PAGES);
        let mut cases = cases(&machine, &machine, &machine);
        black_box(cases[case].2(2 * PAGES as usize));
        black_box(cases[case].2(times));
        return;
    }
    let quick = arguments
        .iter()
        .any(|argument| argument == "--quick" || argument == "--test");
    let (machine, large, huge) = (machine(PAGES), machine(65536), machine(1 << 20));
    let mut all = cases(&machine, &large, &huge);
    let rounds = if quick { 1 } else { 25 };
    println!("{:<52} {:>9} {:<6} {:>6}", "", "measured", "", "target");
    for (measured, (name, target, _)) in times(&mut all, rounds).into_iter().zip(&all) {
        print(name, "ns", measured, *target);
    }
    let lasting = Duration::from_millis(if quick { 50 } else { 700 });
    let pairs = (0..if quick { 1 } else { 5 })
        .map(|_| rate(&machine, 2, lasting) / rate(&machine, 1, lasting));
    let ratio = pairs.fold(0.0, f64::max);
    println!(
        "{:<52} {ratio:>9.2} {:<6} {:>6}  {}",
        "two readers with 100 K TLBI/s against one",
        "times",
        "1.90",
        if ratio >= 1.9 { "met" } else { "MISSED" }
    );
    for (case, target) in COUNTED {
        let name = all[case].0;
        match (instructions(case, 10_000), instructions(case, 110_000)) {
            (Some(few), Some(many)) => print(name, "instr", (many - few) / 100_000.0, target),
            _ => println!("{name:<52} instructions not counted: valgrind did not run"),
        }
        if quick {
            break;
        }
    }
}
