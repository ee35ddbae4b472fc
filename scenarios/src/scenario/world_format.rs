//! The world of a scenario: groups, projects, runners, jobs and pipelines as the server knows them.
//!
//! Names are the file's own; the server gives ids to all but jobs, whose ids are the keys, because the
//! queue goes by them.

use std::collections::BTreeMap;

use mock_gitlab::world::Settings;
use serde::Deserialize;

use super::time::Time;

/// The server at the beginning.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldFormat {
    /// Settings of the instance, by GitLab's names.
    pub settings: Settings,
    /// Groups: name to parent.
    pub groups: BTreeMap<String, Option<String>>,
    /// Projects by name.
    pub projects: BTreeMap<String, ProjectFormat>,
    /// Runners that are registered on the server, by name.
    pub runners: BTreeMap<String, ServerRunnerFormat>,
    /// Jobs that are pending at the beginning, by id.
    pub jobs: BTreeMap<i64, JobFormat>,
    /// Pipelines by id; their jobs start `created`.
    pub pipelines: BTreeMap<i64, PipelineFormat>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectFormat {
    /// Name of its group.
    pub group: Option<String>,
    /// Instance runners may take its jobs.
    pub instance_runners: bool,
    /// Group runners may take its jobs.
    pub group_runners: bool,
    /// Timeout of its jobs.
    pub timeout: Option<Time>,
}

impl Default for ProjectFormat {
    fn default() -> Self {
        ProjectFormat {
            group: None,
            instance_runners: true,
            group_runners: true,
            timeout: None,
        }
    }
}

/// A runner as the server knows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerRunnerFormat {
    /// `instance`, `group` or `project`.
    #[serde(rename = "type")]
    pub kind: RunnerKind,
    /// Group of a group runner.
    pub group: Option<String>,
    /// Projects of a project runner.
    pub projects: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Takes protected jobs only.
    pub protected: bool,
    /// Takes no jobs.
    pub paused: bool,
}

impl Default for ServerRunnerFormat {
    fn default() -> Self {
        ServerRunnerFormat {
            kind: RunnerKind::Instance,
            group: None,
            projects: Vec::new(),
            tags: Vec::new(),
            run_untagged: true,
            protected: false,
            paused: false,
        }
    }
}

/// Type of a runner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunnerKind {
    /// All projects that allow it.
    #[default]
    Instance,
    /// The projects below one group.
    Group,
    /// Its own projects.
    Project,
}

/// A job. What it does is either told in a way that both clocks can play (`output`, `takes`, `exit`,
/// `held`), or a real `script`, which needs real time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFormat {
    /// Name of its project; may be left out where there is one only, and in pipelines.
    pub project: Option<String>,
    /// Name of the job.
    pub name: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether its ref is protected.
    pub protected: bool,
    /// Lines that it prints, one per [`JobFormat::every`], all at once when that is 0.
    pub output: Vec<String>,
    /// Time between two lines of output.
    pub every: Time,
    /// How long it lasts after its output.
    pub takes: Time,
    /// Exit code.
    pub exit: i32,
    /// It lasts until the timeline says `finish`.
    pub held: bool,
    /// Lines of its `after_script`.
    pub after: Vec<String>,
    /// A stubborn job: it goes on this long after it was told to stop.
    pub ignores_stop: Option<Time>,
    /// Real commands instead of all above.
    pub script: Option<Vec<String>>,
    /// Real commands of its `after_script`.
    pub after_script: Vec<String>,
    /// Variables.
    pub variables: BTreeMap<String, String>,
    /// Stage, in pipelines.
    pub stage: Option<String>,
    /// Names of needed jobs, in pipelines.
    pub needs: Option<Vec<String>>,
    /// `on_success`, `on_failure`, `always`, `manual`, in pipelines.
    pub when: mock_gitlab::world::definition::When,
    /// A failure does not fail the pipeline.
    pub allow_failure: bool,
    /// How many times it is retried by itself.
    pub retry: u8,
    /// Timeout.
    pub timeout: Option<Time>,
    /// Files that it leaves, as the server keeps them.
    pub artifacts: Option<mock_gitlab::world::definition::ArtifactsDefinition>,
    /// Members that replace those of the payload that the runner gets.
    pub payload: BTreeMap<String, serde_json::Value>,
}

/// A pipeline.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineFormat {
    /// Name of its project; may be left out where there is one only.
    pub project: Option<String>,
    /// Stages in order.
    pub stages: Vec<String>,
    /// Jobs by id.
    pub jobs: BTreeMap<i64, JobFormat>,
}
