//! `PUT /jobs/:id`: job updates (wire.md 5).

use serde::{Deserialize, Serialize};

use crate::info::Info;

/// States that a runner reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdateState {
    /// Two-phase assignment: the runner still prepares (never sent by 19.4).
    Pending,
    /// The job runs; also the keep-alive.
    Running,
    /// The job ended well.
    Success,
    /// The job failed.
    Failed,
}

/// Body of a job update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobUpdate {
    /// The runner about itself.
    #[serde(default)]
    pub info: Info,
    /// Job token.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// New state.
    pub state: UpdateState,
    /// Only with `failed`; the name after mapping (runner.md 5.4).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure_reason: String,
    /// Deprecated copy of `output.checksum`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub checksum: String,
    /// Log so far; `{}` when nothing is known yet.
    #[serde(default)]
    pub output: Output,
    /// Exit code, signed 32 bit, left out when 0 (RUN-JOB-20).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exit_code: i32,
    /// Final update of a suspended environment only (19.0).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runtime_environment_key: String,
}

impl JobUpdate {
    /// An update that says nothing but `state`.
    pub fn new(info: Info, token: impl Into<String>, state: UpdateState) -> Self {
        JobUpdate {
            info,
            token: token.into(),
            state,
            failure_reason: String::new(),
            checksum: String::new(),
            output: Output::default(),
            exit_code: 0,
            runtime_environment_key: String::new(),
        }
    }
}

/// `output` of a job update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Output {
    /// `crc32:` and 8 lower-case hex digits over all log bytes so far.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checksum: String,
    /// Log bytes so far, left out when 0.
    #[serde(skip_serializing_if = "is_zero_u64")]
    pub bytesize: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &i32) -> bool {
    *value == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero_u64(value: &u64) -> bool {
    *value == 0
}
