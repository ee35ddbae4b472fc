//! What time alone brings about.

use jiff::{SignedDuration, Timestamp};
use protocol::FailureReason;
use serde::{Deserialize, Serialize};

use super::JobId;
use super::actions::Sweep;
use super::core::World;

/// Something to do at a time. Sorts by time, then kind, then id, so the order is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Deadline {
    pub(super) at: Timestamp,
    pub(super) kind: DeadlineKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeadlineKind {
    /// A delayed job's time has come.
    Scheduled(JobId),
    /// Has the runner acknowledged?
    Acknowledge(JobId),
    /// The hourly worker.
    Sweep(Sweep),
}

/// How often an unacknowledged job is looked at after the first time, s (queueing.md 8).
const ACKNOWLEDGE_CHECK_S: i64 = 30;

/// `at` plus seconds, at the end of time at most.
pub(super) fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// Whole seconds from `from` to `to`; 0 when time went backwards.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

impl World {
    /// Does what time alone brings about, up to `now`: delayed jobs, expired acknowledgements, and
    /// automatic sweeps. Every other call does this first, so a caller needs it only to wake up at
    /// [`World::next_deadline`].
    ///
    /// Costs one comparison when nothing is due.
    pub fn tick(&mut self, now: Timestamp) {
        if self.settings.automatic_sweeps && !self.sweeps_planned {
            self.sweeps_planned = true;
            self.plan_sweeps(now);
        }
        while let Some(deadline) = self.deadlines.first().copied() {
            if deadline.at > now {
                break;
            }
            self.deadlines.pop_first();
            self.reach(deadline);
        }
    }

    /// When [`World::tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|deadline| deadline.at)
    }

    pub(super) fn at(&mut self, at: Timestamp, kind: DeadlineKind) {
        self.deadlines.insert(Deadline { at, kind });
    }

    fn reach(&mut self, deadline: Deadline) {
        let now = deadline.at;
        match deadline.kind {
            DeadlineKind::Scheduled(job) => self.scheduled_time_came(now, job),
            DeadlineKind::Acknowledge(job) => self.check_acknowledgement(now, job),
            DeadlineKind::Sweep(sweep) => {
                self.at(after(now, 3600), DeadlineKind::Sweep(sweep));
                if self.settings.automatic_sweeps {
                    self.sweep_now(now, sweep);
                }
            }
        }
        self.settle(now);
    }

    /// Hourly: pending at once, running at +15 min, scheduled at +30, canceling at +45 (queueing.md 9).
    fn plan_sweeps(&mut self, now: Timestamp) {
        let hour = after(now, 3600 - now.as_second().rem_euclid(3600));
        for (minutes, sweep) in [
            (0, Sweep::Pending),
            (15, Sweep::Running),
            (30, Sweep::Scheduled),
            (45, Sweep::Canceling),
        ] {
            self.at(after(hour, minutes * 60), DeadlineKind::Sweep(sweep));
        }
    }

    fn check_acknowledgement(&mut self, now: Timestamp, id: JobId) {
        let Some(until) = self
            .jobs
            .get(&id)
            .and_then(|job| job.run.as_ref())
            .and_then(|run| run.acknowledge_until)
        else {
            return;
        };
        if until <= now {
            self.drop_job(now, id, FailureReason::RunnerProvisioningTimeout, None);
        } else {
            self.at(
                after(now, ACKNOWLEDGE_CHECK_S),
                DeadlineKind::Acknowledge(id),
            );
        }
    }
}
