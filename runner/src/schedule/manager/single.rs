//! `gitlab-runner run-single`: one entry, one job at a time (runner.md 2.4).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::options::ManagerOptions;
use super::polling::{Message, Worker};
use super::state::{Clients, EntryData, plan};
use crate::config::Config;
use crate::job::{Interrupt, JobIds};
use crate::logging;
use crate::metrics::Metrics;
use crate::schedule::{Entry, ExitReason, Signal, Ticket};

/// Wait after a poll that brought nothing.
const NO_JOB: Duration = Duration::from_secs(3);
/// Wait after a 403.
const UNHEALTHY: Duration = Duration::from_mins(5);
/// How long a forced shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(30);
/// How long killed jobs get for their last update.
const FORCED_EXIT: Duration = Duration::from_secs(5);

/// When `run-single` ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SingleLimits {
    /// `--max-builds`; 0 = no limit.
    pub max_builds: u64,
    /// `--wait-timeout`, s; 0 = no limit. Starts again after each job.
    pub wait_timeout_s: u64,
}

/// What one turn brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Job,
    Nothing,
    Unhealthy,
}

/// Runs jobs of the first entry of `config`, one at a time.
#[derive(Debug)]
pub struct Single {
    options: Arc<ManagerOptions>,
    config: Config,
    limits: SingleLimits,
    signals: mpsc::Receiver<Signal>,
    /// The one client, which remembers `last_update`.
    clients: Clients,
    metrics: Metrics,
}

impl Single {
    /// A runner that has not started.
    pub fn new(
        options: ManagerOptions,
        config: Config,
        limits: SingleLimits,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        Single {
            metrics: Metrics::new(options.log.clone()),
            options: Arc::new(options),
            config,
            limits,
            signals,
            clients: Clients::default(),
        }
    }

    /// Runs until a limit is reached or a stop signal has done its work.
    pub async fn run(mut self) -> ExitReason {
        let plan = plan(&self.config, &self.options, None);
        let Some(entry) = plan.entries.into_iter().next().map(Arc::new) else {
            return ExitReason::Failed("there is no entry to run".to_owned());
        };
        if !entry.executor_known {
            let name = &entry.data.config.executor;
            return ExitReason::Failed(format!("Unknown executor: {name}"));
        }
        let short = protocol::token::short(&entry.token).to_owned();
        tracing::info!("Starting runner for {} with token {short} ...", entry.url);
        let mut last_job = Instant::now();
        let mut builds = 0;
        loop {
            let turn = match self.turn(&entry).await {
                Ok(turn) => turn,
                Err(reason) => return reason,
            };
            let pause = match turn {
                Turn::Job => {
                    builds += 1;
                    last_job = Instant::now();
                    Duration::ZERO
                }
                Turn::Nothing => NO_JOB,
                Turn::Unhealthy => {
                    println!("Runner is not healthy!");
                    UNHEALTHY
                }
            };
            if self.limits.max_builds > 0 && builds >= self.limits.max_builds {
                tracing::info!("This runner has processed its build limit, so now exiting");
                return ExitReason::Finished;
            }
            if let Err(reason) = self.pause(pause).await {
                return reason;
            }
            let limit = self.limits.wait_timeout_s;
            if limit > 0 && last_job.elapsed() > Duration::from_secs(limit) {
                tracing::info!(
                    "This runner has not received a job in {limit} seconds, so now exiting"
                );
                return ExitReason::Finished;
            }
        }
    }

    /// Waits; a stop signal ends the process at once, because no job runs.
    async fn pause(&mut self, pause: Duration) -> Result<(), ExitReason> {
        let end = Instant::now() + pause;
        loop {
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => {
                    if say_stop(signal) {
                        return Err(ExitReason::Finished);
                    }
                }
                () = tokio::time::sleep_until(end) => return Ok(()),
            }
        }
    }

    /// One poll, and the job that it brings.
    async fn turn(&mut self, entry: &Arc<Entry<EntryData>>) -> Result<Turn, ExitReason> {
        let max_age = self.config.connection_max_age();
        let client = self
            .clients
            .get(&entry.data, max_age, &self.options, &self.metrics)
            .map_err(|error| ExitReason::Failed(error.to_string()))?;
        let (sender, mut messages) = mpsc::unbounded_channel();
        let stop_requests = CancellationToken::new();
        let (interrupt, kill) = (Interrupt::new(), CancellationToken::new());
        let span = entry.data.span.clone();
        let worker = Worker {
            ticket: Ticket::default(),
            entry: Arc::clone(entry),
            client,
            options: Arc::clone(&self.options),
            metrics: self.metrics.clone(),
            messages: sender,
            stop_requests: stop_requests.clone(),
            interrupt: interrupt.clone(),
            kill: kill.clone(),
        };
        drop(logging::spawn(worker.work().instrument(span)));
        let mut turn = Turn::Nothing;
        let mut stop: Option<Signal> = None;
        let mut deadline: Option<(Instant, ExitReason)> = None;
        loop {
            let due = async {
                match &deadline {
                    Some((at, _)) => tokio::time::sleep_until(*at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => {
                    if deadline.is_some() && signal != Signal::Hangup {
                        kill.cancel();
                        let reason = ExitReason::Failed(format!("forced exit: {}", signal.name()));
                        deadline = Some((Instant::now() + FORCED_EXIT, reason));
                    } else if say_stop(signal) {
                        stop = Some(signal);
                        stop_requests.cancel();
                        if signal != Signal::Quit {
                            interrupt.raise(signal.name());
                            let reason = ExitReason::Failed("shutdown timed out".to_owned());
                            deadline = Some((Instant::now() + SHUTDOWN, reason));
                        }
                    }
                }
                message = messages.recv() => match message {
                    Some(Message::Answered { good: false, .. }) => turn = Turn::Unhealthy,
                    Some(Message::RequestOver { end, .. }) if end.got_job => turn = Turn::Job,
                    Some(Message::JobAdded { ids, .. }) => {
                        let _ = ids.send(JobIds::default());
                    }
                    Some(Message::Done { .. }) | None => break,
                    Some(_) => {}
                },
                () = due => {
                    if kill.is_cancelled() {
                        break;
                    }
                    kill.cancel();
                    let reason = ExitReason::Failed("shutdown timed out".to_owned());
                    deadline = Some((Instant::now() + FORCED_EXIT, reason));
                }
            }
        }
        match (deadline, stop) {
            (Some((_, reason)), _) if kill.is_cancelled() => Err(reason),
            (_, Some(_)) => Err(ExitReason::Finished),
            _ => Ok(turn),
        }
    }
}

/// Says that a stop signal came; `false` for a signal that does not stop.
fn say_stop(signal: Signal) -> bool {
    match signal {
        Signal::Hangup => return false,
        Signal::Quit => tracing::warn!("Requested quit, waiting for builds to finish"),
        Signal::Terminate | Signal::Interrupt => {
            tracing::warn!("Requested exit: {}", signal.name());
        }
    }
    true
}
