//! Reading the world.

use jiff::Timestamp;

use super::core::World;
use super::queue::{Cursor, Matcher};
use super::runners::scope;
use super::state::{AccessLevel, Group, Job, Pipeline, Project, Runner, User};
use super::text::Text;
use super::{GroupId, JobId, PipelineId, ProjectId, RunnerId, UserId};

impl World {
    /// A group.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// Groups, by id.
    pub fn groups(&self) -> impl DoubleEndedIterator<Item = &Group> {
        self.groups.values()
    }

    /// A project.
    pub fn project(&self, id: ProjectId) -> Option<&Project> {
        self.projects.get(&id)
    }

    /// The project with this path, such as `group/demo`.
    pub fn project_by_path(&self, full_path: &str) -> Option<&Project> {
        self.projects.get(self.project_paths.get(full_path)?)
    }

    /// Projects, by id.
    pub fn projects(&self) -> impl DoubleEndedIterator<Item = &Project> {
        self.projects.values()
    }

    /// A user.
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id)
    }

    /// Users, by id.
    pub fn users(&self) -> impl DoubleEndedIterator<Item = &User> {
        self.users.values()
    }

    /// The user of a personal access token.
    pub fn user_by_personal_access_token(&self, token: &str) -> Option<&User> {
        self.users.get(&self.personal_access_tokens.get(token)?)
    }

    /// A runner.
    pub fn runner(&self, id: RunnerId) -> Option<&Runner> {
        self.runners.get(&id).map(|entry| &entry.record)
    }

    /// The runner with this token, expired or not.
    pub fn runner_by_token(&self, token: &str) -> Option<&Runner> {
        self.runner(self.runner_tokens.get(token)?)
    }

    /// When something last happened to a runner, or to one of its machines: what `If-Unmodified-Since` is
    /// compared with when it is to be removed (wire.md 3.4).
    pub fn runner_changed_at(&self, id: RunnerId, system_id: Option<&str>) -> Option<Timestamp> {
        let runner = self.runner(id)?;
        match system_id {
            Some(system_id) => Some(runner.managers.get(system_id)?.contacted_at),
            None => runner.contacted_at.max(Some(runner.created_at)),
        }
    }

    /// Runners, by id.
    pub fn runners(&self) -> impl DoubleEndedIterator<Item = &Runner> {
        self.runners.values().map(|entry| &entry.record)
    }

    /// A pipeline.
    pub fn pipeline(&self, id: PipelineId) -> Option<&Pipeline> {
        self.pipelines.get(&id)
    }

    /// Pipelines, by id.
    pub fn pipelines(&self) -> impl DoubleEndedIterator<Item = &Pipeline> {
        self.pipelines.values()
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|job| &**job)
    }

    /// Jobs, by id.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values().map(|job| &**job)
    }

    /// The stored log of a job; empty without one.
    pub fn trace(&self, id: JobId) -> Vec<u8> {
        self.logs
            .get(&id)
            .map(super::trace::JobLog::bytes)
            .unwrap_or_default()
    }

    /// Bytes of the log from `start` on, at most `limit`.
    pub fn trace_slice(&self, id: JobId, start: u64, limit: usize) -> Vec<u8> {
        self.logs
            .get(&id)
            .map(|log| log.slice(start, limit))
            .unwrap_or_default()
    }

    /// Stored bytes of the log of a job.
    pub fn trace_size(&self, id: JobId) -> u64 {
        self.logs.get(&id).map_or(0, super::trace::JobLog::size)
    }

    /// CRC-32 of the stored log. Costs one pass over it.
    pub fn trace_crc32(&self, id: JobId) -> u32 {
        self.logs.get(&id).map_or(0, super::trace::JobLog::crc32)
    }

    /// Whether the log was marked as a debug log.
    pub fn trace_is_debug(&self, id: JobId) -> bool {
        self.logs.get(&id).is_some_and(|log| log.debug)
    }

    /// Checksum and size that the runner sent with its final update.
    pub fn reported_checksum(&self, id: JobId) -> Option<(Text, u64)> {
        self.logs.get(&id)?.reported.clone()
    }

    /// Waiting jobs in the order in which this runner would get them, at most `limit`.
    pub fn queue_for(&self, runner: RunnerId, limit: usize) -> Vec<JobId> {
        let Some(entry) = self.runners.get(&runner) else {
            return Vec::new();
        };
        let record = &entry.record;
        // A matcher of its own, because reading must not change the runner's.
        let mut matcher = Matcher::new(
            record.tags.clone(),
            record.run_untagged,
            record.access_level == AccessLevel::RefProtected,
        );
        Cursor::new(&self.queue, &mut matcher, scope(record)).take(&self.queue, limit)
    }

    /// Whether a job stands in the order of this runner. Costs one look at the job.
    pub fn is_in_queue_of(&self, runner: RunnerId, job: JobId) -> bool {
        let entry = self.runners.get(&runner);
        let snapshot = self.queue.snapshot(job);
        entry
            .zip(snapshot)
            .is_some_and(|(entry, snapshot)| entry.may_take(snapshot))
    }

    /// How many jobs wait in the queue.
    pub fn pending_count(&self) -> usize {
        self.queue.len()
    }

    /// Running jobs of a project on instance runners: what the fair order counts.
    pub fn running_on_instance_runners(&self, project: ProjectId) -> u32 {
        self.queue.running(project)
    }
}
