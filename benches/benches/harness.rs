//! Whole parts: a poll over loopback, an hour of a fleet in virtual time.

use benches::client::{Connection, Server};
use benches::fleet;
use benches::serve::Kind;
use criterion::{Criterion, criterion_group, criterion_main};

fn loopback(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_figures"));
    let server = Server::start(program, Kind::Mock).expect("the server starts");
    let mut connection = runtime
        .block_on(Connection::open(server.address))
        .expect("a connection");
    c.bench_function("poll answered 204 over loopback", |b| {
        b.iter(|| runtime.block_on(connection.poll()).expect("204"));
    });
}

fn virtual_time(c: &mut Criterion) {
    let hour = fleet::idle(100, 60).expect("a scenario");
    let mut group = c.benchmark_group("virtual time");
    group.sample_size(10);
    group.bench_function("an hour of 100 idle runners", |b| {
        b.iter(|| fleet::play(&hour).expect("it is played"));
    });
    group.finish();
}

criterion_group!(benches, loopback, virtual_time);
criterion_main!(benches);
