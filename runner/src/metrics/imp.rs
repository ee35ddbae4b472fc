use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Registry, TextEncoder};
use protocol::{FailureReason, JobPayload};

use super::families::Families;
use super::jobs::{JobWatch, Jobs};
use super::requests::RequestObserver;
use crate::git::without_credentials;
use crate::host;
use crate::job::Interpolations;
use crate::logging::{Level, Log};

/// How jobs run here; `steps`, the other mode, is not there.
const MODE: &str = "traditional";

/// State of the process (runner.md 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessState {
    /// Nothing is polled yet.
    #[default]
    Starting,
    /// It polls.
    Running,
    /// SIGQUIT came: jobs go on, nothing is polled.
    GracefulShutdown,
    /// SIGTERM or SIGINT came: jobs are aborted.
    ForcefulShutdown,
}

impl ProcessState {
    /// Name as on `/debug/process/state`.
    pub fn name(self) -> &'static str {
        match self {
            ProcessState::Starting => "starting",
            ProcessState::Running => "running",
            ProcessState::GracefulShutdown => "graceful-shutdown",
            ProcessState::ForcefulShutdown => "forceful-shutdown",
        }
    }
}

/// An entry, by its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryLabels {
    /// Short token.
    pub runner: String,
    /// `name`.
    pub runner_name: String,
    /// System id of this machine.
    pub system_id: String,
}

impl EntryLabels {
    fn values(&self) -> [&str; 3] {
        [&self.runner, &self.runner_name, &self.system_id]
    }

    pub(super) fn manager(&self) -> [&str; 2] {
        [&self.runner, &self.system_id]
    }
}

/// Gauges of one entry, as the scheduler has them.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryGauges {
    /// The entry.
    pub entry: EntryLabels,
    /// `limit`.
    pub limit: u32,
    /// Requests under way.
    pub requests: u32,
    /// The adaptive limit.
    pub adaptive_limit: f64,
    /// `request_concurrency`.
    pub hard_limit: u32,
    /// The limit in force.
    pub used_limit: u32,
}

/// What the manager counts (runner.md 13). A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    families: Families,
    jobs: Jobs,
    state: Mutex<ProcessState>,
    ready: AtomicBool,
    log: Log,
    /// Held while gauges are set and read: readers do not see each other's half-set values.
    reading: Mutex<()>,
}

impl Metrics {
    /// Metrics in which nothing was counted. `log` counts the records of the process log.
    pub fn new(log: Log) -> Self {
        let registry = Registry::new();
        let families = Families::new(&registry);
        for operation in ["started", "stopped"] {
            families.slot_operations.with_label_values(&[operation]);
        }
        families
            .version
            .with_label_values(&[
                host::NAME,
                host::VERSION,
                host::REVISION,
                host::BRANCH,
                "none (rust)",
                "unknown",
                host::platform(),
                host::architecture(),
            ])
            .set(1);
        Metrics(Arc::new(Inner {
            registry,
            families,
            jobs: Jobs::default(),
            state: Mutex::default(),
            ready: AtomicBool::new(false),
            log,
            reading: Mutex::default(),
        }))
    }

    pub(super) fn families(&self) -> &Families {
        &self.0.families
    }

    /// The configuration was read, with these entries: their series begin with 0.
    pub fn loaded(&self, entries: &[EntryLabels]) {
        let families = self.families();
        families.config_loaded.inc();
        for entry in entries {
            for counters in [
                &families.jobs_total,
                &families.feeds,
                &families.feed_failures,
                &families.health_check_failures,
            ] {
                counters.with_label_values(&entry.values());
            }
            for failure in ["job_failure", "no_free_executor", "other"] {
                families
                    .processing_failures
                    .with_label_values(&[&entry.values()[..], &[failure]].concat());
            }
            families
                .requests_exceeded
                .with_label_values(&entry.manager());
        }
    }

    /// The configuration could not be read.
    pub fn loading_failed(&self) {
        self.families().config_loading_error.inc();
    }

    /// The configuration was saved, or could not be.
    pub fn saved(&self, well: bool) {
        let families = self.families();
        if well {
            families.config_saved.inc();
        } else {
            families.config_saving_error.inc();
        }
    }

    /// A worker took an entry.
    pub fn fed(&self, entry: &EntryLabels) {
        self.families()
            .feeds
            .with_label_values(&entry.values())
            .inc();
    }

    /// An entry was not fed, because of its health or, if that is good, its blank token.
    pub fn not_fed(&self, entry: &EntryLabels, healthy: bool) {
        let families = self.families();
        let values = entry.values();
        families.feed_failures.with_label_values(&values).inc();
        if !healthy {
            families
                .health_check_failures
                .with_label_values(&values)
                .inc();
        }
    }

    /// An entry had no request slot free.
    pub fn requests_exceeded(&self, entry: &EntryLabels) {
        self.families()
            .requests_exceeded
            .with_label_values(&entry.manager())
            .inc();
    }

    /// What a worker did failed: `other` or `job_failure`.
    pub fn processing_failed(&self, entry: &EntryLabels, failure_type: &str) {
        self.families()
            .processing_failures
            .with_label_values(&[&entry.values()[..], &[failure_type]].concat())
            .inc();
    }

    /// A worker has started or stopped.
    pub fn worker(&self, started: bool) {
        let operation = if started { "started" } else { "stopped" };
        self.families()
            .slot_operations
            .with_label_values(&[operation])
            .inc();
    }

    /// A job will run; it is listed until the answer is dropped.
    pub fn job(&self, entry: &EntryLabels, payload: &JobPayload) -> JobWatch {
        let families = self.families();
        let info = payload.job_info.get();
        let values = entry.values();
        families.jobs_total.with_label_values(&values).inc();
        families
            .acceptable_queuing_exceeded
            .with_label_values(&values);
        let set = |gauges: &prometheus::IntGaugeVec, value| {
            gauges.with_label_values(&values).set(value);
        };
        set(&families.queue_size, info.queue_size.get());
        set(&families.queue_depth, info.queue_depth.get());
        let running = info.project_jobs_running_on_instance_runners_count.get();
        families
            .queue_duration
            .with_label_values(&[&values[..], &[running.as_str()]].concat())
            .observe(info.time_in_queue_seconds.get());
        self.0.jobs.add(entry.clone(), job_url(payload))
    }

    /// A job has ended after `duration`; `reason` as it is before it is mapped for the server.
    /// `reached_script`: it came as far as its user script.
    pub fn job_ended(
        &self,
        entry: &EntryLabels,
        executor: &str,
        duration: Duration,
        reason: Option<FailureReason>,
        reached_script: bool,
    ) {
        let families = self.families();
        let values = entry.values();
        families
            .job_duration
            .with_label_values(&[&values[..], &[MODE]].concat())
            .observe(duration.as_secs_f64());
        if reached_script {
            families.job_mode.with_label_values(&[MODE, executor]).inc();
        }
        if let Some(reason) = reason {
            families
                .failed_jobs
                .with_label_values(&[&entry.runner, &entry.runner_name, reason.as_str(), MODE])
                .inc();
            self.processing_failed(entry, "job_failure");
        }
    }

    /// Expressions with job inputs were replaced, or could not be.
    pub fn inputs(&self, interpolations: &Interpolations) {
        let families = self.families();
        families.inputs.inc_by(interpolations.count);
        if let Some(failure) = &interpolations.failure {
            let label = [failure.error_type];
            families.input_failures.with_label_values(&label).inc();
        }
    }

    /// A stage has ended (`FF_EXPORT_HIGH_CARDINALITY_METRICS`).
    pub fn stage_ended(&self, entry: &EntryLabels, stage: &str, duration: Duration) {
        self.families()
            .job_stage_duration
            .with_label_values(&[&entry.values()[..], &[stage]].concat())
            .observe(duration.as_secs_f64());
    }

    /// Sets the gauges that the scheduler has.
    pub fn set_gauges(&self, entries: &[EntryGauges], concurrent: i64, workers: usize) {
        let _reading = self
            .0
            .reading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let families = self.families();
        families.concurrent.set(concurrent);
        families.slots.set(workers as i64);
        families.limit.reset();
        for gauges in [
            &families.requests,
            &families.requests_hard_limit,
            &families.requests_used_limit,
        ] {
            gauges.reset();
        }
        families.requests_adaptive_limit.reset();
        families.jobs.reset();
        for gauges in entries {
            let values = gauges.entry.values();
            let manager = gauges.entry.manager();
            families
                .limit
                .with_label_values(&values)
                .set(gauges.limit.into());
            let set = |family: &prometheus::IntGaugeVec, value: u32| {
                family.with_label_values(&manager).set(value.into());
            };
            set(&families.requests, gauges.requests);
            set(&families.requests_hard_limit, gauges.hard_limit);
            set(&families.requests_used_limit, gauges.used_limit);
            families
                .requests_adaptive_limit
                .with_label_values(&manager)
                .set(gauges.adaptive_limit);
            families
                .jobs
                .with_label_values(&[&values[..], &["idle", "idle", "idle"]].concat())
                .set(0);
        }
    }

    /// The process has come to this state.
    pub fn set_state(&self, state: ProcessState) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// State of the process.
    pub fn state(&self) -> ProcessState {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boot verification has passed, or there is none.
    pub fn set_ready(&self) {
        self.0.ready.store(true, Ordering::Relaxed);
    }

    /// Whether boot verification has passed (RUN-MON-04).
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }

    /// The page `/debug/jobs/list` (RUN-MON-02).
    pub fn job_list(&self) -> String {
        self.0.jobs.page()
    }

    /// The page `/metrics`. Gauges of the scheduler are as [`Metrics::set_gauges`] left them.
    pub fn text(&self) -> String {
        let _reading = self
            .0
            .reading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let families = self.families();
        for (name, level) in [
            ("error", Level::Error),
            ("fatal", Level::Fatal),
            ("panic", Level::Panic),
            ("warning", Level::Warning),
        ] {
            let counter = families.errors.with_label_values(&[name]);
            counter.reset();
            counter.inc_by(self.0.log.count(level));
        }
        families.process_state.reset();
        families
            .process_state
            .with_label_values(&[self.state().name()])
            .set(1);
        for ((entry, state, stage, executor_stage), count) in self.0.jobs.counts() {
            families
                .jobs
                .with_label_values(
                    &[&entry.values()[..], &[state, &stage, executor_stage]].concat(),
                )
                .set(count);
        }
        families.process.refresh();
        let mut text = String::new();
        // Writing to a string does not fail, and all names are valid.
        let _ = TextEncoder::new().encode_utf8(&self.0.registry.gather(), &mut text);
        text
    }

    /// Counts the requests of an entry.
    pub fn observer(&self, entry: EntryLabels) -> RequestObserver {
        RequestObserver::new(self.clone(), entry)
    }
}

/// Page of a job: its repository, without credentials and `.git`.
fn job_url(payload: &JobPayload) -> String {
    let url = payload.git_info.get().repo_url.get();
    let url = without_credentials(&url);
    let repository = url.strip_suffix(".git").unwrap_or(&url);
    format!("{repository}/-/jobs/{}", payload.id.get())
}
