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
use super::shutdown::{Shutdown, Step};
use super::state::{Clients, EntryData, plan};
use crate::config::Config;
use crate::job::{Interrupt, JobIds};
use crate::logging::{self, Format, Level, runner_span};
use crate::schedule::{Decision, Entry, ExitReason, PollEnd, Scheduler, Signal, Skip, Ticket};

/// `gitlab-runner run` (runner.md 4).
#[derive(Debug)]
pub struct Manager {
    options: ManagerOptions,
    signals: mpsc::Receiver<Signal>,
}

impl Manager {
    /// A manager that has not started. Signals come over `signals`; when all senders are gone, no
    /// signal will ever come.
    pub fn new(options: ManagerOptions, signals: mpsc::Receiver<Signal>) -> Self {
        Manager { options, signals }
    }

    /// Runs until a stop signal has done its work. Needs a tokio runtime; starts no thread.
    pub async fn run(self) -> ExitReason {
        let config = match load(&self.options) {
            Ok(config) => config,
            Err(text) => return ExitReason::Failed(text),
        };
        let (sender, messages) = mpsc::unbounded_channel();
        let mut owner = Owner {
            start: Instant::now(),
            reload: Reload::new(self.options.config.as_ref()),
            options: Arc::new(self.options),
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
fn load(options: &ManagerOptions) -> Result<Config, String> {
    let config = options.config.load().map_err(|error| error.to_string())?;
    let global = config.global();
    let level = parsed::<Level, _>(global.text("log_level"))
        .map_err(|error| format!("failed to parse log level: {error}"))?;
    let format = parsed::<Format, _>(global.text("log_format"))?;
    options.log.configure(level, format);
    Ok(config)
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
struct Owner {
    options: Arc<ManagerOptions>,
    start: Instant,
    config: Config,
    scheduler: Scheduler<EntryData>,
    clients: Clients,
    sender: mpsc::UnboundedSender<Message>,
    reload: Reload,
    shutdown: Shutdown,
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
        self.say_start();
        if self.config.concurrent() < 1 {
            return ExitReason::NoConcurrency;
        }
        let now = self.now();
        self.scheduler.start(plan(&self.config, &self.options), now);
        let mut signals_open = true;
        loop {
            self.act();
            if self.shutdown.has_begun() && self.scheduler.in_work() == 0 {
                break;
            }
            let wake = self.scheduler.next_wake().map(|wake| self.start + wake);
            let look = (!self.shutdown.has_begun()).then(|| self.reload.due());
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
                () = until(look) => self.look(),
            }
        }
        let reason = self.shutdown.reason();
        if reason == ExitReason::Finished {
            self.say_end();
        }
        reason
    }

    /// Time since the start, the scheduler's clock.
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn builds(&self) -> usize {
        self.scheduler.jobs()
    }

    fn max_builds(&self) -> i64 {
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
            Decision::Fed(entry) => {
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
            Skip::BlankToken | Skip::Unhealthy => {}
            Skip::UnknownExecutor => {
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
            Skip::RequestLimit => tracing::debug!(
                builds,
                max_builds,
                runner,
                "Failed to request job, runner requestConcurrency meet"
            ),
        }
    }

    fn poll(&mut self, ticket: Ticket, entry: &Arc<Entry<EntryData>>) {
        let max_age = self.config.connection_max_age();
        let client = match self.clients.get(&entry.data, max_age, &self.options) {
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
            messages: self.sender.clone(),
            stop_requests: self.stop_requests.clone(),
            interrupt: self.interrupt.clone(),
            kill: self.kill.clone(),
            entry: Arc::clone(entry),
        };
        // A worker reports its end by messages; nobody waits for the task itself.
        drop(logging::spawn(worker.work().instrument(span)));
    }

    fn message(&mut self, message: Message) {
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
                let (builds, max_builds) = (self.builds(), self.max_builds());
                self.job_list("Added job to processing list", ticket, &payload);
                if !self.scheduler.requeue(ticket) {
                    tracing::debug!(builds, max_builds, "Failed to requeue the runner");
                }
            }
            Message::JobRemoved { ticket, payload } => {
                self.scheduler.job_removed(ticket);
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
        match self.reload.look(self.options.config.as_ref()) {
            Look::Unchanged => {}
            Look::Changed => self.reload_config(),
            Look::Missing(text) => self.reload_failed(&text),
        }
    }

    fn reload_config(&mut self) {
        match load(&self.options) {
            Ok(config) => {
                self.config = config;
                self.clients.retain(&self.config);
                self.loaded();
                let now = self.now();
                self.scheduler
                    .reload(plan(&self.config, &self.options), now);
            }
            Err(text) => self.reload_failed(&text),
        }
    }

    fn reload_failed(&self, text: &str) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::error!(builds, max_builds, "Failed to load config {text}");
    }

    fn signal(&mut self, signal: Signal) {
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
            Step::Abort => {
                tracing::warn!(
                    builds,
                    max_builds,
                    error = format!("received stop signal: {}", signal.name()),
                    "Graceful shutdown not finished properly. To gracefully clean up running plugins please use SIGQUIT (ctrl-\\) instead of SIGINT (ctrl-c)"
                );
                tracing::warn!(
                    builds,
                    max_builds,
                    StopSignal = field,
                    "shutdown-timeout" = logging::duration(timeout),
                    "Starting forceful shutdown"
                );
            }
            Step::Kill => self.say_forced(&self.shutdown.reason()),
            Step::Nothing | Step::Exit => {}
        }
        self.step(&step, signal.name());
    }

    fn step(&mut self, step: &Step, signal: &str) {
        match step {
            Step::Nothing | Step::Exit => {}
            Step::StopPolling => {
                self.scheduler.stop();
                self.stop_requests.cancel();
            }
            Step::Abort => {
                self.scheduler.stop();
                self.stop_requests.cancel();
                self.interrupt.raise(signal);
            }
            Step::Kill => self.kill.cancel(),
        }
    }

    /// Lines of every load.
    fn loaded(&self) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::info!(builds, max_builds, "Usage logger disabled");
        tracing::info!(builds, max_builds, "Configuration loaded");
        for runner in self.config.runners() {
            if runner.url.trim_end_matches('/').ends_with("/ci") {
                let short = protocol::token::short(&runner.token);
                tracing::warn!(
                    runner = (!short.is_empty()).then_some(short),
                    runner_name = runner.name,
                    "{LEGACY_CI_SUFFIX}"
                );
            }
            if runner.token.trim().is_empty() {
                tracing::warn!(
                    builds,
                    max_builds,
                    runner = protocol::token::short(&runner.token),
                    runner_name = runner.name,
                    "Runner token is empty or whitespace; this runner will be skipped during job polling. Check the 'token' field in your config.toml for this runner."
                );
            }
        }
        if let Some(text) = lines::long_polling_warning(&self.config) {
            tracing::warn!(builds, max_builds, "{text}");
        }
        let unknown = self.config.unknown_keys();
        if !unknown.is_empty() {
            tracing::warn!(
                keys = unknown.join(" "),
                "The configuration has keys that no runner knows"
            );
        }
        let without_effect = lines::keys_without_effect(&self.config);
        if !without_effect.is_empty() {
            tracing::warn!(
                keys = without_effect.join(" "),
                "The configuration has keys that this runner does not act on"
            );
        }
    }

    fn say_start(&self) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        let global = self.config.global();
        if global.text("listen_address").is_empty() {
            tracing::info!(
                builds,
                max_builds,
                "listen_address not defined, metrics & debug endpoints disabled"
            );
        }
        let sessions = global.table("session_server");
        if sessions.is_none_or(|table| table.text("listen_address").is_empty()) {
            tracing::info!(
                builds,
                max_builds,
                "[session_server].listen_address not defined, session endpoints disabled"
            );
        }
        tracing::info!(builds, max_builds, "Initializing executor providers");
    }

    fn say_end(&self) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        let timeout = logging::duration(self.config.shutdown_timeout());
        tracing::info!(builds, max_builds, "All workers stopped.");
        tracing::info!(
            builds,
            max_builds,
            "shutdown-timeout" = timeout,
            "Shutting down executor providers"
        );
        tracing::info!(builds, max_builds, "All executor providers shut down.");
        tracing::info!(builds, max_builds, "Can exit now!");
    }

    fn say_forced(&self, reason: &ExitReason) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::warn!(
            builds,
            max_builds,
            error = reason.to_string(),
            "Forceful shutdown not finished properly"
        );
    }
}

/// Warning about a `url` that ends in `/ci` (RUN-CFG-16).
const LEGACY_CI_SUFFIX: &str = "The runner URL contains a legacy '/ci' suffix.
  This suffix is deprecated and should be removed from the configuration.
  Git submodules may fail to clone with authentication errors if this suffix is present.
  Please update the 'url' field in your config.toml to remove the '/ci' suffix.
  See https://docs.gitlab.com/runner/configuration/advanced-configuration.html#legacy-ci-url-suffix";

/// Short token and name of an entry.
fn names(entry: &Entry<EntryData>) -> (&str, &str) {
    (
        protocol::token::short(&entry.token),
        &entry.data.config.name,
    )
}
