//! Reading the world.

use super::core::World;
use super::state::{Group, Job, Pipeline, Project, Runner, User};
use super::text::Text;
use super::{GroupId, JobId, PipelineId, ProjectId, RunnerId, UserId};

impl World {
    /// A group.
    pub fn group(&self, _id: GroupId) -> Option<&Group> {
        todo!()
    }

    /// Groups, by id.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        std::iter::empty()
    }

    /// A project.
    pub fn project(&self, _id: ProjectId) -> Option<&Project> {
        todo!()
    }

    /// The project with this path, such as `group/demo`.
    pub fn project_by_path(&self, _full_path: &str) -> Option<&Project> {
        todo!()
    }

    /// Projects, by id.
    pub fn projects(&self) -> impl Iterator<Item = &Project> {
        std::iter::empty()
    }

    /// A user.
    pub fn user(&self, _id: UserId) -> Option<&User> {
        todo!()
    }

    /// The user of a personal access token.
    pub fn user_by_personal_access_token(&self, _token: &str) -> Option<&User> {
        todo!()
    }

    /// A runner.
    pub fn runner(&self, _id: RunnerId) -> Option<&Runner> {
        todo!()
    }

    /// The runner with this token, expired or not.
    pub fn runner_by_token(&self, _token: &str) -> Option<&Runner> {
        todo!()
    }

    /// Runners, by id.
    pub fn runners(&self) -> impl DoubleEndedIterator<Item = &Runner> {
        std::iter::empty()
    }

    /// A pipeline.
    pub fn pipeline(&self, _id: PipelineId) -> Option<&Pipeline> {
        todo!()
    }

    /// Pipelines, by id.
    pub fn pipelines(&self) -> impl DoubleEndedIterator<Item = &Pipeline> {
        std::iter::empty()
    }

    /// A job.
    pub fn job(&self, _id: JobId) -> Option<&Job> {
        todo!()
    }

    /// Jobs, by id.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        std::iter::empty()
    }

    /// The stored log of a job; empty without one.
    pub fn trace(&self, _id: JobId) -> Vec<u8> {
        todo!()
    }

    /// Stored bytes of the log of a job.
    pub fn trace_size(&self, _id: JobId) -> u64 {
        todo!()
    }

    /// Whether the log was marked as a debug log.
    pub fn trace_is_debug(&self, _id: JobId) -> bool {
        todo!()
    }

    /// Checksum and size that the runner sent with its final update.
    pub fn reported_checksum(&self, _id: JobId) -> Option<(Text, u64)> {
        todo!()
    }

    /// Waiting jobs in the order in which this runner would get them, at most `limit`.
    pub fn queue_for(&self, _runner: RunnerId, _limit: usize) -> Vec<JobId> {
        todo!()
    }

    /// How many jobs wait in the queue.
    pub fn pending_count(&self) -> usize {
        todo!()
    }

    /// Running jobs of a project on instance runners: what the fair order counts.
    pub fn running_on_instance_runners(&self, _project: ProjectId) -> u32 {
        todo!()
    }
}
