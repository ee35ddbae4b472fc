//! `PUT /jobs/:id` (wire.md 5.2 and 5.3), and who may call for a job.

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus, JobUpdate, UpdateState};

use super::JobId;
use super::answer::{ApiError, UpdateAnswer};
use super::assign::ACKNOWLEDGE_S;
use super::core::World;
use super::deadline::{after, seconds_between};
use super::event::EventKind;
use super::runners::same;
use super::text::Text;
use super::trace::{JobLog, PendingState};

/// After this time a final update completes even though the log is not persisted, s.
const GIVE_UP_ON_LOG_S: i64 = 5 * 60;

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
                UpdateState::Pending => "pending",
                UpdateState::Running => "running",
                UpdateState::Success => "success",
                UpdateState::Failed => "failed",
            }),
            failure_reason: text(&update.failure_reason),
            checksum: text(&update.output.checksum).or(text(&update.checksum)),
            bytesize: (update.output.bytesize > 0).then_some(update.output.bytesize),
            exit_code: (update.exit_code != 0).then_some(update.exit_code),
        }
    }
}

impl World {
    /// `PUT /jobs/:id` (wire.md 5.2, 5.3). An unknown state is an `Ok` with status 400.
    pub fn update_job(
        &mut self,
        now: Timestamp,
        id: JobId,
        update: RawUpdate<'_>,
        peer: &str,
    ) -> Result<UpdateAnswer, ApiError> {
        let result = self.update(now, id, update, peer);
        self.settle(now);
        if let Some(job_status) = self.status(id)
            && self.settings.event_capacity > 0
        {
            let status = match &result {
                Ok(answer) => answer.status,
                Err(error) => error.status,
            };
            let kind = EventKind::JobUpdate {
                job: id,
                state: Text::from(update.state.unwrap_or_default()),
                status,
                job_status,
            };
            self.event(now, kind);
        }
        result
    }

    fn update(
        &mut self,
        now: Timestamp,
        id: JobId,
        update: RawUpdate<'_>,
        peer: &str,
    ) -> Result<UpdateAnswer, ApiError> {
        self.begin_call(now)?;
        if update.token.is_none_or(str::is_empty) {
            return Err(ApiError::missing("token"));
        }
        let limit = self.settings.runner_jobs_endpoints_api_limit;
        self.authenticate_job(now, id, update.token, |log| log.calls.count(now, limit))?;
        self.job_heartbeat(now, id, peer);
        let status = if self.waits_for_acknowledgement(id) {
            self.acknowledge(now, id, update.state)
        } else {
            match update.state {
                Some("running") => {
                    self.touch_job(now, id);
                    200
                }
                Some("success" | "failed") => return Ok(self.final_update(now, id, update)),
                _ => 400,
            }
        };
        Ok(self.update_answer(id, status, None))
    }

    /// Whether a call about a job may be made with this token, counted as one (wire.md 8.3): 403, 429.
    pub fn authenticate_job_call(
        &mut self,
        now: Timestamp,
        id: JobId,
        token: Option<&str>,
    ) -> Result<(), ApiError> {
        self.begin_call(now)?;
        let limit = self.settings.runner_jobs_endpoints_api_limit;
        self.authenticate_job(now, id, token, |log| log.calls.count(now, limit))
    }

    fn update_answer(&self, id: JobId, status: u16, interval_s: Option<u32>) -> UpdateAnswer {
        UpdateAnswer {
            status,
            job_status: self.status(id).unwrap_or(JobStatus::Running),
            interval_s,
        }
    }

    fn final_update(&mut self, now: Timestamp, id: JobId, update: RawUpdate<'_>) -> UpdateAnswer {
        if let Some(checksum) = update.checksum {
            self.log(id).reported = Some((Text::from(checksum), update.bytesize.unwrap_or(0)));
            if let Some(interval) = self.log_not_ready(now, id) {
                return self.update_answer(id, 202, Some(interval));
            }
        }
        if update.state == Some("success") {
            self.succeed_job(now, id);
        } else {
            let reason = update
                .failure_reason
                .and_then(|name| name.parse().ok())
                .filter(|reason: &FailureReason| reason.is_server_reason())
                .unwrap_or(FailureReason::UnknownFailure);
            self.drop_job(now, id, reason, update.exit_code);
        }
        self.update_answer(id, 200, None)
    }

    /// With incremental logging: the interval of the 202 while the log is not persisted (wire.md 5.3).
    fn log_not_ready(&mut self, now: Timestamp, id: JobId) -> Option<u32> {
        if !self.settings.incremental_logging {
            return None;
        }
        let delay = self.settings.trace_persist_delay_s;
        let log = self.log(id);
        let nothing_live = log.size() == 0;
        let locked = log.locked;
        let pending = log.pending_state.get_or_insert(PendingState {
            created_at: now,
            persisted_at: None,
        });
        let age = seconds_between(pending.created_at, now);
        if locked {
            return Some(backoff_s(age));
        }
        let persisted = nothing_live || pending.persisted_at.is_some_and(|at| at <= now);
        if persisted || age > GIVE_UP_ON_LOG_S {
            return None;
        }
        pending.persisted_at.get_or_insert(after(now, delay));
        Some(backoff_s(age))
    }

    pub(super) fn waits_for_acknowledgement(&self, id: JobId) -> bool {
        let run = self.jobs.get(&id).and_then(|job| job.run.as_ref());
        run.is_some_and(|run| run.acknowledge_until.is_some())
    }

    /// Two-phase assignment (queueing.md 8).
    fn acknowledge(&mut self, now: Timestamp, id: JobId, state: Option<&str>) -> u16 {
        match state {
            Some("pending") => {
                if let Some(run) = self.jobs.get_mut(&id).and_then(|job| job.run.as_mut()) {
                    run.acknowledge_until = Some(after(now, ACKNOWLEDGE_S));
                }
                200
            }
            Some("running") if self.has_manager(id) => {
                self.transition(now, id, JobStatus::Running);
                200
            }
            _ => 400,
        }
    }

    fn has_manager(&self, id: JobId) -> bool {
        let run = self.jobs.get(&id).and_then(|job| job.run.as_ref());
        run.is_some_and(|run| {
            self.runners
                .get(&run.runner)
                .is_some_and(|entry| entry.record.managers.contains_key(&*run.system_id))
        })
    }

    /// Step 1 of wire.md 4.3. `count` counts the call against its rate limit.
    pub(super) fn authenticate_job(
        &mut self,
        _now: Timestamp,
        id: JobId,
        token: Option<&str>,
        count: impl FnOnce(&mut JobLog) -> Result<(), u32>,
    ) -> Result<(), ApiError> {
        let token = token.unwrap_or_default();
        let job = self.jobs.get(&id).ok_or_else(ApiError::forbidden)?;
        let run = job.run.as_ref().ok_or_else(ApiError::forbidden)?;
        if !same(&run.token, token) {
            return Err(ApiError::forbidden());
        }
        let status = job.status;
        let erased = job.erased_at.is_some();
        let project = job.project;
        let processing = matches!(status, JobStatus::Running | JobStatus::Canceling)
            || run.acknowledge_until.is_some();
        if processing {
            count(self.log(id)).map_err(ApiError::rate_limited)?;
        }
        if !processing {
            return Err(
                ApiError::forbidden_because("Job is not processing on runner")
                    .with_job_status(status),
            );
        }
        if erased {
            return Err(ApiError::forbidden_because("Job has been erased!"));
        }
        let gone = self
            .projects
            .get(&project)
            .is_none_or(|project| project.pending_delete);
        if gone {
            return Err(ApiError::forbidden_because("Project has been deleted!"));
        }
        Ok(())
    }

    /// Every authenticated patch and update is a heartbeat of runner and machine (wire.md 7.2).
    pub(super) fn job_heartbeat(&mut self, now: Timestamp, id: JobId, peer: &str) {
        let Some(run) = self.jobs.get(&id).and_then(|job| job.run.as_ref()) else {
            return;
        };
        let Some(entry) = self.runners.get_mut(&run.runner) else {
            return;
        };
        entry.record.contacted_at = Some(now);
        if let Some(manager) = entry.record.managers.get_mut(&*run.system_id) {
            manager.contacted_at = now;
            if manager.ip_address != peer {
                peer.clone_into(&mut manager.ip_address);
            }
        }
    }

    /// The job of a job token, if it is running or canceling. For git, artifacts and `GET /job`.
    pub fn authenticate_job_token(&self, token: &str) -> Option<(JobId, JobStatus)> {
        let id = self.job_tokens.get(token)?;
        let job = self.jobs.get(&id)?;
        let processing = matches!(job.status, JobStatus::Running | JobStatus::Canceling);
        (processing && same(job.token()?, token)).then_some((id, job.status))
    }
}

/// Interval of a 202 by the age of the pending state (wire.md 5.3).
fn backoff_s(age_s: i64) -> u32 {
    match age_s {
        ..4 => 1,
        4..8 => 2,
        8..16 => 4,
        16..32 => 8,
        32..64 => 16,
        64..128 => 32,
        _ => 64,
    }
}
