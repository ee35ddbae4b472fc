//! Jobs change their state (queueing.md 10). Everything that follows at once from a change is in here.

use std::sync::Arc;

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus};

use super::core::{RunningEntry, World, take_id};
use super::definition::JobDefinition;
use super::event::EventKind;
use super::queue::Snapshot;
use super::state::{Job, RunnerType};
use super::text::Text;
use super::{JobId, PipelineId, ProjectId, UserId};

/// What a new job is made from.
pub(super) struct JobSeed {
    pub(super) id: Option<JobId>,
    pub(super) project: ProjectId,
    pub(super) pipeline: Option<PipelineId>,
    pub(super) definition: Arc<JobDefinition>,
    pub(super) stage_index: u32,
    pub(super) protected: bool,
    pub(super) user: UserId,
    pub(super) retry_of: Option<JobId>,
}

impl World {
    /// Makes a job in the state `created`.
    pub(super) fn make_job(&mut self, now: Timestamp, seed: JobSeed) -> JobId {
        let id = take_id(&mut self.next.job, seed.id);
        let attempts_before = seed
            .retry_of
            .and_then(|old| self.jobs.get(&old))
            .map_or(0, |old| old.attempts_before + 1);
        if self.settings.event_capacity > 0 {
            let name = Text::from(seed.definition.name.as_str());
            self.event(
                now,
                EventKind::JobCreated {
                    job: id,
                    project: seed.project,
                    pipeline: seed.pipeline,
                    name,
                    retry_of: seed.retry_of,
                },
            );
        }
        if let Some(group) = seed.definition.resource_group.as_deref() {
            self.join_resource_group(seed.project, group, id);
        }
        let job = Job {
            id,
            project: seed.project,
            pipeline: seed.pipeline,
            stage_index: seed.stage_index,
            status: JobStatus::Created,
            protected: seed.protected,
            retried: false,
            attempts_before,
            allow_failure: seed.definition.allow_failure,
            definition: seed.definition,
            user: seed.user,
            created_at: now,
            queued_at: None,
            scheduled_at: None,
            updated_at: now,
            run: None,
            finished_at: None,
            failure_reason: None,
            exit_code: None,
            erased_at: None,
        };
        self.jobs.insert(id, Box::new(job));
        id
    }

    /// Puts a job into a state, with everything that belongs to leaving the old and entering the new
    /// one: queue and running entry, times, token, resource, event. Its pipeline is processed by the
    /// next [`World::settle`].
    pub(super) fn transition(&mut self, now: Timestamp, id: JobId, to: JobStatus) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let from = job.status;
        if from == to {
            return;
        }
        job.status = to;
        job.updated_at = now;
        let project = job.project;
        match to {
            JobStatus::Pending => job.queued_at = Some(now),
            JobStatus::Running => {
                if let Some(run) = &mut job.run {
                    run.started_at = Some(now);
                    run.acknowledge_until = None;
                }
            }
            _ => {}
        }
        if from == JobStatus::Scheduled {
            job.scheduled_at = None;
        }
        if to.is_complete() {
            job.finished_at = Some(now);
            if let Some(run) = &mut job.run {
                run.acknowledge_until = None;
                let token = run.token.clone();
                self.job_tokens.remove(&token);
            }
        }
        let event = EventKind::JobStatus {
            job: id,
            from,
            to,
            runner: job.runner(),
            failure_reason: job.failure_reason.clone(),
        };
        if let Some(pipeline) = job.pipeline {
            self.dirty.insert(pipeline);
        }
        self.event(now, event);
        if from == JobStatus::Pending {
            self.queue.remove(id);
        }
        if from == JobStatus::Running {
            self.remove_running(id);
        }
        if to == JobStatus::Pending {
            self.add_to_queue(id);
            self.tick_runners(now, id);
        }
        if to == JobStatus::Running {
            self.add_running(now, id, project);
        }
        if to.is_complete() {
            self.leave_resource_group(now, id);
        }
    }

    /// Event `enqueue`: towards `pending`, by way of the resource group if there is one.
    pub(super) fn enqueue(&mut self, now: Timestamp, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        if job.definition.resource_group.is_some() {
            self.transition(now, id, JobStatus::WaitingForResource);
            self.assign_resource_of(now, id);
        } else {
            self.transition(now, id, JobStatus::Pending);
        }
    }

    /// Event `success`. A canceling job ends as canceled.
    pub(super) fn succeed_job(&mut self, now: Timestamp, id: JobId) {
        let canceling = self.status(id) == Some(JobStatus::Canceling);
        let to = if canceling {
            JobStatus::Canceled
        } else {
            JobStatus::Success
        };
        self.transition(now, id, to);
    }

    /// Event `drop`. A canceling job ends as canceled; a failed one is retried if it may be.
    pub(super) fn drop_job(
        &mut self,
        now: Timestamp,
        id: JobId,
        reason: FailureReason,
        exit_code: Option<i32>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.exit_code = exit_code.or(job.exit_code);
        let codes = &job.definition.allow_failure_exit_codes;
        if exit_code.is_some_and(|code| codes.contains(&code)) {
            job.allow_failure = true;
        }
        if job.status == JobStatus::Canceling {
            self.transition(now, id, JobStatus::Canceled);
            return;
        }
        job.failure_reason = Some(Text::from(reason.as_str()));
        self.transition(now, id, JobStatus::Failed);
        self.retry_automatically(now, id, reason);
    }

    pub(super) fn status(&self, id: JobId) -> Option<JobStatus> {
        self.jobs.get(&id).map(|job| job.status)
    }

    fn add_to_queue(&mut self, id: JobId) {
        let (Some(job), queue) = (self.jobs.get(&id), &mut self.queue) else {
            return;
        };
        let Some(project) = self.projects.get(&job.project) else {
            return;
        };
        let ci_on = project.builds && !project.pending_delete;
        let group = project
            .group
            .filter(|_| ci_on && project.group_runners)
            .and_then(|group| self.groups.get(&group));
        queue.add(
            id,
            Snapshot {
                project: job.project,
                protected: job.protected,
                tags: &sorted_tags(&job.definition.tags),
                instance_runners_enabled: ci_on && project.instance_runners,
                traversal: group.map_or(&[], |group| group.traversal_ids.as_slice()),
            },
        );
    }

    fn add_running(&mut self, now: Timestamp, id: JobId, project: ProjectId) {
        let runner = self.jobs.get(&id).and_then(|job| job.runner());
        let runner_type = runner
            .and_then(|runner| self.runners.get(&runner))
            .map_or(RunnerType::ProjectType, |entry| entry.record.runner_type);
        let entry = RunningEntry {
            project,
            runner_type,
            since: now,
        };
        if self.running.insert(id, entry).is_none() && runner_type == RunnerType::InstanceType {
            self.queue.change_running(project, true);
        }
    }

    fn remove_running(&mut self, id: JobId) {
        if let Some(entry) = self.running.remove(&id)
            && entry.runner_type == RunnerType::InstanceType
        {
            self.queue.change_running(entry.project, false);
        }
    }
}

/// Tags as the queue wants them. No allocation without tags.
pub(super) fn sorted_tags(tags: &[String]) -> Vec<Text> {
    let mut sorted: Vec<Text> = tags.iter().map(|tag| Text::from(tag.as_str())).collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}
