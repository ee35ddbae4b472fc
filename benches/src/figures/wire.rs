//! Logs and long polls over loopback.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::http::{CONNECTIONS, runtime};
use super::table::Figure;
use crate::client::{Connection, Server};
use crate::load::LoadError;
use crate::process::resident_bytes;
use crate::serve::Kind;

/// Bytes of a patch.
const PIECE: usize = 64 * 1024;
/// Patches of one job.
const PIECES: usize = 200;
/// Polls that are held at the same time.
const HELD: usize = 10_000;
const MIB: f64 = 1_048_576.0;

/// Pieces of 64 KiB, sixteen jobs at a time, beside a bare server that reads the same bodies and throws
/// them away, and one that keeps them.
pub(super) fn traces() -> Result<Vec<Figure>, LoadError> {
    let mut best = [Duration::MAX; 3];
    for _ in 0..3 {
        for (kind, best) in [Kind::Bare, Kind::BareKeeping, Kind::MockJobs]
            .into_iter()
            .zip(&mut best)
        {
            *best = (*best).min(ingest(kind)?);
        }
    }
    let rate = |took: Duration| (CONNECTIONS * PIECES * PIECE) as f64 / MIB / took.as_secs_f64();
    let [bare, keeping, mock] = best.map(rate);
    let part = |of: f64| mock / of * 100.0;
    Ok(vec![
        Figure::noted(
            "64 KiB trace patches over 16 connections, bare hyper server",
            format!("{bare:.0} MiB/s"),
        ),
        Figure::noted(
            "the same, bare hyper server that keeps the bytes",
            format!("{keeping:.0} MiB/s"),
        ),
        Figure::judged(
            "64 KiB trace patches over 16 connections, mock",
            format!(
                "{mock:.0} MiB/s ({:.0} % of bare, {:.0} % of bare that keeps)",
                part(bare),
                part(keeping)
            ),
            "≥ 70 %",
            mock / bare >= 0.7,
        ),
    ])
}

fn ingest(kind: Kind) -> Result<Duration, LoadError> {
    let server = Server::start(&std::env::current_exe()?, kind)?;
    let piece = Bytes::from(vec![b'x'; PIECE]);
    runtime()?.block_on(async {
        let mut workers = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = Connection::open(server.address).await?;
            let job = match kind {
                Kind::Bare | Kind::BareKeeping => (1, "token".to_owned()),
                _ => connection.take_job().await?,
            };
            workers.push((connection, job));
        }
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for (mut connection, (job, token)) in workers {
            let piece = piece.clone();
            tasks.spawn(async move {
                for number in 0..PIECES {
                    let start = number * PIECE;
                    connection.patch(job, &token, start, piece.clone()).await?;
                }
                Ok::<_, LoadError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(start.elapsed())
    })
}

/// Memory of a server that holds ten thousand polls.
pub(super) fn holding() -> Result<Vec<Figure>, LoadError> {
    let server = Server::start(&std::env::current_exe()?, Kind::MockHolding)?;
    runtime()?.block_on(async {
        let mut asking = Connection::open(server.address).await?;
        let value = asking.last_update().await?;
        let mut held = Vec::with_capacity(HELD);
        let mut answers = tokio::task::JoinSet::new();
        for _ in 0..HELD {
            let mut connection = Connection::open(server.address).await?;
            answers.spawn(connection.held_poll(&value).await?);
            held.push(connection);
        }
        // A server that answers this has seen what came before it on its one thread, but for what the
        // kernel still had: ask until the size stays.
        let mut last = 0;
        let size = loop {
            asking.last_update().await?;
            let size = resident_bytes(server.pid()).ok_or("no /proc on this system")?;
            if size == last {
                break size;
            }
            last = size;
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        if let Some(early) = answers.try_join_next() {
            return Err(format!("a held poll was answered: {early:?}").into());
        }
        Ok(vec![Figure::judged(
            format!("memory with {HELD} polls held"),
            format!("{:.1} MiB", size as f64 / MIB),
            "< 100 MiB",
            (size as f64) < 100.0 * MIB,
        )])
    })
}
