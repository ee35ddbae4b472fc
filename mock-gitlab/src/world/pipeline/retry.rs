//! New attempts of a job, automatic and by hand (queueing.md 11).

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus};

use crate::world::JobId;
use crate::world::core::World;
use crate::world::definition::{JobDefinition, Retry};
use crate::world::state::Job;
use crate::world::transition::JobSeed;

/// How often a job that failed like this may be retried automatically.
pub(in crate::world) fn allowed_retries(
    retry: &Retry,
    reason: FailureReason,
    exit_code: Option<i32>,
) -> u32 {
    use FailureReason as R;
    if matches!(
        reason,
        R::CiQuotaExceeded
            | R::NoMatchingRunner
            | R::MissingDependencyFailure
            | R::ForwardDeploymentFailure
            | R::EnvironmentCreationFailure
    ) {
        return 0;
    }
    let always = retry.when.is_empty() && retry.exit_codes.is_empty();
    let by_reason = retry
        .when
        .iter()
        .any(|name| name == "always" || name == reason.as_str() || is_old_name(name, reason));
    let by_exit_code = exit_code.is_some_and(|code| retry.exit_codes.contains(&code));
    if always || by_reason || by_exit_code {
        if retry.max == 0 && reason == R::SchedulerFailure {
            return 2;
        }
        return u32::from(retry.max);
    }
    if reason == R::SchedulerFailure { 2 } else { 0 }
}

/// Reasons that took the place of an older one still match its name (queueing.md 16, trap 2).
fn is_old_name(name: &str, reason: FailureReason) -> bool {
    use FailureReason as R;
    match name {
        "stuck_or_timeout_failure" => matches!(
            reason,
            R::StuckPendingWithMatchingRunners
                | R::StuckPendingNoMatchingRunners
                | R::NoUpdatesRunning
                | R::NoUpdatesCanceling
        ),
        "job_execution_timeout" => matches!(
            reason,
            R::ServerTimeoutRunning | R::ServerTimeoutCanceling | R::JobExecutionServerTimeout
        ),
        _ => false,
    }
}

impl World {
    pub(in crate::world) fn retry_automatically(
        &mut self,
        now: Timestamp,
        id: JobId,
        reason: FailureReason,
    ) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let allowed = allowed_retries(&job.definition.retry, reason, job.exit_code);
        if job.attempts_before < allowed && !self.is_archived(now, job) {
            let definition = Arc::clone(&job.definition);
            self.make_attempt(now, id, definition);
        }
    }

    /// A new attempt of a finished job: clone, new id, `pending` at once. Jobs that were skipped because
    /// of the old one are looked at again.
    pub(in crate::world) fn make_attempt(
        &mut self,
        now: Timestamp,
        id: JobId,
        definition: Arc<JobDefinition>,
    ) -> Option<JobId> {
        let old = self.jobs.get_mut(&id)?;
        old.retried = true;
        let seed = JobSeed {
            id: None,
            project: old.project,
            pipeline: old.pipeline,
            definition,
            stage_index: old.stage_index,
            protected: old.protected,
            user: old.user,
            retry_of: Some(id),
        };
        let pipeline = seed.pipeline;
        let new = self.make_job(now, seed);
        if let Some(pipeline) = pipeline {
            if let Some(record) = self.pipelines.get_mut(&pipeline) {
                record.jobs.push(new);
            }
            self.dirty.insert(pipeline);
        }
        self.enqueue(now, new);
        self.reset_skipped_after(now, new);
        Some(new)
    }

    /// Skipped jobs of later stages, and skipped jobs that need this one directly or not, become
    /// `created` again.
    pub(in crate::world) fn reset_skipped_after(&mut self, now: Timestamp, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let Some(pipeline) = job.pipeline else {
            return;
        };
        let stage = job.stage_index;
        let mut after: BTreeSet<&str> = BTreeSet::from([job.definition.name.as_str()]);
        let mut reset = Vec::new();
        // Needs may point forward in the list: go round until nothing is added.
        loop {
            let before = reset.len();
            for other in self.latest_jobs(pipeline) {
                let depends = match &other.definition.needs {
                    Some(needs) => needs.iter().any(|need| after.contains(need.job.as_str())),
                    None => other.stage_index > stage,
                };
                if other.status == JobStatus::Skipped && depends && !reset.contains(&other.id) {
                    after.insert(&other.definition.name);
                    reset.push(other.id);
                }
            }
            if reset.len() == before {
                break;
            }
        }
        for id in reset {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.finished_at = None;
            }
            self.rejoin_resource_group(id);
            self.transition(now, id, JobStatus::Created);
        }
    }

    fn rejoin_resource_group(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let project = job.project;
        if let Some(group) = job.definition.resource_group.clone() {
            self.join_resource_group(project, &group, id);
        }
    }

    /// Whether a job is older than the instance's archive limit (queueing.md 6).
    pub fn is_archived(&self, now: Timestamp, job: &Job) -> bool {
        self.settings
            .archive_builds_older_than_s
            .is_some_and(|limit| {
                crate::world::deadline::seconds_between(job.created_at, now) > limit
            })
    }
}

#[cfg(test)]
mod tests {
    use super::allowed_retries;
    use crate::world::definition::Retry;
    use protocol::FailureReason as R;

    fn retry(max: u8, when: &[&str], exit_codes: &[i32]) -> Retry {
        Retry {
            max,
            when: when.iter().map(|name| (*name).to_owned()).collect(),
            exit_codes: exit_codes.to_vec(),
        }
    }

    /// Reasons, exit codes and the fixed exceptions of queueing.md 11.
    ///
    /// Proves QUE-V21.
    #[test]
    fn allowed_retries_by_reason_and_exit_code() {
        let table = [
            (retry(2, &[], &[]), R::ScriptFailure, None, 2),
            (retry(2, &["always"], &[]), R::ApiFailure, None, 2),
            (
                retry(1, &["script_failure"], &[]),
                R::ScriptFailure,
                None,
                1,
            ),
            (retry(1, &["script_failure"], &[]), R::ApiFailure, None, 0),
            (retry(2, &[], &[137]), R::ScriptFailure, Some(137), 2),
            (retry(2, &[], &[137]), R::ScriptFailure, Some(1), 0),
            (retry(0, &[], &[]), R::SchedulerFailure, None, 2),
            (
                retry(1, &["api_failure"], &[]),
                R::SchedulerFailure,
                None,
                2,
            ),
            (
                retry(2, &["always"], &[]),
                R::MissingDependencyFailure,
                None,
                0,
            ),
            (retry(2, &["always"], &[]), R::NoMatchingRunner, None, 0),
            (
                retry(1, &["stuck_or_timeout_failure"], &[]),
                R::NoUpdatesRunning,
                None,
                1,
            ),
            (
                retry(1, &["job_execution_timeout"], &[]),
                R::ServerTimeoutRunning,
                None,
                1,
            ),
        ];
        for (retry, reason, exit_code, expected) in table {
            assert_eq!(
                allowed_retries(&retry, reason, exit_code),
                expected,
                "{retry:?} {reason} {exit_code:?}"
            );
        }
    }
}
