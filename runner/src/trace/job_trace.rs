use std::sync::Arc;

use protocol::{Info, JobUpdate, UpdateState};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::deliver::Delivery;
use super::job_log::JobLog;
use crate::client::{ApiClient, JobCredentials, UpdateResult};
use crate::logging;

/// How a log is delivered.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The runner about itself, as updates carry it.
    pub info: Info,
    /// Whether patches carry `debug_trace=true` (`CI_DEBUG_TRACE`, `CI_DEBUG_SERVICES`).
    pub debug_trace: bool,
    /// `FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL`.
    pub dynamic_force_send_interval: bool,
    /// Runs of the final update (`job_status_final_update_retry_limit`); 0 is taken as 1.
    pub final_update_retry_limit: u32,
}

impl TraceSettings {
    /// Settings with the official defaults.
    pub fn new(info: Info) -> Self {
        TraceSettings {
            info,
            debug_trace: false,
            dynamic_force_send_interval: false,
            final_update_retry_limit: 10,
        }
    }
}

/// Result of a job, for the final update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// `success` or `failed`.
    pub state: UpdateState,
    /// Name of the failure reason as it is sent, only with `failed`.
    pub failure_reason: String,
    /// Exit code, 0: left out.
    pub exit_code: i32,
}

impl JobResult {
    /// The job went well.
    pub fn success() -> Self {
        JobResult {
            state: UpdateState::Success,
            failure_reason: String::new(),
            exit_code: 0,
        }
    }

    /// The job failed.
    pub fn failed(failure_reason: &str, exit_code: i32) -> Self {
        JobResult {
            state: UpdateState::Failed,
            failure_reason: failure_reason.to_owned(),
            exit_code,
        }
    }
}

/// What the answer to the first update means (wire.md 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstUpdate {
    /// The job runs.
    Run,
    /// `canceling`: the job does not run; `finish` it as failed with `job_canceled`.
    Cancel,
    /// The job is dropped, and nothing more is sent: call [`JobTrace::abandon`].
    Abort,
}

/// How the final update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalOutcome {
    /// The server has the result.
    Delivered,
    /// The server wants no more of the job.
    Aborted,
    /// All runs failed; the result is lost for the server.
    GaveUp,
}

/// Delivery of one job's log and result (wire.md 4 and 5).
///
/// From [`JobTrace::start`] on, one patch goes out per interval, and keep-alives when there is nothing
/// to send. When dropped without [`JobTrace::finish`], delivery stops.
#[derive(Debug)]
#[must_use = "a job whose trace is not finished gets no final update"]
pub struct JobTrace {
    cancelled: CancellationToken,
    aborted: CancellationToken,
    client: Arc<ApiClient>,
    job: JobCredentials,
    info: Info,
    stop: DropGuard,
    delivery: JoinHandle<Delivery>,
}

impl JobTrace {
    /// Starts to deliver `log`. The first patch comes one interval (3 s) from now. Call it at pickup,
    /// within the span of the runner, before the first update is sent (WIRE-TRC-23).
    pub fn start(
        client: Arc<ApiClient>,
        job: JobCredentials,
        log: JobLog,
        settings: TraceSettings,
    ) -> Self {
        let cancelled = CancellationToken::new();
        let aborted = CancellationToken::new();
        let stop = CancellationToken::new();
        let info = settings.info.clone();
        let mut delivery = Delivery::new(
            Arc::clone(&client),
            job.clone(),
            log,
            settings,
            cancelled.clone(),
            aborted.clone(),
        );
        let stopped = stop.clone();
        let delivery = logging::spawn(async move {
            delivery.run(&stopped).await;
            delivery
        });
        JobTrace {
            cancelled,
            aborted,
            client,
            job,
            info,
            stop: stop.drop_guard(),
            delivery,
        }
    }

    /// Cancelled when the server asks for a graceful end (`Job-Status: canceling`).
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Cancelled when the server wants no more of the job.
    pub fn aborted(&self) -> &CancellationToken {
        &self.aborted
    }

    /// Tells the server that the job was picked up: `state: running`, `output: {}` (WIRE-UPD-01).
    pub async fn first_update(&self) -> FirstUpdate {
        let update = JobUpdate::new(self.info.clone(), "", UpdateState::Running);
        let outcome = self.client.update_job(&self.job, update).await;
        if outcome.result == UpdateResult::Abort {
            self.aborted.cancel();
            FirstUpdate::Abort
        } else if outcome.canceling {
            self.cancelled.cancel();
            FirstUpdate::Cancel
        } else {
            FirstUpdate::Run
        }
    }

    /// Stops delivery; nothing more is sent (WIRE-UPD-09). Waits for a patch that is under way.
    pub async fn abandon(self) {
        drop(self.stop);
        let _ = self.delivery.await;
    }

    /// Closes the log, sends what is left of it, and then the result, with all retries of wire.md 5.4.
    pub async fn finish(self, result: &JobResult) -> FinalOutcome {
        drop(self.stop);
        match self.delivery.await {
            Ok(mut delivery) => delivery.finish(result).await,
            Err(error) => {
                tracing::error!(%error, job = self.job.id, "Delivery of the job's log ended early");
                FinalOutcome::GaveUp
            }
        }
    }
}
