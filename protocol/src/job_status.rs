//! Job states of GitLab (queueing.md 10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// State of a job.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum JobStatus {
            $($(#[$doc])* $variant,)*
        }

        impl JobStatus {
            /// Every state.
            pub const ALL: &'static [JobStatus] = &[$(JobStatus::$variant),*];

            /// GitLab's name of the state.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(JobStatus::$variant => $name,)*
                }
            }
        }

        impl FromStr for JobStatus {
            type Err = UnknownJobStatus;

            fn from_str(name: &str) -> Result<Self, UnknownJobStatus> {
                match name {
                    $($name => Ok(JobStatus::$variant),)*
                    _ => Err(UnknownJobStatus(name.to_owned())),
                }
            }
        }
    };
}

/// A name that is no job state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown job status `{0}`")]
pub struct UnknownJobStatus(pub String);

statuses! {
    /// Made with the pipeline, not yet looked at.
    Created = "created",
    /// Its resource group is held by another job.
    WaitingForResource = "waiting_for_resource",
    /// Prerequisites are being set up.
    Preparing = "preparing",
    /// Waits for an external answer.
    WaitingForCallback = "waiting_for_callback",
    /// In the queue.
    Pending = "pending",
    /// A runner has it.
    Running = "running",
    /// Cancelled while a runner that can stop gracefully still works on it.
    Canceling = "canceling",
    /// Ended well.
    Success = "success",
    /// Failed, with a reason.
    Failed = "failed",
    /// Cancelled.
    Canceled = "canceled",
    /// Will not run.
    Skipped = "skipped",
    /// Waits for somebody to press play.
    Manual = "manual",
    /// Waits for its delay.
    Scheduled = "scheduled",
}

impl JobStatus {
    /// Whether the job has ended: success, failed, canceled or skipped.
    pub fn is_complete(self) -> bool {
        matches!(
            self,
            JobStatus::Success | JobStatus::Failed | JobStatus::Canceled | JobStatus::Skipped
        )
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
