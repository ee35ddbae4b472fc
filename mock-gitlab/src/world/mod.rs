//! The server as a pure state machine.
//!
//! [`World`] holds all state: groups, projects, users, runners, pipelines, jobs, logs, and the queue.
//! Every call takes `now` and returns a typed answer; nothing in here reads a clock, opens a socket or
//! spawns a task. Randomness (tokens) comes from one generator, seeded in [`World::new`], so two worlds
//! with one seed and one sequence of calls are equal.
//!
//! # Layout
//!
//! - [`settings`]: instance-wide settings and feature flags.
//! - [`setup`]: what an administrator or a test puts into the world; [`definition`]: what a job is.
//! - [`answer`]: answers and errors of the runner API as data; [`event`]: what happened.
//! - [`state`]: the records, for reading.
//! - [`request`]: `jobs/request`; [`actions`]: what a user can do with jobs.
//! - `queue`: who may take which job, in which order. `pipeline`: what follows what. `trace`: logs.
//!   `runners`: tokens, machines, registration. [`artifacts`]: uploaded files. `payload`: the job as a
//!   runner gets it. `sweep`: the stuck jobs worker.
//!   `snapshot`: a world as a value. `why_not`: why a runner would not get a job.

pub mod actions;
mod admin;
pub mod answer;
pub mod artifacts;
mod assign;
mod core;
mod deadline;
pub mod definition;
pub mod event;
mod job_changes;
mod payload;
mod pipeline;
mod queue;
pub(crate) mod random;
mod rate_limit;
mod read;
pub mod request;
mod runners;
pub mod settings;
pub mod setup;
mod snapshot;
pub mod state;
mod sweep;
mod text;
mod token_table;
mod trace;
mod transition;
mod update;
mod why_not;

pub use self::core::World;
pub use answer::{
    ActionError, ApiError, Credentials, PollAnswer, RegistrationScope, SetupError, TraceAnswer,
    UpdateAnswer,
};
pub use artifacts::{Artifact, NewArtifact, Upload};
pub use assign::effective_timeout;
pub use definition::JobDefinition;
pub use event::{Event, EventKind};
pub use job_changes::JobChanges;
pub use request::PendingRequest;
pub use runners::{RegisterRunner, RunnerStatus, TickListener};
pub use settings::{Flag, Settings};
pub use setup::{NewGroup, NewJob, NewPipeline, NewPipelineJob, NewProject, NewRunner, NewUser};
pub use snapshot::{SnapshotError, WorldSnapshot};
pub use text::Text;
pub use update::RawUpdate;
pub use why_not::WhyNot;

/// Id of a group.
pub type GroupId = i64;
/// Id of a project.
pub type ProjectId = i64;
/// Id of a user.
pub type UserId = i64;
/// Id of a runner.
pub type RunnerId = i64;
/// Id of a runner manager (one machine of a runner).
pub type ManagerId = i64;
/// Id of a pipeline.
pub type PipelineId = i64;
/// Id of a job. Ids grow in the order of creation and decide the order of picks (queueing.md 4).
pub type JobId = i64;
