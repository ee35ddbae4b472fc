//! The world itself and how it is set up.

use jiff::Timestamp;

use super::answer::{ActionError, SetupError};
use super::event::Event;
use super::settings::{Flag, Settings};
use super::setup::{
    NewGroup, NewJob, NewPipeline, NewProject, NewRunner, NewUser, ProjectChange, RunnerChange,
};
use super::text::Text;
use super::{GroupId, JobId, PipelineId, ProjectId, RunnerId, UserId};

/// All state of a server, and every rule.
#[derive(Debug)]
pub struct World {
    settings: Settings,
}

impl World {
    /// An empty world with one user, `root` (id 1), and an instance registration token.
    ///
    /// `seed` decides every made-up token.
    pub fn new(settings: Settings, seed: u64) -> World {
        let _ = seed;
        World { settings }
    }

    /// Settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes settings. Takes effect with the next call.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// Switches a feature flag.
    pub fn set_flag(&mut self, _flag: Flag, _on: bool) {
        todo!()
    }

    /// Adds a group.
    pub fn add_group(&mut self, _now: Timestamp, _group: NewGroup) -> Result<GroupId, SetupError> {
        todo!()
    }

    /// Adds a project.
    pub fn add_project(
        &mut self,
        _now: Timestamp,
        _project: NewProject,
    ) -> Result<ProjectId, SetupError> {
        todo!()
    }

    /// Adds a user.
    pub fn add_user(&mut self, _user: NewUser) -> Result<UserId, SetupError> {
        todo!()
    }

    /// Gives a user a personal access token; made up (`glpat-…`) when `None`. Returns the token.
    pub fn add_personal_access_token(
        &mut self,
        _user: UserId,
        _token: Option<&str>,
    ) -> Result<Text, SetupError> {
        todo!()
    }

    /// The instance's registration token.
    pub fn instance_registration_token(&self) -> &str {
        todo!()
    }

    /// Replaces the instance's registration token.
    pub fn set_instance_registration_token(&mut self, _token: &str) {
        todo!()
    }

    /// Adds a runner. The rules of registration hold (tags, scope).
    pub fn add_runner(
        &mut self,
        _now: Timestamp,
        _runner: NewRunner,
    ) -> Result<RunnerId, SetupError> {
        todo!()
    }

    /// Adds a job outside of any pipeline.
    pub fn add_job(&mut self, _now: Timestamp, _job: NewJob) -> Result<JobId, SetupError> {
        todo!()
    }

    /// Adds a pipeline and processes it once. Returns its id; its jobs are in [`World::pipeline`].
    pub fn add_pipeline(
        &mut self,
        _now: Timestamp,
        _pipeline: NewPipeline,
    ) -> Result<PipelineId, SetupError> {
        todo!()
    }

    /// Changes a runner.
    pub fn set_runner(
        &mut self,
        _now: Timestamp,
        _id: RunnerId,
        _change: RunnerChange,
    ) -> Result<(), ActionError> {
        todo!()
    }

    /// Changes a project. Waiting jobs keep their snapshot except for what queueing.md 1 names.
    pub fn set_project(
        &mut self,
        _now: Timestamp,
        _id: ProjectId,
        _change: ProjectChange,
    ) -> Result<(), ActionError> {
        todo!()
    }

    /// Blocks or unblocks a user.
    pub fn set_user_blocked(&mut self, _id: UserId, _blocked: bool) -> Result<(), ActionError> {
        todo!()
    }

    /// Does what time alone brings about, up to `now`: delayed jobs, expired acknowledgements, and
    /// automatic sweeps. Every other call does this first, so a caller needs it only to wake up at
    /// [`World::next_deadline`].
    pub fn tick(&mut self, _now: Timestamp) {
        todo!()
    }

    /// When [`World::tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        todo!()
    }

    /// Takes the events since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        todo!()
    }

    /// Events that were dropped because nobody took them in time.
    pub fn events_dropped(&self) -> u64 {
        todo!()
    }
}
