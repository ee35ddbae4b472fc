use std::time::Duration;

use protocol::runners::{ResetTokenAnswer, RunnerCredentials};
use protocol::{JobPayload, JobStatus};

use super::TlsData;

/// What authorizes calls about one job. Its debug form hides the token.
#[derive(Clone, PartialEq, Eq)]
pub struct JobCredentials {
    /// Id of the job.
    pub id: i64,
    /// Job token.
    pub token: String,
}

impl std::fmt::Debug for JobCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobCredentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a poll brought (wire.md 9).
#[derive(Debug)]
pub struct JobRequestOutcome {
    /// The answer.
    pub result: JobRequestResult,
    /// A retryable status was seen, even if a later attempt succeeded (WIRE-RTY-07).
    pub back_pressured: bool,
    /// Id for logs and for git: the answer's, else the request's (WIRE-CON-06).
    pub correlation_id: String,
}

impl JobRequestOutcome {
    /// Whether this counts as an unhealthy answer (runner.md 4.3): 403 and set-up errors only.
    pub fn is_unhealthy(&self) -> bool {
        matches!(
            self.result,
            JobRequestResult::Forbidden | JobRequestResult::ClientError
        )
    }
}

/// Answer to a poll.
#[derive(Debug)]
pub enum JobRequestResult {
    /// 201: a job.
    Job(Box<ReceivedJob>),
    /// 201 with a body that is no job. The official runner loses such a job; where the body still
    /// shows id and token, `job` has them, and the caller must fail it.
    Undecodable {
        /// What the body shows of the job.
        job: Option<JobCredentials>,
        /// What was wrong.
        error: String,
    },
    /// 204: nothing to do.
    NoJob,
    /// 403: the token is not (any more) valid.
    Forbidden,
    /// 503 after all attempts.
    Unavailable,
    /// Everything else.
    Failed,
    /// The client cannot be set up (bad URL).
    ClientError,
    /// The cancel token ended the call (WIRE-RTY-06).
    Cancelled,
}

/// A job as it came.
#[derive(Debug)]
pub struct ReceivedJob {
    /// The payload.
    pub payload: JobPayload,
    /// Certificates for the job's own requests to the server (wire.md 1.4).
    pub tls: TlsData,
}

/// What the server said to a job update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateOutcome {
    /// How the runner reads it (wire.md 5.4).
    pub result: UpdateResult,
    /// `Job-Status: canceling`: the job is to stop gracefully.
    pub canceling: bool,
    /// `Job-Status`, if it is a known state.
    pub job_status: Option<JobStatus>,
    /// New interval between patches, if a usable one was sent (WIRE-TRC-05).
    pub interval: Option<Duration>,
    /// HTTP status, -1 without an answer (wire.md 1.7).
    pub status: i32,
    /// Id for logs.
    pub correlation_id: String,
}

/// How the runner reads the answer to a job update, in the order of wire.md 5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateResult {
    /// 200.
    Succeeded,
    /// 202: call again.
    AcceptedButNotCompleted,
    /// 412: send the whole log again.
    TraceValidationFailed,
    /// The server wants no more of the job: 403, 404, or the job is canceled or failed there.
    Abort,
    /// Everything else.
    Failed,
}

/// What the server said to a log patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchOutcome {
    /// How the runner reads it (wire.md 4.4).
    pub state: PatchState,
    /// `Job-Status: canceling`: the job is to stop gracefully.
    pub canceling: bool,
    /// `Job-Status`, if it is a known state.
    pub job_status: Option<JobStatus>,
    /// New interval between patches, if a usable one was sent.
    pub interval: Option<Duration>,
    /// HTTP status, -1 without an answer.
    pub status: i32,
    /// Id for logs.
    pub correlation_id: String,
}

/// How the runner reads the answer to a patch, in the order of wire.md 4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchState {
    /// 202: what was sent is stored, up to this offset.
    Stored {
        /// End of what was sent.
        end: u64,
    },
    /// 403, or the job is canceled or failed on the server.
    Abort,
    /// 404.
    NotFound,
    /// 416: the server wants the log from this offset on.
    RangeMismatch {
        /// Where to continue.
        offset: u64,
    },
    /// Everything else.
    Failed,
}

/// Why a call about a runner did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// 403.
    Forbidden,
    /// Any other answer or none; the text is the one of the log (wire.md 1.7).
    Failed(String),
}

/// Result of a registration.
pub type RegisterOutcome = Result<RunnerCredentials, CallFailure>;
/// Result of removing a runner or one of its managers.
pub type UnregisterOutcome = Result<(), CallFailure>;
/// Result of a token reset.
pub type ResetOutcome = Result<ResetTokenAnswer, CallFailure>;

/// Result of a verification (wire.md 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyOutcome {
    /// 200. The id is 0 if the body was not read (an old server's plain text).
    Valid(RunnerCredentials),
    /// 403: the token is not valid.
    Invalid,
    /// Everything else. `verify` counts this as valid with id 0, registration with `glrt-` rejects it.
    Failed(String),
}
