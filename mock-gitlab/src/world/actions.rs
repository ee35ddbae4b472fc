//! What users, administrators and tests can do with jobs.

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus};
use serde::{Deserialize, Serialize};

use super::answer::ActionError;
use super::core::World;
use super::{JobId, PipelineId, RunnerId};

/// One of the sweeps of the stuck jobs worker (queueing.md 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// Pending jobs.
    Pending,
    /// Running jobs.
    Running,
    /// Scheduled jobs.
    Scheduled,
    /// Canceling jobs.
    Canceling,
}

impl World {
    /// Cancels a job. `force` also ends a canceling job. Returns its state.
    pub fn cancel_job(
        &mut self,
        _now: Timestamp,
        _id: JobId,
        _force: bool,
    ) -> Result<JobStatus, ActionError> {
        todo!()
    }

    /// Cancels all jobs of a pipeline that can be.
    pub fn cancel_pipeline(&mut self, _now: Timestamp, _id: PipelineId) -> Result<(), ActionError> {
        todo!()
    }

    /// Plays a manual or scheduled job.
    pub fn play_job(&mut self, _now: Timestamp, _id: JobId) -> Result<JobStatus, ActionError> {
        todo!()
    }

    /// Turns a scheduled job into a manual one.
    pub fn unschedule_job(&mut self, _now: Timestamp, _id: JobId) -> Result<(), ActionError> {
        todo!()
    }

    /// Retries a finished job by hand: a new job with a new id, which is returned.
    pub fn retry_job(&mut self, _now: Timestamp, _id: JobId) -> Result<JobId, ActionError> {
        todo!()
    }

    /// Retries the failed and cancelled jobs of a pipeline; returns the new jobs.
    pub fn retry_pipeline(
        &mut self,
        _now: Timestamp,
        _id: PipelineId,
    ) -> Result<Vec<JobId>, ActionError> {
        todo!()
    }

    /// Erases log and artifacts of a finished job.
    pub fn erase_job(&mut self, _now: Timestamp, _id: JobId) -> Result<(), ActionError> {
        todo!()
    }

    /// Ends a job as its runner would, without the runner's calls. `failure` fails it with that reason.
    pub fn finish_job(
        &mut self,
        _now: Timestamp,
        _id: JobId,
        _failure: Option<(FailureReason, Option<i32>)>,
    ) -> Result<JobStatus, ActionError> {
        todo!()
    }

    /// Somebody looks at the log of a job: the next trace answers carry the short interval for 10 s.
    pub fn watch_trace(&mut self, _now: Timestamp, _id: JobId) -> Result<(), ActionError> {
        todo!()
    }

    /// Drops the stored log, as a server that lost it would.
    pub fn lose_trace(&mut self, _now: Timestamp, _id: JobId) -> Result<(), ActionError> {
        todo!()
    }

    /// Runs one sweep of the stuck jobs worker. Returns the jobs that it dropped.
    pub fn sweep(&mut self, _now: Timestamp, _sweep: Sweep) -> Vec<JobId> {
        todo!()
    }

    /// Removes a runner, as an administrator does.
    pub fn delete_runner(&mut self, _now: Timestamp, _id: RunnerId) -> Result<(), ActionError> {
        todo!()
    }

    /// Blocks the write lock of a log, so that patches are answered 409 and final updates with
    /// incremental logging 202, as when another process holds it; `false` frees it.
    pub fn lock_trace(&mut self, _id: JobId, _locked: bool) -> Result<(), ActionError> {
        todo!()
    }
}
