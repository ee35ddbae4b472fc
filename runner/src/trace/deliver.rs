use std::sync::Arc;
use std::time::Duration;

use protocol::job_update::Output;
use protocol::trace::{MAX_PATCH_BYTES, checksum};
use protocol::{JobUpdate, UpdateState};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::job_log::JobLog;
use super::job_trace::{FinalOutcome, JobResult, TraceSettings};
use crate::client::{ApiClient, JobCredentials, PatchState, UpdateResult};

/// Pause between patches until the server names another (WIRE-TRC-05).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(3);
/// A keep-alive goes out when nothing went out for longer than this.
const FORCE_SEND: Duration = Duration::from_secs(30);
/// Longest pause between keep-alives with `FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL`.
const LONGEST_FORCE_SEND: Duration = Duration::from_mins(30);
/// First pause between runs of the final update; doubles (WIRE-UPD-07).
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause between runs of the final update.
const LONGEST_BACKOFF: Duration = Duration::from_hours(1);
/// Answers 202 or 412 in a row to the final update after which the log says that it still goes on. There
/// is no bound (WIRE-UPD-05): a server that persists a long log may take its time.
const UNFINISHED_SAID: u32 = 20;
/// Answers 416 in a row after which the end of the log is given up. The official runner has no bound.
const MAX_MISMATCHES: u32 = 10;

/// The state of delivery: what was sent, and when.
#[derive(Debug)]
pub(super) struct Delivery {
    client: Arc<ApiClient>,
    job: JobCredentials,
    log: JobLog,
    settings: TraceSettings,
    cancelled: CancellationToken,
    aborted: CancellationToken,
    interval: Duration,
    force_send: Duration,
    /// Offset of the next patch.
    sent: u64,
    /// When the server last took a patch or a keep-alive. `None`: never, so a keep-alive is due.
    last_sent: Option<Instant>,
    /// Answers 416 since the last other one.
    mismatches: u32,
}

/// How one patch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patched {
    /// Stored.
    Stored,
    /// There was nothing to send.
    Nothing,
    Abort,
    NotFound,
    Mismatch,
    Failed,
}

/// How the log's end was flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flushed {
    /// On to the update.
    Done,
    /// A patch failed: one more run.
    Failed,
}

impl Delivery {
    pub(super) fn new(
        client: Arc<ApiClient>,
        job: JobCredentials,
        log: JobLog,
        settings: TraceSettings,
        cancelled: CancellationToken,
        aborted: CancellationToken,
    ) -> Self {
        Delivery {
            client,
            job,
            log,
            settings,
            cancelled,
            aborted,
            interval: DEFAULT_INTERVAL,
            force_send: FORCE_SEND,
            sent: 0,
            last_sent: None,
            mismatches: 0,
        }
    }

    /// Patches and keep-alives while the job runs. A request under way is never cut off by `stop`, so
    /// two patches of a job are never in flight.
    pub(super) async fn run(&mut self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(self.interval) => {}
            }
            match self.patch().await {
                Patched::Abort => return,
                Patched::Stored | Patched::Nothing => {
                    if self.touch_is_due() && !self.touch().await {
                        return;
                    }
                }
                Patched::NotFound | Patched::Mismatch | Patched::Failed => {}
            }
        }
    }

    /// Sends one patch of what is not sent yet.
    async fn patch(&mut self) -> Patched {
        let content = match self.log.read(self.sent, MAX_PATCH_BYTES) {
            Ok(content) => content,
            Err(error) => {
                tracing::error!(%error, job = self.job.id, offset = self.sent, "Failed to read the job's log from its file");
                return Patched::Failed;
            }
        };
        if content.is_empty() {
            return Patched::Nothing;
        }
        let outcome = self
            .client
            .patch_trace(&self.job, content, self.sent, self.settings.debug_trace)
            .await;
        self.take_interval(outcome.interval);
        if outcome.canceling {
            self.cancelled.cancel();
        }
        if !matches!(outcome.state, PatchState::RangeMismatch { .. }) {
            self.mismatches = 0;
        }
        match outcome.state {
            PatchState::Stored { end } => {
                self.sent = end;
                self.last_sent = Some(Instant::now());
                Patched::Stored
            }
            PatchState::RangeMismatch { offset } => {
                self.resync(offset);
                Patched::Mismatch
            }
            PatchState::Abort => {
                self.aborted.cancel();
                Patched::Abort
            }
            PatchState::NotFound => Patched::NotFound,
            PatchState::Failed => Patched::Failed,
        }
    }

    /// Continues where the server asks for. An offset beyond the log cannot be served: the nearest
    /// that can is the log's end.
    fn resync(&mut self, offset: u64) {
        self.mismatches += 1;
        self.last_sent = Some(Instant::now());
        let size = self.log.size();
        if offset > size {
            tracing::warn!(
                job = self.job.id,
                offset,
                written = size,
                "The server claims more of the job's log than was written; continuing from its end"
            );
        }
        self.sent = offset.min(size);
    }

    fn take_interval(&mut self, interval: Option<Duration>) {
        let Some(interval) = interval else { return };
        self.interval = interval;
        if self.settings.dynamic_force_send_interval {
            self.force_send = (interval * 4).clamp(FORCE_SEND, LONGEST_FORCE_SEND);
        }
    }

    fn touch_is_due(&self) -> bool {
        self.last_sent
            .is_none_or(|last| last.elapsed() > self.force_send)
    }

    /// Sends a keep-alive. `false`: the server wants no more of the job.
    async fn touch(&mut self) -> bool {
        let update = self.update(UpdateState::Running);
        let outcome = self.client.update_job(&self.job, update).await;
        self.take_interval(outcome.interval);
        if outcome.canceling {
            self.cancelled.cancel();
        }
        match outcome.result {
            UpdateResult::Succeeded => self.last_sent = Some(Instant::now()),
            UpdateResult::Abort => {
                self.aborted.cancel();
                return false;
            }
            UpdateResult::AcceptedButNotCompleted
            | UpdateResult::TraceValidationFailed
            | UpdateResult::Failed => {}
        }
        true
    }

    /// An update with size and checksum of the log so far.
    fn update(&self, state: UpdateState) -> JobUpdate {
        let extent = self.log.extent();
        let checksum = checksum(extent.crc32);
        JobUpdate {
            checksum: checksum.clone(),
            output: Output {
                checksum,
                bytesize: extent.size,
            },
            ..JobUpdate::new(self.settings.info.clone(), "", state)
        }
    }

    /// Sends what is left of the log, then the result (wire.md 5.4).
    pub(super) async fn finish(&mut self, result: &JobResult) -> FinalOutcome {
        self.log.close();
        let runs = self.settings.final_update_retry_limit.max(1);
        let mut backoff = FIRST_BACKOFF;
        for run in 1..=runs {
            self.interval = DEFAULT_INTERVAL;
            if let Some(outcome) = self.final_run(result).await {
                return outcome;
            }
            if run < runs {
                sleep(backoff).await;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
            }
        }
        tracing::error!(
            job = self.job.id,
            runs,
            "The job's final update failed; the server does not know its result"
        );
        FinalOutcome::GaveUp
    }

    /// One run of the final update; `None`: it failed.
    async fn final_run(&mut self, result: &JobResult) -> Option<FinalOutcome> {
        for answers in 1_u32.. {
            if self.flush().await == Flushed::Failed {
                return None;
            }
            let mut update = self.update(result.state);
            update.failure_reason.clone_from(&result.failure_reason);
            update.exit_code = result.exit_code;
            let outcome = self.client.update_job(&self.job, update).await;
            self.take_interval(outcome.interval);
            match outcome.result {
                UpdateResult::Succeeded => return Some(FinalOutcome::Delivered),
                UpdateResult::Abort => return Some(FinalOutcome::Aborted),
                UpdateResult::AcceptedButNotCompleted => sleep(self.interval).await,
                UpdateResult::TraceValidationFailed => {
                    self.sent = 0;
                    sleep(self.interval).await;
                }
                UpdateResult::Failed => {
                    sleep(self.interval).await;
                    return None;
                }
            }
            if answers % UNFINISHED_SAID == 0 {
                tracing::warn!(
                    answers,
                    job = self.job.id,
                    "The server has the job's result and does not complete the job; it is asked again"
                );
            }
        }
        None
    }

    /// Sends all that is left of the log, piece after piece.
    async fn flush(&mut self) -> Flushed {
        self.mismatches = 0;
        loop {
            match self.patch().await {
                Patched::Stored => {}
                Patched::Nothing | Patched::Abort | Patched::NotFound => return Flushed::Done,
                Patched::Mismatch => {
                    if self.mismatches >= MAX_MISMATCHES {
                        tracing::warn!(
                            job = self.job.id,
                            tries = self.mismatches,
                            "The server does not take the rest of the job's log; giving it up"
                        );
                        return Flushed::Done;
                    }
                    sleep(self.interval).await;
                }
                Patched::Failed => {
                    sleep(self.interval).await;
                    return Flushed::Failed;
                }
            }
        }
    }
}
