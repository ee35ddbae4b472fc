//! The world alone: polls, picks, log patches.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::load::{Load, log_text};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn polls(c: &mut Criterion) {
    let mut group = c.benchmark_group("poll answered 204");
    let mut load = Load::new(0, 1_000).expect("the load is made");
    group.bench_function("with the last value", |b| {
        b.iter(|| black_box(load.idle_poll().expect("204")));
    });
    group.bench_function("queue read", |b| {
        b.iter(|| load.scanning_poll().expect("204"));
    });
    group.finish();
}

fn picks(c: &mut Criterion) {
    let mut group = c.benchmark_group("pick");
    for jobs in [1_000, 100_000, 1_000_000] {
        for projects in [1, 1_000, 10_000] {
            let mut load = Load::new(jobs, projects).expect("the load is made");
            let id = BenchmarkId::new(format!("{jobs} jobs"), format!("{projects} projects"));
            // The job is finished and replaced outside of the measured time, so the world stays as it is.
            group.bench_function(id, |b| {
                b.iter_custom(|picks| {
                    let mut total = Duration::ZERO;
                    for _ in 0..picks {
                        let start = Instant::now();
                        let job = load.pick().expect("a job");
                        total += start.elapsed();
                        load.finish(&job).expect("200");
                        load.add_job().expect("added");
                    }
                    total
                });
            });
        }
    }
    group.finish();
}

fn patches(c: &mut Criterion) {
    let body = log_text(64 * 1024);
    let mut group = c.benchmark_group("trace patch");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("64 KiB", |b| {
        b.iter_batched(
            || {
                let mut load = Load::new(1, 1).expect("the load is made");
                let job = load.pick().expect("a job");
                (load, job)
            },
            |(mut load, job)| {
                load.patch(&job, 0, &body).expect("202");
                load
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, polls, picks, patches);
criterion_main!(benches);
