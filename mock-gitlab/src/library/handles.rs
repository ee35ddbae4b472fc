use std::sync::Arc;

use protocol::JobStatus;

use super::builders::JobBuilder;
use super::error::{MockError, WaitError};
use super::pipeline::PipelineBuilder;
use super::start::Shared;
use super::wait;
use crate::world::event::{Event, EventKind};
use crate::world::state::Manager;
use crate::world::{Artifact, JobDefinition, WhyNot};

/// A project of the server.
#[derive(Clone)]
pub struct ProjectHandle {
    pub(super) shared: Shared,
    pub(super) id: i64,
    pub(super) full_path: String,
    pub(super) sha: String,
}

impl ProjectHandle {
    /// Id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Path with groups.
    pub fn full_path(&self) -> &str {
        &self.full_path
    }

    /// Commit of the default branch; empty without files.
    pub fn sha(&self) -> &str {
        &self.sha
    }

    /// A new job of the project.
    pub fn job(&self, name: &str) -> JobBuilder {
        JobBuilder::new(self, name)
    }

    /// A new pipeline of several jobs.
    pub fn pipeline(&self) -> PipelineBuilder {
        PipelineBuilder::new(self)
    }
}

/// A runner of the server.
#[derive(Clone)]
pub struct RunnerHandle {
    pub(super) shared: Shared,
    pub(super) id: i64,
}

impl RunnerHandle {
    /// Id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Authentication token, for `token` of a runner's configuration; empty once the runner is gone.
    pub fn token(&self) -> String {
        self.shared.look(|world| {
            let runner = world.runner(self.id);
            runner
                .map(|runner| runner.token.to_string())
                .unwrap_or_default()
        })
    }

    /// The machines that polled or verified with its token, by `system_id`.
    pub fn machines(&self) -> Vec<Manager> {
        self.shared.look(|world| {
            let runner = world.runner(self.id);
            runner.map_or_else(Vec::new, |runner| {
                runner.managers.values().cloned().collect()
            })
        })
    }

    /// Whether it still exists.
    pub fn exists(&self) -> bool {
        self.shared.look(|world| world.runner(self.id).is_some())
    }

    /// Why its next poll would not get this job; `None` = it gets it.
    pub fn why_not(&self, job: &JobHandle) -> Option<WhyNot> {
        job.why_not(self)
    }
}

/// A job of the server.
#[derive(Clone)]
pub struct JobHandle {
    pub(super) shared: Shared,
    pub(super) id: i64,
}

impl JobHandle {
    /// Id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Name.
    pub fn name(&self) -> String {
        self.shared.look(|world| {
            let job = world.job(self.id);
            job.map_or_else(String::new, |job| job.definition.name.clone())
        })
    }

    /// State.
    pub fn status(&self) -> JobStatus {
        self.shared.look(|world| {
            let job = world.job(self.id);
            job.map_or(JobStatus::Created, |job| job.status)
        })
    }

    /// Why it failed.
    pub fn failure_reason(&self) -> Option<String> {
        self.shared.look(|world| {
            let reason = world.job(self.id)?.failure_reason.as_ref();
            reason.map(ToString::to_string)
        })
    }

    /// Exit code that the runner sent.
    pub fn exit_code(&self) -> Option<i32> {
        self.shared.look(|world| world.job(self.id)?.exit_code)
    }

    /// Its log so far.
    pub fn trace(&self) -> Vec<u8> {
        self.shared.look(|world| world.trace(self.id))
    }

    /// Its log so far as text; what is no UTF-8 is replaced.
    pub fn trace_text(&self) -> String {
        String::from_utf8_lossy(&self.trace()).into_owned()
    }

    /// Why the next poll of this runner would not get it; `None` = it gets it. [`World::why_not`] says
    /// what that poll is.
    ///
    /// [`World::why_not`]: crate::world::World::why_not
    pub fn why_not(&self, runner: &RunnerHandle) -> Option<WhyNot> {
        self.shared.act(|world, now| {
            world.tick(now);
            world.why_not(now, runner.id, self.id)
        })
    }

    /// [`JobHandle::why_not`] for every runner, by runner id.
    pub fn why_not_anywhere(&self) -> Vec<(i64, Option<WhyNot>)> {
        self.shared.act(|world, now| {
            world.tick(now);
            let runners = world.runners().map(|runner| runner.id);
            runners
                .map(|runner| (runner, world.why_not(now, runner, self.id)))
                .collect()
        })
    }

    /// What it was made from.
    pub fn definition(&self) -> Arc<JobDefinition> {
        self.shared.look(|world| {
            let job = world.job(self.id);
            job.map_or_else(Arc::default, |job| Arc::clone(&job.definition))
        })
    }

    /// Token of the job, once a runner took it.
    pub fn token(&self) -> Option<String> {
        self.shared
            .look(|world| world.job(self.id)?.token().map(str::to_owned))
    }

    /// The pieces of its log as they came and were taken, oldest first. They are made of the world's
    /// events, of which the newest are kept ([`Settings::event_capacity`]).
    ///
    /// [`Settings::event_capacity`]: crate::world::Settings::event_capacity
    pub fn patches(&self) -> Vec<Vec<u8>> {
        self.shared.look(|world| {
            let log = world.trace(self.id);
            let patch = |event: &Event| match event.kind {
                EventKind::TracePatch {
                    job,
                    bytes,
                    status: 202,
                    stored,
                    ..
                } if job == self.id => {
                    let end = log.len().min(stored as usize);
                    let start = stored.saturating_sub(bytes) as usize;
                    Some(log[start.min(end)..end].to_vec())
                }
                _ => None,
            };
            world.events().filter_map(patch).collect()
        })
    }

    /// How often its runner sent its state (`PUT /jobs/:id`), by the world's events as above.
    pub fn updates(&self) -> usize {
        self.shared.look(|world| {
            let own = |event: &&Event| matches!(event.kind, EventKind::JobUpdate { job, .. } if job == self.id);
            world.events().filter(own).count()
        })
    }

    /// All artifacts that were uploaded, by type.
    pub fn artifacts(&self) -> Vec<Artifact> {
        self.shared
            .look(|world| world.artifacts(self.id).cloned().collect())
    }

    /// What is known of an artifact that was uploaded, by type: `archive`, `metadata`, `junit` and so on.
    pub fn artifact(&self, file_type: &str) -> Option<Artifact> {
        self.shared
            .look(|world| world.artifact(self.id, file_type).cloned())
    }

    /// The bytes of an artifact that was uploaded; `None` without one.
    pub fn artifact_bytes(&self, file_type: &str) -> Result<Option<Vec<u8>>, MockError> {
        let Some(artifact) = self.artifact(file_type) else {
            return Ok(None);
        };
        let bytes = self.shared.artifacts.bytes(self.id, &artifact);
        bytes.map(Some).map_err(MockError::Artifact)
    }

    /// A user cancels it.
    pub fn cancel(&self) -> Result<JobStatus, MockError> {
        let id = self.id;
        Ok(self
            .shared
            .act(|world, now| world.cancel_job(now, id, false))?)
    }

    /// A user plays it, if it is manual.
    pub fn play(&self) -> Result<JobStatus, MockError> {
        let id = self.id;
        Ok(self.shared.act(|world, now| world.play_job(now, id))?)
    }

    /// A user retries it; gives the new job.
    pub fn retry(&self) -> Result<JobHandle, MockError> {
        let id = self.id;
        let new = self.shared.act(|world, now| world.retry_job(now, id))?;
        Ok(JobHandle {
            shared: self.shared.clone(),
            id: new,
        })
    }

    /// Waits until it has this state, at most 30 s.
    pub async fn wait_for(&self, status: JobStatus) -> Result<(), WaitError> {
        let id = self.id;
        let what = format!("job {id} to be {status}");
        wait::until(&self.shared, &what, move |world| {
            world.job(id).is_some_and(|job| job.status == status)
        })
        .await
    }

    /// Waits until it has ended in any way, at most 30 s; gives its last state.
    pub async fn wait_for_end(&self) -> Result<JobStatus, WaitError> {
        let id = self.id;
        let what = format!("job {id} to end");
        wait::until(&self.shared, &what, move |world| {
            world.job(id).is_some_and(|job| job.status.is_complete())
        })
        .await?;
        Ok(self.status())
    }

    /// Waits until its log holds `text`, at most 30 s.
    pub async fn wait_for_trace(&self, text: &str) -> Result<(), WaitError> {
        let (id, text) = (self.id, text.to_owned());
        let what = format!("the log of job {id} to hold {text:?}");
        wait::until(&self.shared, &what, move |world| {
            let trace = world.trace(id);
            memchr::memmem::find(&trace, text.as_bytes()).is_some()
        })
        .await
    }
}
