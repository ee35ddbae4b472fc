//! The rest of the runner API: registration, verify, tokens, logs, job updates.

use jiff::Timestamp;
use protocol::info::Info;
use protocol::{JobStatus, JobUpdate};

use super::answer::{ApiError, Credentials, TraceAnswer, UpdateAnswer};
use super::core::World;
use super::setup::NewRunner;
use super::state::AccessLevel;
use super::{JobId, RunnerId};

/// Parameters of `POST /runners` (wire.md 3.2), already freed from their encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterRunner<'a> {
    /// Registration token; `None` = missing.
    pub token: Option<&'a str>,
    /// Shown in GitLab.
    pub description: String,
    /// Free text.
    pub maintenance_note: String,
    /// Tags, from a comma-separated string or an array (WIRE-REG-05).
    pub tag_list: Vec<String>,
    /// Takes jobs without tags; `None` = true.
    pub run_untagged: Option<bool>,
    /// Cannot be assigned to further projects; `None` = true, the server's default.
    pub locked: Option<bool>,
    /// Takes no jobs.
    pub paused: bool,
    /// Which jobs by protection.
    pub access_level: AccessLevel,
    /// Most job timeout, s.
    pub maximum_timeout: Option<i64>,
    /// The runner about itself.
    pub info: Info,
}

/// Parameters of `PUT /jobs/:id` (wire.md 5.1), as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawUpdate<'a> {
    /// Job token; `None` = missing (400).
    pub token: Option<&'a str>,
    /// State, any text.
    pub state: Option<&'a str>,
    /// Failure reason, any text.
    pub failure_reason: Option<&'a str>,
    /// `output.checksum`, else `checksum`.
    pub checksum: Option<&'a str>,
    /// `output.bytesize`.
    pub bytesize: Option<u64>,
    /// Exit code.
    pub exit_code: Option<i32>,
}

impl<'a> From<&'a JobUpdate> for RawUpdate<'a> {
    fn from(update: &'a JobUpdate) -> Self {
        let text = |text: &'a str| (!text.is_empty()).then_some(text);
        RawUpdate {
            token: text(&update.token),
            state: Some(match update.state {
                protocol::UpdateState::Pending => "pending",
                protocol::UpdateState::Running => "running",
                protocol::UpdateState::Success => "success",
                protocol::UpdateState::Failed => "failed",
            }),
            failure_reason: text(&update.failure_reason),
            checksum: text(&update.output.checksum).or(text(&update.checksum)),
            bytesize: (update.output.bytesize > 0).then_some(update.output.bytesize),
            exit_code: (update.exit_code != 0).then_some(update.exit_code),
        }
    }
}

impl World {
    /// `POST /runners` with a registration token: 201, 400, 403, 410.
    pub fn register_runner(
        &mut self,
        _now: Timestamp,
        _parameters: RegisterRunner<'_>,
        _peer: &str,
    ) -> Result<Credentials, ApiError> {
        todo!()
    }

    /// `POST /runners/verify`: 200, 400, 403. Creates the manager of `system_id`.
    pub fn verify_runner(
        &mut self,
        _now: Timestamp,
        _token: Option<&str>,
        _system_id: Option<&str>,
        _info: Option<&Info>,
        _peer: &str,
    ) -> Result<Credentials, ApiError> {
        todo!()
    }

    /// `DELETE /runners`: 204, 400, 403.
    pub fn unregister_runner(
        &mut self,
        _now: Timestamp,
        _token: Option<&str>,
    ) -> Result<(), ApiError> {
        todo!()
    }

    /// `DELETE /runners/managers`: 204, 400, 403, 404.
    pub fn unregister_manager(
        &mut self,
        _now: Timestamp,
        _token: Option<&str>,
        _system_id: Option<&str>,
    ) -> Result<(), ApiError> {
        todo!()
    }

    /// `POST /runners/reset_authentication_token`: 201, 400, 403.
    pub fn reset_token(
        &mut self,
        _now: Timestamp,
        _token: Option<&str>,
    ) -> Result<Credentials, ApiError> {
        todo!()
    }

    /// `POST /runners/:id/reset_authentication_token` with a personal access token: 201, 401, 403, 404.
    pub fn reset_token_by_id(
        &mut self,
        _now: Timestamp,
        _personal_access_token: Option<&str>,
        _id: RunnerId,
    ) -> Result<Credentials, ApiError> {
        todo!()
    }

    /// `POST /user/runners` with a personal access token: 201, 400, 401, 403. `runner_type` and the
    /// scope come as text and ids, so that their absence is answered as GitLab does.
    pub fn create_user_runner(
        &mut self,
        _now: Timestamp,
        _personal_access_token: Option<&str>,
        _runner_type: Option<&str>,
        _project: Option<i64>,
        _runner: NewRunner,
    ) -> Result<Credentials, ApiError> {
        todo!()
    }

    /// `GET /runners/router/discovery` with the `RUNNER-TOKEN` header: the server URL, 403 or 501.
    pub fn discover_router(
        &mut self,
        _now: Timestamp,
        _runner_token: Option<&str>,
    ) -> Result<String, ApiError> {
        todo!()
    }

    /// `PATCH /jobs/:id/trace` (wire.md 4.3). `token` is the parameter or the `JOB-TOKEN` header.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the request")]
    pub fn patch_trace(
        &mut self,
        _now: Timestamp,
        _job: JobId,
        _token: Option<&str>,
        _content_range: Option<&str>,
        _debug_trace: bool,
        _body: &[u8],
        _peer: &str,
    ) -> Result<TraceAnswer, ApiError> {
        todo!()
    }

    /// `PUT /jobs/:id` (wire.md 5.2, 5.3). An unknown state is an `Ok` with status 400.
    pub fn update_job(
        &mut self,
        _now: Timestamp,
        _job: JobId,
        _update: RawUpdate<'_>,
        _peer: &str,
    ) -> Result<UpdateAnswer, ApiError> {
        todo!()
    }

    /// Whether `token` is the job token of a job that is running or canceling: which one. For git and
    /// artifact downloads.
    pub fn authenticate_job_token(&self, _token: &str) -> Option<(JobId, JobStatus)> {
        todo!()
    }
}
