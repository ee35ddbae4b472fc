use std::collections::BTreeMap;

use serde::Deserialize;

use crate::http::Limits;
use crate::world::state::AccessLevel;
use crate::world::{JobDefinition, Settings};

/// A seed file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// Settings of the instance.
    pub settings: Settings,
    /// Limits of request bodies.
    pub limits: Limits,
    /// Registration token of the instance; made up when absent.
    pub registration_token: Option<String>,
    /// Projects by full path; groups are made where they are missing.
    pub projects: BTreeMap<String, ProjectSeed>,
    /// Runners by description.
    pub runners: BTreeMap<String, RunnerSeed>,
    /// Pipelines, in the order in which they are made.
    pub pipelines: Vec<PipelineSeed>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectSeed {
    /// Files of the repository, by path; without any there is no repository.
    pub files: BTreeMap<String, String>,
    /// Instance runners may take its jobs.
    pub instance_runners: bool,
    /// Group runners may take its jobs.
    pub group_runners: bool,
    /// Timeout of its jobs, s.
    pub timeout: Option<i64>,
}

impl Default for ProjectSeed {
    fn default() -> Self {
        ProjectSeed {
            files: BTreeMap::new(),
            instance_runners: true,
            group_runners: true,
            timeout: None,
        }
    }
}

/// A runner: for the instance, unless it names projects.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunnerSeed {
    /// Authentication token; made up when absent.
    pub token: Option<String>,
    /// Projects of a project runner, by full path.
    pub projects: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Takes no jobs.
    pub paused: bool,
    /// `not_protected` or `ref_protected`.
    pub access_level: AccessLevel,
    /// Most job timeout, s.
    pub maximum_timeout: Option<i64>,
}

impl Default for RunnerSeed {
    fn default() -> Self {
        RunnerSeed {
            token: None,
            projects: Vec::new(),
            tags: Vec::new(),
            run_untagged: true,
            paused: false,
            access_level: AccessLevel::NotProtected,
            maximum_timeout: None,
        }
    }
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSeed {
    /// Full path of its project.
    pub project: String,
    /// Stages in order; absent: `.pre`, `build`, `test`, `deploy`, `.post`.
    #[serde(default)]
    pub stages: Vec<String>,
    /// Jobs in order.
    pub jobs: Vec<JobDefinition>,
}

/// A pipeline as `POST /projects/:id/pipeline` takes it in its parameter `definition`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineDefinition {
    /// Stages in order; absent: `.pre`, `build`, `test`, `deploy`, `.post`.
    #[serde(default)]
    pub stages: Vec<String>,
    /// Jobs in order.
    pub jobs: Vec<JobDefinition>,
}
