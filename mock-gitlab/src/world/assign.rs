//! A runner gets a job (queueing.md 5, 8, 9).

use jiff::Timestamp;
use protocol::job_request::JobRequest;
use protocol::{Features, JobStatus, token};

use super::JobId;
use super::answer::PollAnswer;
use super::core::World;
use super::deadline::{DeadlineKind, after};
use super::definition::JobDefinition;
use super::payload::QueueFigures;
use super::request::Poller;
use super::runners::scope;
use super::settings::Flag;
use super::state::{JobRun, RunnerType, TimeoutSource};
use super::text::Text;

/// Life of an unacknowledged assignment, s (queueing.md 8).
pub(super) const ACKNOWLEDGE_S: i64 = 120;
/// Prefix of job tokens in partition 100.
const JOB_TOKEN_PREFIX: &str = "glcbt-64_";

/// The timeout that holds for a job on a runner, and where it comes from (queueing.md 9, QUE-V34).
///
/// The job's own value stands before the project's, also when it is longer; the runner's maximum only
/// shortens; on a tie the job's or project's value is the source.
pub fn effective_timeout(
    project: i64,
    job: Option<i64>,
    runner_maximum: Option<i64>,
) -> (i64, TimeoutSource) {
    let (own, source) = match job {
        Some(job) => (job, TimeoutSource::Job),
        None => (project, TimeoutSource::Project),
    };
    match runner_maximum.filter(|maximum| *maximum > 0) {
        Some(maximum) if maximum < own => (maximum, TimeoutSource::Runner),
        _ => (own, source),
    }
}

impl JobDefinition {
    /// Whether a runner with these features can run the job (queueing.md 6, "Required features").
    pub(super) fn runs_with(&self, features: Features) -> bool {
        let artifacts = self.artifacts.as_ref();
        let reports = artifacts.is_some_and(|artifacts| !artifacts.reports.is_empty());
        let exclude = artifacts.is_some_and(|artifacts| !artifacts.exclude.is_empty());
        let exit_codes =
            !self.allow_failure_exit_codes.is_empty() || !self.retry.exit_codes.is_empty();
        let fallback = self
            .cache
            .iter()
            .any(|cache| !cache.fallback_keys.as_slice().is_empty());
        (!reports || features.upload_multiple_artifacts)
            && (!exclude || features.artifacts_exclude)
            && (self.release.is_empty() || features.multi_build_steps)
            && (!exit_codes || features.return_exit_code)
            && (!fallback || features.fallback_cache_keys)
            && self
                .requires
                .iter()
                .all(|name| features.by_name(name) == Some(true))
    }
}

impl World {
    /// Notes who has the job, with a new token and the effective timeout.
    pub(super) fn give_to(
        &mut self,
        now: Timestamp,
        id: JobId,
        poller: &Poller,
        request: &JobRequest,
    ) {
        let token: Text = self.made_up_token(JOB_TOKEN_PREFIX);
        debug_assert!(token.starts_with(token::JOB_PREFIX));
        let maximum = self
            .runners
            .get(&poller.runner)
            .and_then(|entry| entry.record.maximum_timeout);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let project_timeout = self
            .projects
            .get(&job.project)
            .map_or(self.settings.default_project_timeout_s, |project| {
                project.timeout
            });
        let (timeout, timeout_source) =
            effective_timeout(project_timeout, job.definition.timeout, maximum);
        job.updated_at = now;
        job.run = Some(Box::new(JobRun {
            runner: poller.runner,
            system_id: poller.system_id.clone(),
            token: token.clone(),
            started_at: None,
            timeout,
            timeout_source,
            cancel_gracefully: request.info.features.cancel_gracefully,
            session: request.session.clone(),
            acknowledge_until: None,
        }));
        self.job_tokens.insert(token, id);
    }

    /// Step 6 and 8 of the walk: the job is the runner's.
    pub(super) fn assign(
        &mut self,
        now: Timestamp,
        id: JobId,
        poller: &Poller,
        request: &JobRequest,
        depth: u32,
    ) -> PollAnswer {
        let figures = self.figures(id, poller, depth);
        self.give_to(now, id, poller, request);
        let two_phase = self.settings.flag(Flag::AllowRunnerJobAcknowledgement)
            && request.info.features.two_phase_job_commit;
        if two_phase {
            self.queue.remove(id);
            let until = after(now, ACKNOWLEDGE_S);
            if let Some(run) = self.jobs.get_mut(&id).and_then(|job| job.run.as_mut()) {
                run.acknowledge_until = Some(until);
            }
            self.at(until, DeadlineKind::Acknowledge(id));
        } else {
            self.transition(now, id, JobStatus::Running);
        }
        self.job_answer(now, id, figures)
    }

    /// Figures from before the assignment: the job itself is not counted as running.
    fn figures(&mut self, id: JobId, poller: &Poller, depth: u32) -> QueueFigures {
        let project = self.jobs.get(&id).map_or(0, |job| job.project);
        let Some(entry) = self.runners.get_mut(&poller.runner) else {
            return QueueFigures::default();
        };
        let instance = entry.record.runner_type == RunnerType::InstanceType;
        let size = self
            .queue
            .eligible(&mut entry.matcher, scope(&entry.record));
        QueueFigures {
            running_on_instance_runners: instance.then(|| self.queue.running(project)),
            size,
            depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::effective_timeout;
    use crate::vectors::VectorFile;

    /// Every row of V34.
    ///
    /// Proves QUE-V34.
    #[test]
    fn effective_timeouts() {
        let file = VectorFile::parse(include_str!("../../../scenarios/catalogue/queueing.yml"))
            .unwrap_or_else(|error| panic!("{error}"));
        let rows = &file
            .find("V34")
            .map(|v| v.timeouts.clone())
            .unwrap_or_default();
        assert_eq!(rows.len(), 7);
        for row in rows {
            assert_eq!(
                effective_timeout(row.project, row.job, row.runner),
                (row.effective, row.source),
                "{row:?}"
            );
        }
    }
}
