//! Polls over loopback, beside a bare hyper server.

use std::time::{Duration, Instant};

use super::table::{Figure, mebibytes, time};
use crate::client::{Connection, Server};
use crate::load::LoadError;
use crate::process::{cpu_time, resident_bytes};
use crate::serve::Kind;

pub(super) const CONNECTIONS: usize = 16;
const WARM_UP: usize = 2_000;
/// Polls of one round, and rounds for each server.
const POLLS: usize = 40_000;
const ROUNDS: u32 = 8;
/// Memory is looked at after so many polls, and after ten times as many.
const FEW: usize = 20_000;

/// What one server did.
struct Measured {
    per_second: f64,
    cpu_per_poll: Duration,
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, LoadError> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// `polls` polls over sixteen connections.
async fn hit(server: &Server, polls: usize) -> Result<(), LoadError> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(server.address).await?;
        tasks.spawn(async move {
            for _ in 0..polls / CONNECTIONS {
                connection.poll().await?;
            }
            Ok::<_, LoadError>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// The bare server and the mock, round after round in turn: what else happens on the machine meets both,
/// and the CPU times, which the kernel counts in ticks of 10 ms, are long enough to be compared.
fn measure() -> Result<(Measured, Measured), LoadError> {
    let program = std::env::current_exe()?;
    let servers = [
        Server::start(&program, Kind::Bare)?,
        Server::start(&program, Kind::Mock)?,
    ];
    let cpu = |server: &Server| cpu_time(server.pid()).ok_or("no /proc on this system");
    runtime()?.block_on(async {
        let mut took = [Duration::ZERO; 2];
        let mut before = [Duration::ZERO; 2];
        for (server, before) in servers.iter().zip(&mut before) {
            hit(server, WARM_UP).await?;
            *before = cpu(server)?;
        }
        for _ in 0..ROUNDS {
            for (server, took) in servers.iter().zip(&mut took) {
                let start = Instant::now();
                hit(server, POLLS).await?;
                *took += start.elapsed();
            }
        }
        let polls = ROUNDS * POLLS as u32;
        let measured = |at: usize| {
            Ok::<_, LoadError>(Measured {
                per_second: f64::from(polls) / took[at].as_secs_f64(),
                cpu_per_poll: cpu(&servers[at])?.saturating_sub(before[at]) / polls,
            })
        };
        Ok((measured(0)?, measured(1)?))
    })
}

pub(super) fn loopback() -> Result<Vec<Figure>, LoadError> {
    let (bare, mock) = measure()?;
    let one = one_connection()?;
    let rate = mock.per_second / bare.per_second;
    let cpu = mock.cpu_per_poll.as_secs_f64() / bare.cpu_per_poll.as_secs_f64();
    let memory = memory(FEW, FEW * 10)?;
    Ok(vec![
        Figure::noted("poll answered 204 over loopback, one connection", time(one)),
        Figure::noted(
            "polls over 16 connections, bare hyper server",
            format!(
                "{:.0}/s, {} CPU each",
                bare.per_second,
                time(bare.cpu_per_poll)
            ),
        ),
        Figure::judged(
            "polls over 16 connections, mock: rate",
            format!("{:.0}/s ({:.0} % of bare)", mock.per_second, rate * 100.0),
            "≥ 80 %",
            rate >= 0.8,
        ),
        Figure::judged(
            "polls over 16 connections, mock: CPU time each",
            format!("{} ({cpu:.2} times bare)", time(mock.cpu_per_poll)),
            "≤ 1.25 times",
            cpu <= 1.25,
        ),
        memory,
    ])
}

fn one_connection() -> Result<Duration, LoadError> {
    let server = Server::start(&std::env::current_exe()?, Kind::Mock)?;
    runtime()?.block_on(async {
        let mut connection = Connection::open(server.address).await?;
        for _ in 0..WARM_UP {
            connection.poll().await?;
        }
        let start = Instant::now();
        for _ in 0..WARM_UP {
            connection.poll().await?;
        }
        Ok(start.elapsed() / WARM_UP as u32)
    })
}

/// Memory of the server after five million polls.
pub(super) fn five_million() -> Result<Vec<Figure>, LoadError> {
    Ok(vec![memory(100_000, 5_000_000)?])
}

/// Memory of the server after `many` polls against that after `few`.
fn memory(few: usize, many: usize) -> Result<Figure, LoadError> {
    let server = Server::start(&std::env::current_exe()?, Kind::Mock)?;
    let (early, late) = runtime()?.block_on(async {
        let resident = || resident_bytes(server.pid()).ok_or("no /proc on this system");
        hit(&server, few).await?;
        let early = resident()?;
        hit(&server, many - few).await?;
        Ok::<_, LoadError>((early, resident()?))
    })?;
    let growth = late as f64 / early as f64;
    Ok(Figure::judged(
        format!("memory of the server after {many} polls over loopback"),
        format!("{} ({growth:.2} times that after {few})", mebibytes(late)),
        "≤ 1.1 times",
        growth <= 1.1,
    ))
}
