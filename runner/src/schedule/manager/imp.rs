use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::lines;
use super::options::ManagerOptions;
use super::polling::{Message, Worker};
use super::reload::{Look, Reload};
use super::rotation::Rotation;
use super::serving::{Serving, gauges};
use super::shutdown::{Shutdown, Step};
use super::state::{Clients, EntryData, plan};
use crate::config::Config;
use crate::job::{Interrupt, JobIds};
use crate::logging::{self, Format, Level, runner_span};
use crate::metrics::{Metrics, ProcessState, Refresh};
use crate::schedule::{
    Decision, Entry, ExitReason, Offered, PollEnd, Scheduler, Signal, Skip, Ticket,
};
use crate::session::Sessions;

/// `gitlab-runner run` (runner.md 4).
#[derive(Debug)]
pub struct Manager {
    options: ManagerOptions,
    signals: mpsc::Receiver<Signal>,
    metrics: Metrics,
    serving: Serving,
    sender: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl Manager {
    /// A manager that has not started. Signals come over `signals`; when all senders are gone, no
    /// signal will ever come.
    pub fn new(options: ManagerOptions, signals: mpsc::Receiver<Signal>) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        Manager {
            metrics: Metrics::new(options.log.clone()),
            options,
            signals,
            serving: Serving::Off,
            sender,
            messages,
        }
    }

    /// Lets it serve metrics and debug pages over TCP: at `address`, the command line's, else at the
    /// configuration's `listen_address`, if there is one. Without this call no socket is opened.
    #[must_use]
    pub fn serving(mut self, address: Option<String>) -> Self {
        self.serving = Serving::On(address);
        self
    }

    /// What it counts, and what brings the gauges of this up to date while it runs.
    pub fn metrics(&self) -> (Metrics, Refresh) {
        let refresh = super::serving::refresh(self.sender.clone());
        (self.metrics.clone(), refresh)
    }

    /// Runs until a stop signal has done its work. Needs a tokio runtime; starts no thread.
    pub async fn run(self) -> ExitReason {
        let config = match load(&self.options) {
            Ok(config) => config,
            Err(LoadFailure { text, .. }) => {
                self.metrics.loading_failed();
                return ExitReason::Failed(text);
            }
        };
        let (sender, messages) = (self.sender, self.messages);
        let mut owner = Owner {
            start: Instant::now(),
            rotation: Rotation::default(),
            reload: Reload::new(self.options.config.as_ref()),
            options: Arc::new(self.options),
            metrics: self.metrics,
            serving: self.serving,
            sessions: None,
            config,
            scheduler: Scheduler::new(),
            clients: Clients::default(),
            sender,
            shutdown: Shutdown::default(),
            stop_requests: CancellationToken::new(),
            interrupt: Interrupt::new(),
            kill: CancellationToken::new(),
        };
        owner.run(self.signals, messages).await
    }
}

/// Reads the configuration and puts its level and format of the process log into force.
fn load(options: &ManagerOptions) -> Result<Config, LoadFailure> {
    let config = options.config.load().map_err(|error| LoadFailure {
        text: error.to_string(),
        config: None,
    })?;
    config.say_schema_problems();
    match log_settings(&config) {
        Ok((level, format)) => {
            options.log.configure(level, format);
            Ok(config)
        }
        Err(text) => Err(LoadFailure {
            text,
            config: Some(Box::new(config)),
        }),
    }
}

/// Why a configuration was not taken.
struct LoadFailure {
    text: String,
    /// Where only the settings of the process log are wrong: a reload takes its entries all the same
    /// (runner.md 4.4).
    config: Option<Box<Config>>,
}

fn log_settings(config: &Config) -> Result<(Option<Level>, Option<Format>), String> {
    let global = config.global();
    let level = parsed(global.text("log_level"))
        .map_err(|error| format!("failed to parse log level: {error}"))?;
    Ok((level, parsed(global.text("log_format"))?))
}

fn parsed<T, E>(text: &str) -> Result<Option<T>, String>
where
    T: std::str::FromStr<Err = E>,
    E: std::fmt::Display,
{
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: E| error.to_string())
}

/// The one task that owns all state.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) options: Arc<ManagerOptions>,
    pub(super) metrics: Metrics,
    serving: Serving,
    /// Where web terminals come in, if they do.
    pub(super) sessions: Option<Sessions>,
    start: Instant,
    pub(super) config: Config,
    pub(super) scheduler: Scheduler<EntryData>,
    pub(super) clients: Clients,
    pub(super) sender: mpsc::UnboundedSender<Message>,
    pub(super) reload: Reload,
    pub(super) rotation: Rotation,
    pub(super) shutdown: Shutdown,
    stop_requests: CancellationToken,
    interrupt: Interrupt,
    kill: CancellationToken,
}

/// Waits until `deadline`, for ever if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl Owner {
    async fn run(
        &mut self,
        mut signals: mpsc::Receiver<Signal>,
        mut messages: mpsc::UnboundedReceiver<Message>,
    ) -> ExitReason {
        self.loaded();
        self.rotation.plan(&self.config);
        let global = self.config.global();
        let served = super::serving::start(
            &self.serving,
            global.text("listen_address"),
            self.max_builds(),
            &self.metrics,
            &self.sender,
        );
        // Served until this returns.
        let _served = match served.await {
            Ok(served) => served,
            Err(error) => {
                let max_builds = self.max_builds();
                return ExitReason::NoListener { error, max_builds };
            }
        };
        let sessions = super::sessions::start(&self.serving, &self.config, &self.options);
        // The same.
        let (sessions, _terminals) = match sessions.await {
            Ok(started) => started.unzip(),
            Err(text) => return ExitReason::NoSessionServer(text),
        };
        self.sessions = sessions;
        self.say_start();
        if self.config.concurrent() < 1 {
            return ExitReason::NoConcurrency;
        }
        if let Some(end) = self.boot_verify(&mut signals, &mut messages).await {
            return end;
        }
        let now = self.now();
        let plan = plan(&self.config, &self.options, self.sessions.as_ref());
        self.scheduler.start(plan, now);
        self.metrics.set_state(ProcessState::Running);
        let mut signals_open = true;
        loop {
            self.act();
            let at_rest = self.scheduler.in_work() == 0 && !self.rotation.is_under_way();
            if self.shutdown.has_begun() && at_rest {
                break;
            }
            let wake = self.scheduler.next_wake().map(|wake| self.start + wake);
            let look = (!self.shutdown.has_begun()).then(|| self.reload.due());
            let rotation = self.rotation_due();
            tokio::select! {
                biased;
                signal = signals.recv(), if signals_open => match signal {
                    Some(signal) => self.signal(signal),
                    None => signals_open = false,
                },
                Some(message) = messages.recv() => self.message(message),
                () = until(self.shutdown.deadline()) => {
                    let step = self.shutdown.expire(Instant::now());
                    if step == Step::Exit {
                        break;
                    }
                    self.step(&step, "");
                    self.say_forced(&self.shutdown.reason());
                }
                () = until(wake) => {
                    let now = self.now();
                    self.scheduler.advance(now);
                }
                () = until(rotation) => self.rotate(),
                () = until(look) => self.look(),
            }
        }
        // The server knows the old token no more, and nobody looks at the file again.
        self.save_tokens();
        let reason = self.shutdown.reason();
        if reason == ExitReason::Finished {
            self.say_end();
        }
        reason
    }

    /// Time since the start, the scheduler's clock.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn builds(&self) -> usize {
        self.scheduler.jobs()
    }

    pub(super) fn max_builds(&self) -> i64 {
        self.config.concurrent()
    }

    /// Does what the scheduler has decided.
    fn act(&mut self) {
        for decision in self.scheduler.take_decisions() {
            self.act_on(decision);
        }
    }

    fn act_on(&mut self, decision: Decision<EntryData>) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        match decision {
            Decision::Poll { ticket, entry } => self.poll(ticket, &entry),
            Decision::Skipped { entry, why } => self.skipped(&entry, why),
            Decision::Taken { entry, offered } => {
                if offered == Offered::Feeder {
                    self.metrics.fed(&entry.data.labels);
                }
                let (runner, name) = names(&entry);
                tracing::debug!(
                    builds,
                    max_builds,
                    runner,
                    runner_name = name,
                    "Processing runner"
                );
            }
            Decision::Forced { entry, failures } => tracing::warn!(
                unhealthy_interval = logging::duration(entry.unhealthy_interval),
                unhealthy_requests = failures,
                unhealthy_requests_limit = entry.unhealthy_requests_limit,
                "Runner \"{}\" is not healthy, but check for a new job will be forced!",
                entry.health_key()
            ),
            Decision::Unhealthy { entry, failures } => tracing::error!(
                unhealthy_requests = failures,
                unhealthy_requests_limit = entry.unhealthy_requests_limit,
                "Runner \"{}\" is unhealthy and will be disabled for {} seconds!",
                entry.health_key(),
                logging::go_duration(entry.unhealthy_interval)
            ),
            Decision::Worker { number, started } => {
                self.metrics.worker(started);
                let text = if started {
                    "Starting worker"
                } else {
                    "Stopping worker"
                };
                tracing::debug!(builds, max_builds, worker = number, "{text}");
            }
        }
    }

    fn skipped(&mut self, entry: &Arc<Entry<EntryData>>, why: Skip) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        let (runner, name) = names(entry);
        match why {
            // Said once, when the configuration was loaded.
            Skip::BlankToken => self.metrics.not_fed(&entry.data.labels, true),
            Skip::Unhealthy => self.metrics.not_fed(&entry.data.labels, false),
            Skip::UnknownExecutor => {
                self.metrics.processing_failed(&entry.data.labels, "other");
                tracing::error!(
                    builds,
                    max_builds,
                    runner,
                    runner_name = name,
                    "Executor {:?} is not known; marking Runner as unhealthy",
                    entry.data.config.executor
                );
                let now = self.now();
                self.scheduler.note_health(entry, false, now);
                self.act();
            }
            Skip::JobLimit => tracing::debug!(
                builds,
                max_builds,
                runner,
                "Failed to request job, runner limit met"
            ),
            Skip::RequestLimit => {
                self.metrics.requests_exceeded(&entry.data.labels);
                tracing::debug!(
                    builds,
                    max_builds,
                    runner,
                    "Failed to request job, runner requestConcurrency meet"
                );
            }
        }
    }

    fn poll(&mut self, ticket: Ticket, entry: &Arc<Entry<EntryData>>) {
        let max_age = self.config.connection_max_age();
        let client = match self
            .clients
            .get(&entry.data, max_age, &self.options, &self.metrics)
        {
            Ok(client) => client,
            Err(error) => {
                let (runner, name) = names(entry);
                tracing::error!(
                    correlation_id = self.options.random.request_id(),
                    runner,
                    runner_name = name,
                    status = format!("get client: new client: {error}"),
                    "Checking for jobs... client error"
                );
                let now = self.now();
                self.scheduler.answered(ticket, false, now);
                self.scheduler.request_over(ticket, PollEnd::default());
                self.scheduler.done(ticket, now);
                self.act();
                return;
            }
        };
        let span = entry.data.span.clone();
        let worker = Worker {
            ticket,
            client,
            options: Arc::clone(&self.options),
            metrics: self.metrics.clone(),
            messages: self.sender.clone(),
            stop_requests: self.stop_requests.clone(),
            interrupt: self.interrupt.clone(),
            kill: self.kill.clone(),
            entry: Arc::clone(entry),
        };
        // A worker reports its end by messages; nobody waits for the task itself.
        drop(logging::spawn(worker.work().instrument(span)));
    }

    pub(super) fn message(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Answered { ticket, good } => self.scheduler.answered(ticket, good, now),
            Message::RequestOver { ticket, end } => self.scheduler.request_over(ticket, end),
            Message::JobAdded {
                ticket,
                payload,
                ids,
            } => {
                let project = payload.job_info.get().project_id.get();
                let taken = self
                    .scheduler
                    .job_added(ticket, project)
                    .unwrap_or_default();
                let _ = ids.send(JobIds {
                    concurrent_id: taken.concurrent_id,
                    project_concurrent_id: taken.project_concurrent_id,
                });
                self.count_builds();
                let (builds, max_builds) = (self.builds(), self.max_builds());
                self.job_list("Added job to processing list", ticket, &payload);
                if !self.scheduler.requeue(ticket) {
                    tracing::debug!(builds, max_builds, "Failed to requeue the runner");
                }
                self.act();
            }
            Message::JobRemoved { ticket, payload } => {
                self.scheduler.job_removed(ticket);
                self.count_builds();
                self.job_list("Removed job from processing list", ticket, &payload);
            }
            Message::SystemFailure { ticket, error } => {
                let Some(entry) = self.scheduler.entry(ticket) else {
                    return;
                };
                let (runner, name) = names(entry);
                tracing::warn!(
                    builds = self.builds(),
                    error,
                    executor = entry.data.config.executor,
                    max_builds = self.max_builds(),
                    runner,
                    runner_name = name,
                    "Failed to process runner"
                );
            }
            Message::Done { ticket } => self.scheduler.done(ticket, now),
            Message::Scrape(done) => {
                let gauges = gauges(&self.scheduler);
                let (concurrent, workers) = (self.config.concurrent(), self.scheduler.workers());
                self.metrics.set_gauges(&gauges, concurrent, workers);
                // A reader that is gone needs no answer.
                let _ = done.send(());
            }
            Message::TokenReset { old, outcome } => self.token_reset(old, outcome),
        }
    }

    /// Tells the session server what its records say.
    fn count_builds(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.set_counts(self.builds(), self.max_builds());
        }
    }

    fn job_list(&self, text: &'static str, ticket: Ticket, payload: &protocol::JobPayload) {
        let Some(entry) = self.scheduler.entry(ticket) else {
            return;
        };
        let (runner, name) = names(entry);
        let _runner = runner_span(runner, name).entered();
        let _job = logging::job_span(payload).entered();
        lines::job_list(text, payload, self.builds(), self.max_builds());
    }

    /// Looks whether the file has changed.
    fn look(&mut self) {
        self.save_tokens();
        match self.reload.look(self.options.config.as_ref()) {
            Look::Unchanged => {}
            Look::Changed => self.reload_config(),
            Look::Missing(text) => self.reload_failed(&text),
        }
    }

    fn reload_config(&mut self) {
        match load(&self.options) {
            Ok(config) => {
                self.adopt(config);
                self.loaded();
                if self.config.concurrent() < 1 {
                    self.end_without_workers();
                    return;
                }
                self.plan_again();
            }
            Err(LoadFailure { text, config }) => {
                self.reload_failed(&text);
                if let Some(config) = config.filter(|config| config.concurrent() >= 1) {
                    self.adopt(*config);
                    self.plan_again();
                }
            }
        }
    }

    fn adopt(&mut self, config: Config) {
        self.config = self.with_renewed_tokens(config);
        self.rotation.plan(&self.config);
        self.clients.retain(&self.config);
    }

    fn plan_again(&mut self) {
        let now = self.now();
        let plan = plan(&self.config, &self.options, self.sessions.as_ref());
        self.count_builds();
        self.scheduler.reload(plan, now);
    }

    /// As at the start, nothing can run with such a `concurrent` (recording `reload-odd`): the run ends at
    /// once, but not without its jobs.
    fn end_without_workers(&mut self) {
        let step = self
            .shutdown
            .force(ExitReason::NoConcurrency, Instant::now());
        self.scheduler.stop();
        self.stop_requests.cancel();
        self.step(&step, "");
    }

    fn reload_failed(&self, text: &str) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        self.metrics.loading_failed();
        tracing::error!(builds, max_builds, "Failed to load config {text}");
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        if signal == Signal::Hangup {
            if !self.shutdown.has_begun() {
                self.reload.remember(self.options.config.as_ref());
                self.reload_config();
            }
            return;
        }
        let (builds, max_builds) = (self.builds(), self.max_builds());
        let place = match self.shutdown {
            Shutdown::Running => "[runWait]",
            Shutdown::Graceful => "[handleGracefulShutdown]",
            Shutdown::Forceful { .. } | Shutdown::Exiting { .. } => "[handleForcefulShutdown]",
        };
        let field = logging::signal(signal.number(), signal.name());
        tracing::warn!(
            builds,
            max_builds,
            "stop-signal" = field,
            "{place} received stop signal"
        );
        let timeout = self.config.shutdown_timeout();
        let step = self.shutdown.signal(signal, timeout, Instant::now());
        let field = logging::signal(signal.number(), signal.name());
        match step {
            Step::StopPolling => tracing::warn!(
                builds,
                max_builds,
                StopSignal = field,
                "Starting graceful shutdown, waiting for builds to finish"
            ),
            Step::Abort => self.say_abort(signal),
            Step::Kill => self.say_forced(&self.shutdown.reason()),
            Step::Nothing | Step::Exit => {}
        }
        self.step(&step, signal.name());
    }

    fn step(&mut self, step: &Step, signal: &str) {
        match step {
            Step::Nothing | Step::Exit => {}
            Step::StopPolling => {
                self.metrics.set_state(ProcessState::GracefulShutdown);
                self.scheduler.stop();
                self.stop_requests.cancel();
            }
            Step::Abort => {
                self.metrics.set_state(ProcessState::ForcefulShutdown);
                self.scheduler.stop();
                self.stop_requests.cancel();
                self.interrupt.raise(signal);
            }
            Step::Kill => self.kill.cancel(),
        }
    }
}

/// Short token and name of an entry.
fn names(entry: &Entry<EntryData>) -> (&str, &str) {
    (
        protocol::token::short(&entry.token),
        &entry.data.config.name,
    )
}
