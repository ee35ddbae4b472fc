//! One status for many jobs (queueing.md 11, "Composite").

use protocol::JobStatus;

/// A set of statuses, with the two that only exist in here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::world) struct StatusSet(u32);

/// `allow_failure` and failed or canceled.
const WARN: u32 = 1 << 16;
/// `allow_failure` and manual.
const IGNORED: u32 = 1 << 17;

const fn bit(status: JobStatus) -> u32 {
    1 << status as u32
}

const CREATED: u32 = bit(JobStatus::Created);
const SUCCESS: u32 = bit(JobStatus::Success);
const SKIPPED: u32 = bit(JobStatus::Skipped);
const CANCELED: u32 = bit(JobStatus::Canceled);
const PENDING: u32 = bit(JobStatus::Pending);
const RUNNING: u32 = bit(JobStatus::Running);
const PREPARING: u32 = bit(JobStatus::Preparing);

impl StatusSet {
    /// Adds the status of one job.
    pub(in crate::world) fn add(&mut self, status: JobStatus, allow_failure: bool) {
        self.0 |= match (status, allow_failure) {
            (JobStatus::Failed | JobStatus::Canceled, true) => WARN,
            (JobStatus::Manual, true) => IGNORED,
            (status, _) => bit(status),
        };
    }

    /// Adds a needed job that is not in the pipeline and need not be.
    pub(in crate::world) fn add_missing(&mut self) {
        self.0 |= IGNORED;
    }

    /// The status of them all; `dag` when they are needed jobs. Success for no jobs at all.
    pub(in crate::world) fn composite(self, dag: bool) -> JobStatus {
        if self.0 == 0 {
            return JobStatus::Success;
        }
        let any = |bits: u32| self.0 & bits != 0;
        let only = |bits: u32| self.0 & !bits == 0;
        // The order of the rules decides.
        if dag && any(SKIPPED | IGNORED) || only(SKIPPED | IGNORED) {
            JobStatus::Skipped
        } else if only(SUCCESS | SKIPPED | WARN | IGNORED) {
            JobStatus::Success
        } else if only(CREATED | WARN | IGNORED) {
            JobStatus::Created
        } else if only(PREPARING | WARN | IGNORED) {
            JobStatus::Preparing
        } else if only(CANCELED | SUCCESS | SKIPPED | WARN | IGNORED) {
            JobStatus::Canceled
        } else if only(PENDING | CREATED | SKIPPED | WARN | IGNORED) {
            JobStatus::Pending
        } else if any(RUNNING | PENDING) {
            JobStatus::Running
        } else if any(bit(JobStatus::WaitingForResource)) {
            JobStatus::WaitingForResource
        } else if any(bit(JobStatus::WaitingForCallback)) {
            JobStatus::WaitingForCallback
        } else if any(bit(JobStatus::Manual)) {
            JobStatus::Manual
        } else if any(bit(JobStatus::Scheduled)) {
            JobStatus::Scheduled
        } else if any(PREPARING) {
            JobStatus::Preparing
        } else if any(CREATED) {
            JobStatus::Running
        } else if any(bit(JobStatus::Canceling)) {
            JobStatus::Canceling
        } else {
            JobStatus::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StatusSet;
    use protocol::JobStatus::{self, *};

    fn of(jobs: &[(JobStatus, bool)], dag: bool) -> JobStatus {
        let mut set = StatusSet::default();
        for (status, allow_failure) in jobs {
            set.add(*status, *allow_failure);
        }
        set.composite(dag)
    }

    /// The table of queueing.md 11, one case per rule.
    ///
    /// Proves QUE-V22, QUE-V23, QUE-V25.
    #[test]
    fn every_rule_in_order() {
        let stage: &[(&[(JobStatus, bool)], JobStatus)] = &[
            (&[], Success),
            (&[(Skipped, false), (Manual, true)], Skipped),
            (
                &[(Success, false), (Skipped, false), (Failed, true)],
                Success,
            ),
            (&[(Canceled, true)], Success),
            (&[(Created, false), (Failed, true)], Created),
            (&[(Preparing, false), (Manual, true)], Preparing),
            (&[(Canceled, false), (Success, false)], Canceled),
            (&[(Pending, false), (Created, false)], Pending),
            (&[(Pending, false), (Success, false)], Running),
            (&[(Running, false), (Failed, false)], Running),
            (
                &[(WaitingForResource, false), (Success, false)],
                WaitingForResource,
            ),
            (
                &[(WaitingForCallback, false), (Manual, false)],
                WaitingForCallback,
            ),
            (&[(Manual, false), (Success, false)], Manual),
            (&[(Scheduled, false), (Failed, false)], Scheduled),
            (&[(Preparing, false), (Success, false)], Preparing),
            (&[(Created, false), (Success, false)], Running),
            (&[(Canceling, false), (Success, false)], Canceling),
            (&[(Failed, false), (Success, false)], Failed),
            (&[(Failed, false), (Canceled, false)], Failed),
        ];
        for (jobs, expected) in stage {
            assert_eq!(of(jobs, false), *expected, "{jobs:?}");
        }
        let needed: &[(&[(JobStatus, bool)], JobStatus)] = &[
            (&[], Success),
            (&[(Success, false), (Skipped, false)], Skipped),
            (&[(Success, false), (Manual, true)], Skipped),
            (&[(Success, false), (Failed, true)], Success),
            (&[(Success, false), (Failed, false)], Failed),
        ];
        for (jobs, expected) in needed {
            assert_eq!(of(jobs, true), *expected, "{jobs:?}");
        }
    }
}
