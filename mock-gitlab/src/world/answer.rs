//! Answers and errors of the runner API as data. The HTTP face only spells them.

use jiff::Timestamp;
use protocol::{JobPayload, JobStatus};
use serde_json::{Value, json};

use super::text::Text;
use super::{ProjectId, RunnerId};

/// An error answer of the API.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{status} {body}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// JSON body (wire.md 1.8).
    pub body: Value,
    /// `Job-Status`, where the call belongs to a known job.
    pub job_status: Option<JobStatus>,
    /// `Retry-After`, s.
    pub retry_after_s: Option<u32>,
    /// `Range: 0-<size>`, on 416 only.
    pub range: Option<u64>,
}

impl ApiError {
    /// An error with this status and body.
    pub fn new(status: u16, body: Value) -> ApiError {
        ApiError {
            status,
            body,
            job_status: None,
            retry_after_s: None,
            range: None,
        }
    }

    /// 400 for a missing parameter.
    pub fn missing(parameter: &str) -> ApiError {
        ApiError::new(400, protocol::error_body::missing_parameter(parameter))
    }

    /// 400 of a model validation.
    pub fn validation(attribute: &str, text: &str) -> ApiError {
        ApiError::new(400, protocol::error_body::validation(attribute, text))
    }

    /// 400 with a plain reason.
    pub fn bad_request(reason: &str) -> ApiError {
        ApiError::new(
            400,
            protocol::error_body::message(400, "Bad request", Some(reason)),
        )
    }

    /// 401.
    pub fn unauthorized() -> ApiError {
        ApiError::new(
            401,
            protocol::error_body::message(401, "Unauthorized", None),
        )
    }

    /// 403 without a reason.
    pub fn forbidden() -> ApiError {
        ApiError::new(403, protocol::error_body::message(403, "Forbidden", None))
    }

    /// 403 with a reason.
    pub fn forbidden_because(reason: &str) -> ApiError {
        ApiError::new(
            403,
            protocol::error_body::message(403, "Forbidden", Some(reason)),
        )
    }

    /// 404, with the resource that was not found.
    pub fn not_found(resource: Option<&str>) -> ApiError {
        ApiError::new(404, protocol::error_body::not_found(resource))
    }

    /// 412: it has changed since the time that the caller named.
    pub fn precondition_failed() -> ApiError {
        ApiError::new(
            412,
            protocol::error_body::message(412, "Precondition Failed", None),
        )
    }

    /// 413 of an artifact.
    pub fn file_too_large() -> ApiError {
        ApiError::new(
            413,
            json!({ "message": "file size has reached maximum size limit" }),
        )
    }

    /// 429 of an application rate limit.
    pub fn rate_limited(retry_after_s: u32) -> ApiError {
        ApiError {
            retry_after_s: Some(retry_after_s),
            ..ApiError::new(
                429,
                json!({ "message": { "error":
                    "This endpoint has been requested too many times. Try again later." } }),
            )
        }
    }

    /// 429 while migrations run (WIRE-REQ-09).
    pub fn migrations() -> ApiError {
        ApiError {
            retry_after_s: Some(60),
            ..ApiError::new(
                429,
                json!({ "message": "Executing database migrations. Please retry later." }),
            )
        }
    }

    /// The same error with `Job-Status`.
    #[must_use]
    pub fn with_job_status(mut self, status: JobStatus) -> ApiError {
        self.job_status = Some(status);
        self
    }
}

/// Answer 201 to a registration and to a reset, 200 to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Runner id.
    pub id: RunnerId,
    /// Authentication token.
    pub token: String,
    /// `None` is sent as `null`.
    pub token_expires_at: Option<Timestamp>,
}

/// Answer to a poll.
#[derive(Clone, Debug, PartialEq)]
pub enum PollAnswer {
    /// 201 with the payload; no `X-GitLab-Last-Update`.
    Job(Box<JobPayload>),
    /// 201 with a payload that no GitLab would send: some members were overridden by the definition.
    OddJob {
        /// Job id.
        job: super::JobId,
        /// The body.
        payload: Box<Value>,
    },
    /// 204 with `X-GitLab-Last-Update`.
    NoJob {
        /// Value of the header.
        last_update: Text,
        /// Whether the queue was read; false = answered from the value alone (paused, or equal).
        scanned: bool,
    },
    /// 409, no header: something was in the way, poll again.
    Conflict,
    /// An error.
    Error(ApiError),
}

impl PollAnswer {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            PollAnswer::Job(_) | PollAnswer::OddJob { .. } => 201,
            PollAnswer::NoJob { .. } => 204,
            PollAnswer::Conflict => 409,
            PollAnswer::Error(error) => error.status,
        }
    }

    /// Id of the job that was given, if one was.
    pub fn job_id(&self) -> Option<i64> {
        match self {
            PollAnswer::Job(payload) => payload.id.as_ref().copied(),
            PollAnswer::OddJob { job, .. } => Some(*job),
            _ => None,
        }
    }
}

/// Answer 202 to a trace patch; everything else is an [`ApiError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceAnswer {
    /// `Job-Status`.
    pub job_status: JobStatus,
    /// `Range: 0-<stored size>`.
    pub stored: u64,
    /// `X-GitLab-Trace-Update-Interval`, s.
    pub interval_s: u32,
}

/// Answer to a job update; the body is the status number as a JSON string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateAnswer {
    /// 200, 202 or 400.
    pub status: u16,
    /// `Job-Status`: the state after the change.
    pub job_status: JobStatus,
    /// `X-GitLab-Trace-Update-Interval`, s; with 202 only.
    pub interval_s: Option<u32>,
}

/// Why something could not be put into the world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The id is taken.
    #[error("{what} {id} exists already")]
    Taken {
        /// Kind of record.
        what: &'static str,
        /// The id.
        id: i64,
    },
    /// A record that is referred to does not exist.
    #[error("{what} {id} does not exist")]
    Unknown {
        /// Kind of record.
        what: &'static str,
        /// The id.
        id: i64,
    },
    /// A name that is referred to does not exist.
    #[error("{what} `{name}` does not exist")]
    UnknownName {
        /// Kind of record.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value breaks a rule.
    #[error("{attribute} {text}")]
    Invalid {
        /// Attribute, in GitLab's words.
        attribute: String,
        /// What is wrong with it.
        text: String,
    },
}

/// Why a user action did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// No such record.
    #[error("{what} {id} does not exist")]
    Unknown {
        /// Kind of record.
        what: &'static str,
        /// The id.
        id: i64,
    },
    /// The job is in a state that does not allow it, such as playing a finished job.
    #[error("job {id} is {status} and cannot be {action}")]
    State {
        /// Job id.
        id: i64,
        /// Its state.
        status: JobStatus,
        /// What was asked for, as a participle: `played`, `retried`.
        action: &'static str,
    },
    /// The job is archived.
    #[error("job {id} is archived")]
    Archived {
        /// Job id.
        id: i64,
    },
    /// A value breaks a rule.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Which scope a registration token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationScope {
    /// The instance's token.
    Instance,
    /// A group's token.
    Group(super::GroupId),
    /// A project's token.
    Project(ProjectId),
}
