//! What a job is: the part of a job that never changes, shared by all jobs made from it.

use std::collections::BTreeMap;

use protocol::job_payload::{Cache, Hook, Image, JobInput, Service, Variable};
use protocol::secrets::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When a job runs (queueing.md 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The previous status is success (by stages: or skipped).
    #[default]
    OnSuccess,
    /// The previous status is failed.
    OnFailure,
    /// Whatever happened, but not after a cancel.
    Always,
    /// Somebody presses play.
    Manual,
    /// After a delay, [`JobDefinition::start_in`].
    Delayed,
}

/// An entry of `needs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Name of the needed job.
    pub job: String,
    /// Whether its artifacts are downloaded.
    #[serde(default = "yes")]
    pub artifacts: bool,
    /// Whether it may be missing from the pipeline.
    #[serde(default)]
    pub optional: bool,
}

fn yes() -> bool {
    true
}

/// `retry` of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// 0, 1 or 2.
    pub max: u8,
    /// Failure reasons; empty means `always`.
    pub when: Vec<String>,
    /// Exit codes.
    pub exit_codes: Vec<i32>,
}

/// An archive or report that a job leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArtifactsDefinition {
    /// Name of the archive, without suffix.
    pub name: Option<String>,
    /// Also files that git does not know.
    pub untracked: bool,
    /// Paths and globs of the archive.
    pub paths: Vec<String>,
    /// Globs to leave out.
    pub exclude: Vec<String>,
    /// `on_success`, `on_failure`, `always`; `None` = not set.
    pub when: Option<String>,
    /// Free text such as `7 days`; `None` = not set.
    pub expire_in: Option<String>,
    /// Reports: type to paths.
    pub reports: BTreeMap<String, Vec<String>>,
}

/// The part of a job that never changes. Many jobs share one definition through an `Arc`.
///
/// Member names are those of `.gitlab-ci.yml` where there is one, values already in their long form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobDefinition {
    /// Name, unique in a pipeline.
    pub name: String,
    /// Stage; must be one of the pipeline's stages.
    pub stage: String,
    /// Tags; at most 50.
    pub tags: Vec<String>,
    /// When it runs.
    pub when: When,
    /// Delay of a `delayed` job, s.
    pub start_in: i64,
    /// A failure does not fail the pipeline; an unplayed manual job does not block it.
    pub allow_failure: bool,
    /// Exit codes with which it may fail (WIRE-UPD-15).
    pub allow_failure_exit_codes: Vec<i32>,
    /// Needed jobs; `None` = by stages.
    pub needs: Option<Vec<Need>>,
    /// Jobs whose artifacts are downloaded; `None` = default (queueing.md 11).
    pub dependencies: Option<Vec<String>>,
    /// Automatic retries.
    pub retry: Retry,
    /// Resource group.
    pub resource_group: Option<String>,
    /// Timeout, s; `None` = the project's.
    pub timeout: Option<i64>,
    /// May be cancelled when the pipeline becomes redundant.
    pub interruptible: bool,
    /// Features that a runner must have, beside those that follow from the rest (queueing.md 6).
    pub requires: Vec<String>,
    /// `before_script`.
    pub before_script: Vec<String>,
    /// `script`.
    pub script: Vec<String>,
    /// `after_script`.
    pub after_script: Vec<String>,
    /// `release` commands: a step of its own.
    pub release: Vec<String>,
    /// Hooks, by name.
    pub hooks: Vec<Hook>,
    /// Variables of the job.
    pub variables: Vec<Variable>,
    /// Image.
    pub image: Option<Image>,
    /// Services.
    pub services: Vec<Service>,
    /// Artifacts.
    pub artifacts: Option<ArtifactsDefinition>,
    /// Caches.
    pub cache: Vec<Cache>,
    /// Secrets by variable name.
    pub secrets: BTreeMap<String, Secret>,
    /// Job inputs.
    pub inputs: Vec<JobInput>,
    /// Steps of a `run:` job: JSON array as text.
    pub run: Option<String>,
    /// Members that replace those of the finished payload, for payloads that no GitLab would send.
    /// `null` removes nothing; it is sent as `null`.
    pub payload_overrides: BTreeMap<String, Value>,
}

impl JobDefinition {
    /// Adds a variable that anybody may see.
    pub fn add_public_variable(&mut self, key: &str, value: &str) {
        self.variables.push(Variable {
            key: key.into(),
            value: value.into(),
            public: true.into(),
            ..Variable::default()
        });
    }
}

impl Default for JobDefinition {
    fn default() -> Self {
        JobDefinition {
            name: "test".to_owned(),
            stage: "test".to_owned(),
            tags: Vec::new(),
            when: When::OnSuccess,
            start_in: 0,
            allow_failure: false,
            allow_failure_exit_codes: Vec::new(),
            needs: None,
            dependencies: None,
            retry: Retry::default(),
            resource_group: None,
            timeout: None,
            interruptible: false,
            requires: Vec::new(),
            before_script: Vec::new(),
            script: vec!["true".to_owned()],
            after_script: Vec::new(),
            release: Vec::new(),
            hooks: Vec::new(),
            variables: Vec::new(),
            image: None,
            services: Vec::new(),
            artifacts: None,
            cache: Vec::new(),
            secrets: BTreeMap::new(),
            inputs: Vec::new(),
            run: None,
            payload_overrides: BTreeMap::new(),
        }
    }
}
