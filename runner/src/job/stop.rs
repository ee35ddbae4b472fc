//! Why and when a job stops before its time (runner.md 5.2).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use protocol::FailureReason;
use tokio_util::sync::CancellationToken;

use super::go_duration;
use super::request::JobFailure;

/// What stops a job or its scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Graceful cancel.
    Cancel,
    /// The server refuses updates.
    Abort,
    /// The manager ends, because of this signal.
    Interrupt(String),
    /// The job's time is up.
    JobTimeout(Duration),
    /// `RUNNER_SCRIPT_TIMEOUT` or `RUNNER_AFTER_SCRIPT_TIMEOUT` is up.
    ScriptTimeout,
    /// `prepare_timeout` is up.
    PrepareTimeout(Duration),
    /// `get_sources_timeout` is up.
    GetSourcesTimeout(Duration),
}

impl Cause {
    /// Whether it is one of the time limits.
    pub(super) fn is_timeout(&self) -> bool {
        !matches!(self, Cause::Cancel | Cause::Abort | Cause::Interrupt(_))
    }

    /// What the job fails with.
    pub(super) fn failure(&self) -> JobFailure {
        let (message, reason) = match self {
            Cause::Cancel | Cause::Abort => ("canceled".to_owned(), FailureReason::JobCanceled),
            Cause::Interrupt(signal) => (
                format!("aborted: {signal}"),
                FailureReason::RunnerInterrupted,
            ),
            Cause::JobTimeout(limit) => (
                format!(
                    "execution took longer than {} seconds",
                    go_duration::format(*limit)
                ),
                FailureReason::JobExecutionTimeout,
            ),
            Cause::ScriptTimeout => (
                "script timeout: context deadline exceeded".to_owned(),
                FailureReason::JobExecutionTimeout,
            ),
            Cause::PrepareTimeout(limit) => (
                format!(
                    "prepare timeout: exceeded timeout of {}",
                    go_duration::format(*limit)
                ),
                FailureReason::JobExecutionTimeout,
            ),
            Cause::GetSourcesTimeout(limit) => (
                format!(
                    "get sources timeout: exceeded timeout of {}",
                    go_duration::format(*limit)
                ),
                FailureReason::JobExecutionTimeout,
            ),
        };
        JobFailure {
            message,
            reason,
            exit_code: 0,
        }
    }
}

/// Stops something, once, for a cause.
#[derive(Debug, Default)]
pub(super) struct Stop {
    token: CancellationToken,
    cause: OnceLock<Cause>,
}

impl Stop {
    /// A stop that also happens, without a cause of its own, when `parent` does.
    pub(super) fn below(parent: &Stop) -> Self {
        Stop {
            token: parent.token.child_token(),
            cause: OnceLock::new(),
        }
    }

    /// Stops; the first cause counts.
    pub(super) fn stop(&self, cause: Cause) {
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// Whether it has happened.
    pub(super) fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Its own cause.
    pub(super) fn cause(&self) -> Option<&Cause> {
        self.cause.get()
    }

    /// For what is to be stopped.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// How far the job is, as a cancel must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the user's script: a cancel stops the whole job (RUN-JOB-16).
    Before,
    /// In the user's script: a cancel stops the script (RUN-JOB-15).
    Script,
    /// After it: a cancel changes nothing (RUN-JOB-17).
    After,
}

/// A phase that two parts of a job share.
#[derive(Debug, Default)]
pub(super) struct PhaseCell(AtomicU8);

impl PhaseCell {
    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    pub(super) fn get(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Before,
            1 => Phase::Script,
            _ => Phase::After,
        }
    }
}

/// Runs `work`; when `limit` is over before it ends, calls `expired` once and goes on waiting for it.
pub(super) async fn limited<T>(
    limit: Option<Duration>,
    expired: impl FnOnce(),
    work: impl Future<Output = T>,
) -> T {
    let Some(limit) = limit else {
        return work.await;
    };
    tokio::pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = tokio::time::sleep(limit) => expired(),
    }
    work.await
}
