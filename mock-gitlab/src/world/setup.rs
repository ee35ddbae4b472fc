//! What an administrator or a test puts into the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::JobStatus;
use protocol::job_payload::Variable;
use serde::{Deserialize, Serialize};

use super::definition::JobDefinition;
use super::state::{AccessLevel, AutoCancel, ProcessMode, RunnerType};
use super::{GroupId, JobId, PipelineId, ProjectId, RunnerId, UserId};

/// A group. Ids are taken from a counter when `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewGroup {
    /// Id.
    pub id: Option<GroupId>,
    /// Path segment, such as `tools`.
    pub path: String,
    /// Parent group.
    pub parent: Option<GroupId>,
    /// Registration token; made up when `None`.
    pub registration_token: Option<String>,
    /// Variables of the group.
    pub variables: Vec<Variable>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewProject {
    /// Id.
    pub id: Option<ProjectId>,
    /// Path segment, such as `demo`.
    pub path: String,
    /// Group; `None` = a user namespace `root`.
    pub group: Option<GroupId>,
    /// Instance runners may take its jobs (`shared_runners_enabled`).
    pub instance_runners: bool,
    /// Group runners may take its jobs.
    pub group_runners: bool,
    /// CI is enabled.
    pub builds: bool,
    /// Timeout, s; `None` = the instance default.
    pub timeout: Option<i64>,
    /// Default branch.
    pub default_branch: String,
    /// Protected branches and tags; a trailing `*` is a wild card.
    pub protected_refs: Vec<String>,
    /// Default of `allow_git_fetch`.
    pub allow_git_fetch: bool,
    /// Default depth of fetches; `None` = 20, as a new project has.
    pub git_depth: Option<i64>,
    /// Registration token; made up when `None`.
    pub registration_token: Option<String>,
    /// Variables of the project.
    pub variables: Vec<Variable>,
    /// Order in which resource groups are served; by group name, `""` = every other.
    pub resource_group_modes: BTreeMap<String, ProcessMode>,
    /// What becomes of redundant pipelines; `None` = nothing (project setting off).
    pub auto_cancel: Option<AutoCancel>,
    /// Projects whose job tokens may read this project's artifacts, beside its own.
    pub job_token_allow_list: Vec<ProjectId>,
}

impl Default for NewProject {
    fn default() -> Self {
        NewProject {
            id: None,
            path: "demo".to_owned(),
            group: None,
            instance_runners: true,
            group_runners: true,
            builds: true,
            timeout: None,
            default_branch: "main".to_owned(),
            protected_refs: vec!["main".to_owned()],
            allow_git_fetch: true,
            git_depth: None,
            registration_token: None,
            variables: Vec::new(),
            resource_group_modes: BTreeMap::new(),
            auto_cancel: None,
            job_token_allow_list: Vec::new(),
        }
    }
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewUser {
    /// Id.
    pub id: Option<UserId>,
    /// Login.
    pub username: String,
    /// Display name; the login when empty.
    pub name: String,
    /// May do everything.
    pub admin: bool,
    /// Jobs of a blocked user are dropped (`user_blocked`).
    pub blocked: bool,
}

/// A runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRunner {
    /// Id.
    pub id: Option<RunnerId>,
    /// Type.
    pub runner_type: RunnerType,
    /// The group of a group runner.
    pub group: Option<GroupId>,
    /// The projects of a project runner.
    pub projects: Vec<ProjectId>,
    /// Authentication token; made up (`glrt-…`) when `None`.
    pub token: Option<String>,
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
    /// Tags; at most 50.
    pub tags: Vec<String>,
    /// Only protected jobs, or all.
    pub access_level: AccessLevel,
    /// Most job timeout, s; at least 600.
    pub maximum_timeout: Option<i64>,
}

impl Default for NewRunner {
    fn default() -> Self {
        NewRunner {
            id: None,
            runner_type: RunnerType::InstanceType,
            group: None,
            projects: Vec::new(),
            token: None,
            description: String::new(),
            maintenance_note: String::new(),
            paused: false,
            locked: false,
            run_untagged: true,
            tags: Vec::new(),
            access_level: AccessLevel::NotProtected,
            maximum_timeout: None,
        }
    }
}

/// A job outside of any pipeline's progression, at once in the state `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Id; must be free.
    pub id: Option<JobId>,
    /// Project.
    pub project: ProjectId,
    /// What the job is.
    pub definition: Arc<JobDefinition>,
    /// Whether its ref is protected.
    pub protected: bool,
    /// First state: `pending`, `created`, `manual` or `scheduled`.
    pub status: JobStatus,
    /// User; `None` = the first one.
    pub user: Option<UserId>,
}

impl NewJob {
    /// A pending, unprotected job.
    pub fn pending(project: ProjectId, definition: Arc<JobDefinition>) -> NewJob {
        NewJob {
            id: None,
            project,
            definition,
            protected: false,
            status: JobStatus::Pending,
            user: None,
        }
    }
}

/// A pipeline; its jobs start `created` and are processed once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewPipeline {
    /// Id.
    pub id: Option<PipelineId>,
    /// Project.
    pub project: ProjectId,
    /// Branch or tag; empty = the default branch.
    pub ref_: String,
    /// Whether `ref_` is a tag.
    pub tag: bool,
    /// Commit; empty = made up from the pipeline id.
    pub sha: String,
    /// Commit before; empty = zeros.
    pub before_sha: String,
    /// Whether the ref is protected; `None` = by the project's protected refs.
    pub protected: Option<bool>,
    /// Source such as `push`, `schedule`, `api`; empty = `push`.
    pub source: String,
    /// User; `None` = the first one.
    pub user: Option<UserId>,
    /// Variables of the pipeline.
    pub variables: Vec<Variable>,
    /// Stages in order; empty = `.pre`, `build`, `test`, `deploy`, `.post`.
    pub stages: Vec<String>,
    /// Jobs in order.
    pub jobs: Vec<NewPipelineJob>,
}

/// A job of a new pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPipelineJob {
    /// Id; must be free.
    pub id: Option<JobId>,
    /// What the job is.
    pub definition: Arc<JobDefinition>,
}

/// Changes to a runner; `None` leaves a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunnerChange {
    /// Shown in GitLab.
    pub description: Option<String>,
    /// Free text.
    pub maintenance_note: Option<String>,
    /// Takes no jobs.
    pub paused: Option<bool>,
    /// Cannot be assigned to further projects.
    pub locked: Option<bool>,
    /// Takes jobs without tags.
    pub run_untagged: Option<bool>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Only protected jobs, or all.
    pub access_level: Option<AccessLevel>,
    /// Most job timeout, s; `Some(0)` removes it.
    pub maximum_timeout: Option<i64>,
    /// The projects of a project runner.
    pub projects: Option<Vec<ProjectId>>,
}

/// Changes to a project; `None` leaves a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectChange {
    /// Instance runners may take its jobs.
    pub instance_runners: Option<bool>,
    /// Group runners may take its jobs.
    pub group_runners: Option<bool>,
    /// CI is enabled.
    pub builds: Option<bool>,
    /// Deletion was asked for.
    pub pending_delete: Option<bool>,
    /// Timeout, s.
    pub timeout: Option<i64>,
    /// New group: moves the project.
    pub group: Option<GroupId>,
    /// What becomes of redundant pipelines; `Some(None)` = nothing.
    pub auto_cancel: Option<Option<AutoCancel>>,
    /// Protected branches and tags.
    pub protected_refs: Option<Vec<String>>,
}
