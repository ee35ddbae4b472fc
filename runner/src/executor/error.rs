use protocol::FailureReason;

/// Why an executor could not prepare or a stage did not end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExecutorError {
    /// Text as in `ERROR: Job failed: <text>`, without secrets.
    pub message: String,
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// Exit code for the final update; 0 when there is none.
    pub exit_code: i32,
}

/// The kinds of failure that the job tells apart (runner.md 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The script itself ended with a code other than 0: `script_failure`.
    Script,
    /// A failure of a known kind. Preparation is not tried again after it (RUN-JOB-06).
    Classified(FailureReason),
    /// Anything else: `runner_system_failure`.
    System,
    /// The stage was stopped because its token was cancelled; the job knows why.
    Stopped,
}

impl ExecutorError {
    /// A failure of the runner or its surroundings.
    pub fn system(message: impl Into<String>) -> Self {
        ExecutorError {
            message: message.into(),
            kind: ErrorKind::System,
            exit_code: 0,
        }
    }

    /// A failure with a reason of its own.
    pub fn classified(reason: FailureReason, message: impl Into<String>) -> Self {
        ExecutorError {
            message: message.into(),
            kind: ErrorKind::Classified(reason),
            exit_code: 0,
        }
    }

    /// A script that ended with `exit_code`; `message` is the executor's own wording of it.
    pub fn script(exit_code: i32, message: impl Into<String>) -> Self {
        ExecutorError {
            message: message.into(),
            kind: ErrorKind::Script,
            exit_code,
        }
    }

    /// The stage was stopped from outside.
    pub fn stopped() -> Self {
        ExecutorError {
            message: "context canceled".to_owned(),
            kind: ErrorKind::Stopped,
            exit_code: 0,
        }
    }
}
