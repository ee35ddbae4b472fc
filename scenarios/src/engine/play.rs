//! Plays one scenario in one clock and judges it.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mock_gitlab::world::{Settings, World};

use super::server::{Now, Server};
use super::timeline::Waiting;
use super::verdict::{Mismatch, Outcome, judge};
use super::{EngineError, real_time};
use crate::events::{Event, EventLog};
use crate::process::RunnerProgram;
use crate::scenario::Scenario;
use crate::scenario::format::ClockKind;

/// How to play.
#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// Seed of everything random.
    pub seed: u64,
    /// The runner under test, for real time.
    pub program: RunnerProgram,
}

/// A scenario that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// What is not as expected; empty = passed.
    pub mismatches: Vec<Mismatch>,
    /// The event log.
    pub events: Vec<Event>,
    /// Time that it took, on the machine's clock.
    pub took: Duration,
}

/// Plays `scenario` in `clock`.
pub fn play(
    scenario: &Scenario,
    clock: ClockKind,
    options: &PlayOptions,
) -> Result<Played, EngineError> {
    let begin = Instant::now();
    let outcome = match clock {
        ClockKind::Virtual => return Err(EngineError::NotVirtual("not yet".to_owned())),
        ClockKind::Real => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(EngineError::io("tokio runtime"))?;
            runtime.block_on(real_time::play(scenario, options))?
        }
    };
    let mut mismatches = judge(&scenario.expect, clock, &outcome);
    if let Some(waiting) = overdue(&outcome) {
        mismatches.insert(0, waiting);
    }
    Ok(Played {
        mismatches,
        events: outcome.events,
        took: begin.elapsed(),
    })
}

fn overdue(outcome: &Outcome) -> Option<Mismatch> {
    let waiting = outcome.overdue.clone()?;
    let last = outcome.events.iter().rev().take(8).collect::<Vec<_>>();
    let mut seen = vec![waiting];
    seen.extend(
        last.iter()
            .rev()
            .map(|event| format!("{:>9.3}s {event}", event.at.as_secs_f64())),
    );
    Some(Mismatch {
        what: "limit".to_owned(),
        expected: vec!["the scenario comes to its end".to_owned()],
        seen,
    })
}

/// What the scenario waited for, in words.
pub(super) fn waiting_text(waiting: &Waiting, limit: Duration) -> String {
    let step = waiting.lock().map(|step| step.clone()).unwrap_or_default();
    format!("after {} s it still waited for: {step}", limit.as_secs_f64())
}

/// The machine's clock.
pub(super) fn wall_clock() -> Now {
    Arc::new(|| {
        Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
    })
}

/// An empty server.
pub(super) fn mock_server(url: &str, seed: u64, log: EventLog, now: Now) -> Server {
    let settings = Settings {
        external_url: url.to_owned(),
        ..Settings::default()
    };
    let world = Arc::new(Mutex::new(World::new(settings, seed)));
    Server::new(world, now, axum::Router::new(), log)
}
