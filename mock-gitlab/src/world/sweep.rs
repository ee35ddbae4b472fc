//! The stuck jobs worker (queueing.md 9).

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus};
use serde::{Deserialize, Serialize};

use super::JobId;
use super::core::World;
use super::deadline::seconds_between;
use super::queue::{Scope, Snapshot};
use super::runners::{RunnerEntry, scope};
use super::settings::Flag;
use super::state::Job;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;
/// A runner is online when it was heard of within this time, s.
pub(super) const ONLINE_S: i64 = 2 * HOUR_S;
/// A job may outlive its timeout by this before the server drops it, s.
const TIMEOUT_GRACE_S: i64 = 15 * MINUTE_S;

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
    /// Runs one sweep of the stuck jobs worker. Returns the jobs that it ended, ascending.
    ///
    /// Costs one look at every job; for waiting ones older than an hour also at the runners.
    pub fn sweep(&mut self, now: Timestamp, sweep: Sweep) -> Vec<JobId> {
        self.tick(now);
        let ended = self.sweep_now(now, sweep);
        self.settle(now);
        ended
    }

    pub(super) fn sweep_now(&mut self, now: Timestamp, sweep: Sweep) -> Vec<JobId> {
        let due: Vec<(JobId, FailureReason)> = self
            .jobs
            .values()
            .filter_map(|job| Some((job.id, self.stuck(now, sweep, job)?)))
            .collect();
        for (id, reason) in &due {
            self.drop_job(now, *id, *reason, None);
        }
        due.into_iter().map(|(id, _)| id).collect()
    }

    fn stuck(&self, now: Timestamp, sweep: Sweep, job: &Job) -> Option<FailureReason> {
        let idle = seconds_between(job.updated_at, now);
        match (sweep, job.status) {
            (Sweep::Pending, JobStatus::Pending) => self.stuck_pending(now, job, idle),
            (Sweep::Running, JobStatus::Running) => {
                let lower = self.settings.flag(Flag::CiLowerStuckBuildTimeouts);
                let limit = if lower { 30 * MINUTE_S } else { HOUR_S };
                if idle > limit {
                    Some(FailureReason::NoUpdatesRunning)
                } else {
                    self.outlived(now, job)
                        .then_some(FailureReason::ServerTimeoutRunning)
                }
            }
            (Sweep::Scheduled, JobStatus::Scheduled) => {
                let late = job.scheduled_at.map_or(0, |at| seconds_between(at, now));
                (late > HOUR_S).then_some(FailureReason::StaleSchedule)
            }
            (Sweep::Canceling, JobStatus::Canceling) => {
                if idle > 30 * MINUTE_S {
                    Some(FailureReason::NoUpdatesCanceling)
                } else {
                    self.outlived(now, job)
                        .then_some(FailureReason::ServerTimeoutCanceling)
                }
            }
            _ => None,
        }
    }

    fn stuck_pending(&self, now: Timestamp, job: &Job, idle: i64) -> Option<FailureReason> {
        let age = seconds_between(job.created_at, now);
        if age > 24 * HOUR_S && idle > 24 * HOUR_S {
            return Some(FailureReason::StuckPendingWithMatchingRunners);
        }
        let snapshot = self.queue.snapshot(job.id)?;
        let lonely = age > HOUR_S
            && idle > HOUR_S
            && !self.runners.values().any(|entry| {
                let contact = entry.record.contacted_at;
                let online = contact.is_some_and(|at| seconds_between(at, now) < ONLINE_S);
                online && !entry.record.paused && could_take(entry, snapshot)
            });
        lonely.then_some(FailureReason::StuckPendingNoMatchingRunners)
    }

    /// Running for longer than its timeout and the grace period.
    fn outlived(&self, now: Timestamp, job: &Job) -> bool {
        let run = job.run.as_ref();
        run.is_some_and(|run| {
            let since = self.running.get(&job.id).map(|entry| entry.since);
            since
                .or(run.started_at)
                .is_some_and(|at| seconds_between(at, now) >= run.timeout + TIMEOUT_GRACE_S)
        })
    }
}

/// Scope, protection and tags: whether a runner could ever get a waiting job.
pub(super) fn could_take(entry: &RunnerEntry, snapshot: Snapshot<'_>) -> bool {
    let in_scope = match scope(&entry.record) {
        Scope::Instance => snapshot.instance_runners_enabled,
        Scope::Group(group) => snapshot.traversal.contains(&group),
        Scope::Projects(projects) => projects.binary_search(&snapshot.project).is_ok(),
    };
    in_scope && entry.matcher.accepts(snapshot.protected, snapshot.tags)
}
