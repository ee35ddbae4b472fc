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
//! - [`request`]: `jobs/request`; [`actions`]: what a user can do; [`api`]: the rest of the runner API.

pub mod actions;
pub mod answer;
pub mod api;
mod core;
pub mod definition;
pub mod event;
pub mod read;
pub mod request;
pub mod settings;
pub mod setup;
pub mod state;
mod text;

pub use self::core::World;
pub use answer::{
    ActionError, ApiError, Credentials, PollAnswer, SetupError, TraceAnswer, UpdateAnswer,
};
pub use definition::JobDefinition;
pub use event::{Event, EventKind};
pub use request::PendingRequest;
pub use settings::{Flag, Settings};
pub use setup::{NewGroup, NewJob, NewPipeline, NewPipelineJob, NewProject, NewRunner, NewUser};
pub use text::Text;

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
