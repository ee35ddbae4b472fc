//! Plays one scenario in one clock and judges it.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mock_gitlab::world::{Settings, World};
use runner::clock::{Clock as _, TokioClock};

use super::server::{Now, Server};
use super::timeline::Waiting;
use super::verdict::{Mismatch, Outcome, judge};
use super::{EngineError, real_time, virtual_time};
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
        ClockKind::Virtual => {
            virtual_runtime()?.block_on(virtual_time::play(scenario, options.seed))?
        }
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
    format!(
        "after {} s it still waited for: {step}",
        limit.as_secs_f64()
    )
}

/// The machine's clock.
pub(super) fn wall_clock() -> Now {
    Arc::new(|| Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// A runtime on one thread with a paused clock, which jumps to the next timer when nothing is left to
/// do. It has no I/O driver: a socket or a process on it is an error, not a wait.
pub(super) fn virtual_runtime() -> Result<tokio::runtime::Runtime, EngineError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(EngineError::io("tokio runtime"))
}

/// When virtual time begins.
pub(super) const VIRTUAL_BEGIN: &str = "2026-01-01T00:00:00Z";

/// Virtual time as a date. Must be called inside the virtual runtime.
pub(super) fn virtual_base() -> Timestamp {
    VIRTUAL_BEGIN.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The clock of the server in virtual time. Must be called inside the virtual runtime.
pub(super) fn virtual_clock() -> Now {
    let clock = TokioClock::starting_at(virtual_base());
    Arc::new(move || clock.now())
}

/// An empty server.
pub(super) fn mock_server(
    settings: Settings,
    url: &str,
    seed: u64,
    log: EventLog,
    now: Now,
) -> Server {
    let settings = Settings {
        external_url: url.to_owned(),
        ..settings
    };
    let world = Arc::new(Mutex::new(World::new(settings, seed)));
    let router = mock_gitlab::http::router(
        Arc::clone(&world),
        Arc::clone(&now),
        mock_gitlab::http::Limits::default(),
    );
    Server::new(world, now, router, log, seed)
}
