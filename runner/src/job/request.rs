use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::{FailureReason, JobPayload};
use tokio_util::sync::CancellationToken;

use super::inputs::Interpolations;
use super::log::LogSink;
use crate::executor::Executor;
use crate::host::Host;
use crate::session::RegisteredSession;

/// Everything that one job needs. It does no HTTP.
#[derive(Debug)]
pub struct JobRun {
    /// The job as the server sent it.
    pub payload: Arc<JobPayload>,
    /// The runner's configuration for the job.
    pub config: JobConfig,
    /// The machine.
    pub host: Host,
    /// Ids that tell concurrent jobs apart.
    pub ids: JobIds,
    /// The job's log.
    pub log: Arc<dyn LogSink>,
    /// How the job is told to stop.
    pub signals: JobSignals,
    /// Where its stages run.
    pub executor: Box<dyn Executor>,
    /// Id of the request that brought the job; git requests carry it.
    pub correlation_id: String,
    /// TLS files for the job's own requests to the server.
    pub tls: JobTls,
    /// Where a web terminal reaches the job; `None`: nowhere.
    pub session: Option<RegisteredSession>,
}

/// What of a `[[runners]]` entry concerns a job (runner.md 3.3).
#[derive(Clone, Debug, Default)]
pub struct JobConfig {
    /// `id`; 0: not known.
    pub id: i64,
    /// `name`.
    pub name: String,
    /// `url`.
    pub url: String,
    /// `token`.
    pub token: String,
    /// `builds_dir`; empty: the executor's.
    pub builds_dir: String,
    /// `cache_dir`; empty: the executor's.
    pub cache_dir: String,
    /// `clone_url`.
    pub clone_url: String,
    /// `environment`: `K=V`.
    pub environment: Vec<String>,
    /// `pre_get_sources_script`.
    pub pre_get_sources_script: String,
    /// `post_get_sources_script`.
    pub post_get_sources_script: String,
    /// `pre_build_script`.
    pub pre_build_script: String,
    /// `post_build_script`.
    pub post_build_script: String,
    /// `[runners.feature_flags]`.
    pub feature_flags: BTreeMap<String, bool>,
    /// `prepare_timeout`; zero: the job's.
    pub prepare_timeout: Duration,
    /// `get_sources_timeout`; zero: the job's.
    pub get_sources_timeout: Duration,
    /// `debug_trace_disabled`.
    pub debug_trace_disabled: bool,
    /// `safe_directory_checkout`, if set.
    pub safe_directory_checkout: Option<bool>,
    /// `clean_git_config`, if set.
    pub clean_git_config: Option<bool>,
    /// `[runners.custom_build_dir].enabled`, if set.
    pub custom_build_dir: Option<bool>,
}

/// Contents of TLS files (runner.md 8).
#[derive(Clone, Debug, Default)]
pub struct JobTls {
    /// `CI_SERVER_TLS_CA_FILE`.
    pub ca: String,
    /// `CI_SERVER_TLS_CERT_FILE`.
    pub cert: String,
    /// `CI_SERVER_TLS_KEY_FILE`.
    pub key: String,
}

/// Smallest numbers that no running job has (RUN-SCH-12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobIds {
    /// `CI_CONCURRENT_ID`.
    pub concurrent_id: u32,
    /// `CI_CONCURRENT_PROJECT_ID`.
    pub project_concurrent_id: u32,
}

/// How a job is told to stop (runner.md 5.2).
#[derive(Clone, Debug, Default)]
pub struct JobSignals {
    /// Graceful cancel by a user: the script stops, after_script runs.
    pub cancel: CancellationToken,
    /// The server wants no more of the job: everything stops.
    pub abort: CancellationToken,
    /// The manager stops: everything stops.
    pub interrupt: Interrupt,
}

/// The manager's own end, with the signal that caused it. A clone is the same interrupt.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    token: CancellationToken,
    signal: Arc<OnceLock<String>>,
}

impl Interrupt {
    /// An interrupt that has not come.
    pub fn new() -> Self {
        Interrupt::default()
    }

    /// Stops jobs because of `signal`, by Go's name: `terminated`, `interrupt`. The first call counts.
    pub fn raise(&self, signal: &str) {
        let _ = self.signal.set(signal.to_owned());
        self.token.cancel();
    }

    /// Whether it has come.
    pub fn is_raised(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it comes; gives the signal's name.
    pub async fn raised(&self) -> String {
        self.token.cancelled().await;
        self.signal.get().cloned().unwrap_or_default()
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutcome {
    /// `None`: it went well.
    pub failure: Option<JobFailure>,
    /// Whether the job came as far as its user script.
    pub reached_script: bool,
    /// What became of the expressions with job inputs.
    pub inputs: Interpolations,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// Text of the result line.
    pub message: String,
    /// Reason, not mapped for the server yet (RUN-JOB-19).
    pub reason: FailureReason,
    /// Exit code for the final update, 0: none (RUN-JOB-20).
    pub exit_code: i32,
}

impl JobOutcome {
    /// Whether the job went well.
    pub fn is_success(&self) -> bool {
        self.failure.is_none()
    }
}
