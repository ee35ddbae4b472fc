//! Worlds with many jobs, and the requests that hit them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mock_gitlab::world::answer::PollAnswer;
use mock_gitlab::world::definition::JobDefinition;
use mock_gitlab::world::{JobId, NewJob, NewProject, NewRunner, ProjectId, Settings, World};
use protocol::info::{Features, Info};
use protocol::{JobPayload, JobRequest, JobUpdate, UpdateState};

/// Token of the one runner in these worlds.
pub const RUNNER_TOKEN: &str = "glrt-t1_AbCdEfGhIjKlMnOpQrSt";

/// Address of the runner.
const PEER: &str = "127.0.0.1";

/// A world, and one instance runner that polls it.
#[derive(Debug)]
pub struct Load {
    /// The world.
    pub world: World,
    /// Time of the next call; idle polls advance it.
    pub now: Timestamp,
    fresh: JobRequest,
    held: JobRequest,
    projects: Vec<ProjectId>,
    next_project: usize,
    definition: Arc<JobDefinition>,
}

/// A poll as a shell runner sends it.
pub fn poll_request() -> JobRequest {
    JobRequest {
        info: Info {
            name: "gitlab-runner".to_owned(),
            version: "19.4.0".to_owned(),
            revision: "d79f3e7b".to_owned(),
            platform: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            executor: "shell".to_owned(),
            shell: "bash".to_owned(),
            features: Features::shell_executor(),
            ..Info::default()
        },
        token: RUNNER_TOKEN.to_owned(),
        system_id: "s_0123456789ab".to_owned(),
        ..JobRequest::default()
    }
}

/// Why a load could not be made; a bug of the bench.
pub type LoadError = Box<dyn std::error::Error + Send + Sync>;

impl Load {
    /// `jobs` pending jobs, dealt out evenly to `projects` projects; one instance runner.
    ///
    /// Nothing is kept per request: the event log and the rate limits are off.
    pub fn new(jobs: usize, projects: usize) -> Result<Load, LoadError> {
        Load::long_polling(jobs, projects, 0)
    }

    /// [`Load::new`], with polls that are held for so many seconds while there is nothing new.
    ///
    /// # Errors
    ///
    /// A bug of the bench.
    pub fn long_polling(jobs: usize, projects: usize, hold_s: u64) -> Result<Load, LoadError> {
        let settings = Settings {
            api_ci_long_polling_duration_s: hold_s,
            runner_jobs_request_api_limit: 0,
            runner_jobs_patch_trace_api_limit: 0,
            runner_jobs_endpoints_api_limit: 0,
            event_capacity: 0,
            ..Settings::default()
        };
        let now = Timestamp::from_second(1_700_000_000)?;
        let mut world = World::new(settings, 7);
        let mut ids = Vec::with_capacity(projects);
        for index in 0..projects {
            let project = NewProject {
                path: format!("project-{index}"),
                ..NewProject::default()
            };
            ids.push(world.add_project(now, project)?);
        }
        world.add_runner(
            now,
            NewRunner {
                token: Some(RUNNER_TOKEN.to_owned()),
                ..NewRunner::default()
            },
        )?;
        let mut load = Load {
            world,
            now,
            fresh: poll_request(),
            held: poll_request(),
            projects: ids,
            next_project: 0,
            definition: Arc::new(JobDefinition::default()),
        };
        for _ in 0..jobs {
            load.add_job()?;
        }
        Ok(load)
    }

    /// Adds a pending job to the next project.
    pub fn add_job(&mut self) -> Result<JobId, LoadError> {
        let project = self.projects[self.next_project % self.projects.len()];
        self.next_project += 1;
        let job = NewJob::pending(project, Arc::clone(&self.definition));
        Ok(self.world.add_job(self.now, job)?)
    }

    /// A poll without `last_update`: the queue is read, whatever was answered before.
    pub fn poll(&mut self) -> PollAnswer {
        self.world.request_job(self.now, &self.fresh, PEER)
    }

    /// A fresh poll that finds nothing.
    ///
    /// # Errors
    ///
    /// When the answer is not 204, or the queue was not read for it.
    pub fn scanning_poll(&mut self) -> Result<(), LoadError> {
        match self.poll() {
            PollAnswer::NoJob { scanned: true, .. } => Ok(()),
            other => Err(format!("expected 204 from the queue, got {other:?}").into()),
        }
    }

    /// A poll as an idle runner repeats it: 3 s after the last one, with the value of the last answer. The
    /// first one learns the value. Returns whether the queue was read, as it is when the value has grown
    /// old (1 h).
    ///
    /// # Errors
    ///
    /// When the answer is not 204.
    pub fn idle_poll(&mut self) -> Result<bool, LoadError> {
        self.now += SignedDuration::from_secs(3);
        match self.world.request_job(self.now, &self.held, PEER) {
            PollAnswer::NoJob {
                last_update,
                scanned,
            } => {
                if self.held.last_update != *last_update {
                    self.held.last_update = last_update.to_string();
                }
                Ok(scanned)
            }
            other => Err(format!("expected 204, got {}", other.status()).into()),
        }
    }

    /// Appends to a job's log at its end.
    ///
    /// # Errors
    ///
    /// When the patch is refused.
    pub fn patch(&mut self, job: &JobPayload, start: u64, body: &[u8]) -> Result<(), LoadError> {
        let range = protocol::trace::ContentRange {
            first: start,
            length: body.len() as u64,
        };
        let id = job.id.get();
        let token = job.token.as_str();
        self.world
            .patch_trace(
                self.now,
                id,
                Some(token),
                Some(&range.to_string()),
                false,
                body,
                PEER,
            )
            .map_err(|error| format!("patch refused: {error}").into())
            .and_then(|answer| {
                let end = start + body.len() as u64;
                if answer.stored == end {
                    Ok(())
                } else {
                    Err(format!("stored {} bytes, expected {end}", answer.stored).into())
                }
            })
    }

    /// Ends a job well.
    ///
    /// # Errors
    ///
    /// When the update is refused.
    pub fn finish(&mut self, job: &JobPayload) -> Result<(), LoadError> {
        let update = JobUpdate::new(Info::default(), job.token.as_str(), UpdateState::Success);
        match self
            .world
            .update_job(self.now, job.id.get(), (&update).into(), PEER)
        {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("update answered {}", answer.status).into()),
            Err(error) => Err(format!("update refused: {error}").into()),
        }
    }

    /// A poll that must get a job.
    ///
    /// # Errors
    ///
    /// When it gets none.
    pub fn pick(&mut self) -> Result<Box<JobPayload>, LoadError> {
        match self.poll() {
            PollAnswer::Job(job) => Ok(job),
            other => Err(format!("expected a job, got {}", other.status()).into()),
        }
    }
}

/// `length` bytes as jobs write them: lines of different length with colours and words.
pub fn log_text(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 128);
    let mut line = 0_u32;
    while text.len() < length {
        let dots = ".".repeat((line % 23) as usize);
        text.extend_from_slice(
            format!(
                "\x1b[32;1m$ step {line}\x1b[0;m compiling unit {}{dots} ok\n",
                line * 7919
            )
            .as_bytes(),
        );
        line += 1;
    }
    text.truncate(length);
    text
}
