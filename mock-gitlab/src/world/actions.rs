//! What users, administrators and tests can do with jobs.

use std::sync::Arc;

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus};

use super::answer::ActionError;
use super::core::World;
use super::deadline::after;
use super::job_changes::JobChanges;
use super::state::Job;
use super::{JobId, PipelineId};

pub use super::sweep::Sweep;

/// How long a look at a log counts as watching, s (wire.md 4.3).
const WATCHED_S: i64 = 10;

impl World {
    /// Cancels a job. A running job whose runner can stop gracefully becomes `canceling`; `force` also
    /// ends a canceling job. Returns its state.
    pub fn cancel_job(
        &mut self,
        now: Timestamp,
        id: JobId,
        force: bool,
    ) -> Result<JobStatus, ActionError> {
        self.tick(now);
        let status = self.known_job(id)?.status;
        if force && status == JobStatus::Canceling {
            self.transition(now, id, JobStatus::Canceled);
        } else if !self.cancel_if_possible(now, id) {
            return Err(ActionError::State {
                id,
                status,
                action: "canceled",
            });
        }
        self.settle(now);
        Ok(self.status(id).unwrap_or(status))
    }

    /// Event `cancel` (queueing.md 10); false if the job's state does not allow it.
    pub(super) fn cancel_if_possible(&mut self, now: Timestamp, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id) else {
            return false;
        };
        let graceful = job.run.as_ref().is_some_and(|run| run.cancel_gracefully);
        let to = match job.status {
            JobStatus::Running if graceful => JobStatus::Canceling,
            JobStatus::Created
            | JobStatus::WaitingForResource
            | JobStatus::Preparing
            | JobStatus::WaitingForCallback
            | JobStatus::Pending
            | JobStatus::Running
            | JobStatus::Scheduled
            | JobStatus::Manual => JobStatus::Canceled,
            _ => return false,
        };
        self.transition(now, id, to);
        true
    }

    /// Cancels all jobs of a pipeline that can be.
    pub fn cancel_pipeline(&mut self, now: Timestamp, id: PipelineId) -> Result<(), ActionError> {
        self.tick(now);
        for job in self.pipeline_jobs(id)? {
            self.cancel_if_possible(now, job);
        }
        self.settle(now);
        Ok(())
    }

    /// Plays a manual or scheduled job.
    pub fn play_job(&mut self, now: Timestamp, id: JobId) -> Result<JobStatus, ActionError> {
        self.play_changed_job(now, id, &JobChanges::default())
    }

    /// Plays a manual or scheduled job with other variables or inputs. When it is refused, nothing of it
    /// has changed.
    pub fn play_changed_job(
        &mut self,
        now: Timestamp,
        id: JobId,
        changes: &JobChanges,
    ) -> Result<JobStatus, ActionError> {
        self.tick(now);
        let job = self.known_job(id)?;
        let status = job.status;
        if self.is_archived(now, job) {
            return Err(ActionError::Archived { id });
        }
        if !matches!(status, JobStatus::Manual | JobStatus::Scheduled) {
            return Err(ActionError::State {
                id,
                status,
                action: "played",
            });
        }
        let definition = changes.apply(&job.definition)?;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.definition = definition;
        }
        self.enqueue(now, id);
        self.reset_skipped_after(now, id);
        self.settle(now);
        Ok(self.status(id).unwrap_or(status))
    }

    /// Turns a scheduled job into a manual one.
    pub fn unschedule_job(&mut self, now: Timestamp, id: JobId) -> Result<(), ActionError> {
        self.tick(now);
        self.demand(id, "unscheduled", |job| job.status == JobStatus::Scheduled)?;
        self.transition(now, id, JobStatus::Manual);
        self.settle(now);
        Ok(())
    }

    /// Retries a finished job by hand: a new job with a new id, which is returned.
    pub fn retry_job(&mut self, now: Timestamp, id: JobId) -> Result<JobId, ActionError> {
        self.retry_changed_job(now, id, &JobChanges::default())
    }

    /// Retries a finished job by hand with other variables or inputs.
    pub fn retry_changed_job(
        &mut self,
        now: Timestamp,
        id: JobId,
        changes: &JobChanges,
    ) -> Result<JobId, ActionError> {
        self.tick(now);
        let job = self.demand(id, "retried", |job| {
            let ended = matches!(
                job.status,
                JobStatus::Success | JobStatus::Failed | JobStatus::Canceled | JobStatus::Canceling
            );
            ended && !job.retried
        })?;
        if self.is_archived(now, job) {
            return Err(ActionError::Archived { id });
        }
        let definition = changes.apply(&job.definition)?;
        let new = self
            .make_attempt(now, id, definition)
            .ok_or(ActionError::Unknown { what: "job", id })?;
        self.settle(now);
        Ok(new)
    }

    /// Retries the failed and cancelled jobs of a pipeline; returns the new jobs.
    pub fn retry_pipeline(
        &mut self,
        now: Timestamp,
        id: PipelineId,
    ) -> Result<Vec<JobId>, ActionError> {
        self.tick(now);
        let mut new = Vec::new();
        for job in self.pipeline_jobs(id)? {
            let ended = matches!(
                self.status(job),
                Some(JobStatus::Failed | JobStatus::Canceled)
            );
            let Some(record) = self.jobs.get(&job) else {
                continue;
            };
            if ended && !self.is_archived(now, record) {
                let definition = Arc::clone(&record.definition);
                new.extend(self.make_attempt(now, job, definition));
            }
        }
        self.settle(now);
        Ok(new)
    }

    /// Erases log and artifacts of a finished job.
    pub fn erase_job(&mut self, now: Timestamp, id: JobId) -> Result<(), ActionError> {
        self.tick(now);
        self.demand(id, "erased", |job| job.status.is_complete())?;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.erased_at = Some(now);
        }
        self.logs.remove(&id);
        self.delete_artifacts(id);
        Ok(())
    }

    /// Ends a job as its runner would, without the runner's calls. `failure` fails it with that reason.
    pub fn finish_job(
        &mut self,
        now: Timestamp,
        id: JobId,
        failure: Option<(FailureReason, Option<i32>)>,
    ) -> Result<JobStatus, ActionError> {
        self.tick(now);
        let job = self.demand(id, "finished", |job| {
            matches!(job.status, JobStatus::Running | JobStatus::Canceling)
        })?;
        let before = job.status;
        match failure {
            None => self.succeed_job(now, id),
            Some((reason, exit_code)) => self.drop_job(now, id, reason, exit_code),
        }
        self.settle(now);
        Ok(self.status(id).unwrap_or(before))
    }

    /// Ends a waiting job as successful, as if a runner had run it long ago.
    pub fn complete_job(&mut self, now: Timestamp, id: JobId) -> Result<JobStatus, ActionError> {
        self.tick(now);
        let job = self.demand(id, "completed", |job| job.status == JobStatus::Pending)?;
        let before = job.status;
        self.succeed_job(now, id);
        self.settle(now);
        Ok(self.status(id).unwrap_or(before))
    }

    /// Somebody looks at the log of a job: the next trace answers carry the short interval for 10 s.
    pub fn watch_trace(&mut self, now: Timestamp, id: JobId) -> Result<(), ActionError> {
        self.known_job(id)?;
        self.log(id).watched_until = Some(after(now, WATCHED_S));
        Ok(())
    }

    /// Drops the stored log, as a server that lost it would.
    pub fn lose_trace(&mut self, _now: Timestamp, id: JobId) -> Result<(), ActionError> {
        self.known_job(id)?;
        self.log(id).clear();
        Ok(())
    }

    /// Blocks the write lock of a log, so that patches are answered 409 and final updates with
    /// incremental logging 202, as when another process holds it; `false` frees it.
    pub fn lock_trace(&mut self, id: JobId, locked: bool) -> Result<(), ActionError> {
        self.known_job(id)?;
        self.log(id).locked = locked;
        Ok(())
    }

    fn known_job(&self, id: JobId) -> Result<&Job, ActionError> {
        self.jobs
            .get(&id)
            .map(|job| &**job)
            .ok_or(ActionError::Unknown { what: "job", id })
    }

    fn demand(
        &self,
        id: JobId,
        action: &'static str,
        allowed: impl FnOnce(&Job) -> bool,
    ) -> Result<&Job, ActionError> {
        let job = self.known_job(id)?;
        if allowed(job) {
            Ok(job)
        } else {
            let status = job.status;
            Err(ActionError::State { id, status, action })
        }
    }

    fn pipeline_jobs(&self, id: PipelineId) -> Result<Vec<JobId>, ActionError> {
        if !self.pipelines.contains_key(&id) {
            return Err(ActionError::Unknown {
                what: "pipeline",
                id,
            });
        }
        Ok(self.latest_jobs(id).map(|job| job.id).collect())
    }
}
