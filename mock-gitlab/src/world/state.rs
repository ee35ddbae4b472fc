//! The records of the world, for reading. Only the world changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use protocol::job_payload::Variable;
use protocol::job_request::Session;
use protocol::{Features, JobStatus};
use serde::{Deserialize, Serialize};

use super::definition::JobDefinition;
use super::text::{self, Text};
use super::{GroupId, JobId, ManagerId, PipelineId, ProjectId, RunnerId, UserId};

/// Type of a runner.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RunnerType {
    /// Serves every project that allows instance runners, in the fair order.
    #[default]
    InstanceType,
    /// Serves the projects below one group.
    GroupType,
    /// Serves the projects it is assigned to.
    ProjectType,
}

impl RunnerType {
    /// GitLab's name.
    pub fn as_str(self) -> &'static str {
        match self {
            RunnerType::InstanceType => "instance_type",
            RunnerType::GroupType => "group_type",
            RunnerType::ProjectType => "project_type",
        }
    }
}

/// Which jobs a runner may take by the protection of their ref.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLevel {
    /// Protected and unprotected jobs.
    #[default]
    NotProtected,
    /// Protected jobs only.
    RefProtected,
}

impl AccessLevel {
    /// GitLab's name.
    pub fn as_str(self) -> &'static str {
        match self {
            AccessLevel::NotProtected => "not_protected",
            AccessLevel::RefProtected => "ref_protected",
        }
    }
}

/// In which order the jobs of a resource group are served (queueing.md 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessMode {
    /// Any waiting job; here the lowest id.
    #[default]
    Unordered,
    /// The job of the oldest pipeline, even if it is not waiting yet.
    OldestFirst,
    /// The job of the newest pipeline, even if it is not waiting yet.
    NewestFirst,
    /// The waiting job of the newest pipeline.
    NewestReadyFirst,
}

/// What becomes of a redundant pipeline (queueing.md 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoCancel {
    /// Cancel it unless a job that is not interruptible has started.
    #[default]
    Conservative,
    /// Cancel its interruptible jobs.
    Interruptible,
    /// Nothing.
    None,
}

/// Where the effective timeout comes from (queueing.md 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutSource {
    /// The project.
    Project,
    /// The runner's `maximum_timeout`.
    Runner,
    /// The job's own `timeout`.
    Job,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Id.
    pub id: GroupId,
    /// Path segment.
    pub path: String,
    /// Path with all ancestors.
    pub full_path: String,
    /// Ancestors from the root down to and including this group.
    #[serde(with = "text::shared")]
    pub traversal_ids: Arc<Vec<GroupId>>,
    /// Registration token.
    pub registration_token: Text,
    /// Variables.
    pub variables: Vec<Variable>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Id.
    pub id: ProjectId,
    /// Path segment.
    pub path: String,
    /// Path with groups.
    pub full_path: String,
    /// Group; `None` = the namespace of user `root`.
    pub group: Option<GroupId>,
    /// Instance runners may take its jobs.
    pub instance_runners: bool,
    /// Group runners may take its jobs.
    pub group_runners: bool,
    /// CI is enabled.
    pub builds: bool,
    /// Deletion was asked for.
    pub pending_delete: bool,
    /// Timeout, s.
    pub timeout: i64,
    /// Default branch.
    pub default_branch: String,
    /// Protected branches and tags; a trailing `*` is a wild card.
    pub protected_refs: Vec<String>,
    /// Default of `allow_git_fetch`.
    pub allow_git_fetch: bool,
    /// Default depth of fetches.
    pub git_depth: i64,
    /// Registration token.
    pub registration_token: Text,
    /// Variables.
    pub variables: Vec<Variable>,
    /// Modes of resource groups.
    pub resource_group_modes: BTreeMap<String, ProcessMode>,
    /// What becomes of redundant pipelines; `None` = setting off.
    pub auto_cancel: Option<AutoCancel>,
    /// Projects whose job tokens may read this project's artifacts.
    pub job_token_allow_list: Vec<ProjectId>,
    /// Pipelines made so far; the next one's `iid` is one more.
    pub pipelines: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Login.
    pub username: String,
    /// Display name.
    pub name: String,
    /// May do everything.
    pub admin: bool,
    /// Jobs of a blocked user are dropped.
    pub blocked: bool,
}

/// A runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// Id.
    pub id: RunnerId,
    /// Type.
    pub runner_type: RunnerType,
    /// The group of a group runner.
    pub group: Option<GroupId>,
    /// The projects of a project runner, ascending.
    pub projects: Vec<ProjectId>,
    /// Authentication token.
    pub token: Text,
    /// When the token ends to be valid.
    pub token_expires_at: Option<Timestamp>,
    /// Shown in GitLab.
    pub description: String,
    /// Free text.
    pub maintenance_note: String,
    /// Takes no jobs.
    pub paused: bool,
    /// Cannot be assigned to further projects.
    pub locked: bool,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Tags, sorted.
    pub tags: Vec<Text>,
    /// Which jobs by protection.
    pub access_level: AccessLevel,
    /// Most job timeout, s.
    pub maximum_timeout: Option<i64>,
    /// Last heartbeat.
    pub contacted_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Machines, by `system_id`.
    pub managers: BTreeMap<Text, Manager>,
}

/// One machine of a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    /// Id.
    pub id: ManagerId,
    /// `system_id`; `<legacy>` for runners that send none.
    pub system_id: Text,
    /// Last heartbeat.
    pub contacted_at: Timestamp,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// Name, version and so on, as last stored.
    pub version: String,
    /// Revision.
    pub revision: String,
    /// Operating system.
    pub platform: String,
    /// Architecture.
    pub architecture: String,
    /// Executor.
    pub executor: String,
    /// `config.gpus`; nothing else of `config` is stored (WIRE-REQ-06).
    pub gpus: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Features.
    pub features: Features,
    /// Address of the machine.
    pub ip_address: String,
    /// When details were last stored; they are again 40-55 min later.
    pub details_stored_until: Timestamp,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Id.
    pub id: PipelineId,
    /// Number within the project.
    pub iid: i64,
    /// Project.
    pub project: ProjectId,
    /// Branch or tag.
    #[serde(rename = "ref")]
    pub ref_: String,
    /// Whether `ref_` is a tag.
    pub tag: bool,
    /// Commit.
    pub sha: String,
    /// Commit before.
    pub before_sha: String,
    /// Whether the ref is protected.
    pub protected: bool,
    /// Source.
    pub source: String,
    /// User.
    pub user: UserId,
    /// Variables.
    pub variables: Vec<Variable>,
    /// Stages in order.
    pub stages: Vec<String>,
    /// All jobs, also retried ones, ascending.
    pub jobs: Vec<JobId>,
    /// State.
    pub status: JobStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When its first job started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// Project.
    pub project: ProjectId,
    /// Pipeline; `None` for a job that stands alone.
    pub pipeline: Option<PipelineId>,
    /// What it is.
    #[serde(with = "text::shared")]
    pub definition: Arc<JobDefinition>,
    /// Index of its stage.
    pub stage_index: u32,
    /// State.
    pub status: JobStatus,
    /// Whether its ref is protected.
    pub protected: bool,
    /// A newer attempt took its place.
    pub retried: bool,
    /// Earlier attempts of this job in its pipeline, automatic and manual ones.
    pub attempts_before: u32,
    /// Whether a failure is allowed; starts as defined, changes by exit code (WIRE-UPD-15).
    pub allow_failure: bool,
    /// User.
    pub user: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it became pending.
    pub queued_at: Option<Timestamp>,
    /// When a `delayed` job becomes pending.
    pub scheduled_at: Option<Timestamp>,
    /// Last change or touch.
    pub updated_at: Timestamp,
    /// What is known since a runner took it; `None` before.
    pub run: Option<Box<JobRun>>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_reason: Option<Text>,
    /// Exit code that the runner sent.
    pub exit_code: Option<i32>,
    /// When the log and artifacts were erased.
    pub erased_at: Option<Timestamp>,
}

/// What is known of a job since a runner took it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRun {
    /// Runner.
    pub runner: RunnerId,
    /// `system_id` of the machine.
    pub system_id: Text,
    /// Job token.
    pub token: Text,
    /// When it became running; `None` while two-phase assignment waits for the runner.
    pub started_at: Option<Timestamp>,
    /// Effective timeout, s.
    pub timeout: i64,
    /// Where the timeout comes from.
    pub timeout_source: TimeoutSource,
    /// The runner announced `cancel_gracefully`.
    pub cancel_gracefully: bool,
    /// Web terminal.
    pub session: Option<Session>,
    /// Two-phase assignment: until when the runner must acknowledge.
    pub acknowledge_until: Option<Timestamp>,
}

impl Job {
    /// Runner that has or had the job.
    pub fn runner(&self) -> Option<RunnerId> {
        self.run.as_ref().map(|run| run.runner)
    }

    /// When it became running.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.run.as_ref().and_then(|run| run.started_at)
    }

    /// Job token, once a runner took it.
    pub fn token(&self) -> Option<&str> {
        self.run.as_ref().map(|run| &*run.token)
    }
}
