//! Times with confidence intervals. What they should be, and instruction counts: `cargo bench --bench targets`.

#[allow(dead_code, reason = "each benchmark uses its part")]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::cache::{Fast, NoCaches};

fn translate(c: &mut Criterion) {
    let machine = support::machine(8192);
    let mut group = c.benchmark_group("translate");
    group.throughput(Throughput::Elements(machine.transactions.len() as u64));
    let mut run = |name: &str, caches: Fast| {
        let mut tbu = machine.smmu.tbu_with(caches).expect("seats");
        group.bench_function(name, |b| {
            let mut burst = tbu.burst();
            b.iter(|| {
                machine.transactions.iter().fold(0, |sum, transaction| {
                    match burst.translate(transaction) {
                        Ok(translation) => sum ^ translation.pa.0,
                        Err(refusal) => panic!("{refusal:?}"),
                    }
                })
            });
        });
    };
    run("hit", Fast::new(14, 11, 11));
    run("nested miss, tables remembered", Fast::new(3, 3, 11));
    let mut tbu = machine.smmu.tbu_with(NoCaches).expect("seats");
    group.bench_function("nested, all reads, STE and CD too", |b| {
        let mut burst = tbu.burst();
        b.iter(|| {
            machine
                .transactions
                .iter()
                .map(|transaction| burst.translate(transaction).map_or(0, |t| t.pa.0))
                .fold(0, |sum, pa| sum ^ pa)
        });
    });
    group.finish();
}

criterion_group!(benches, translate);
criterion_main!(benches);
