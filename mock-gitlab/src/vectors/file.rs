//! The file: defaults, and vectors that differ from them.

use std::collections::BTreeMap;

use protocol::JobStatus;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::step::{self, Step};
use crate::world::JobId;
use crate::world::definition::When;
use crate::world::settings::Flag;
use crate::world::state::{ProcessMode, TimeoutSource};

/// Why a vector file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// No YAML of the expected shape.
    #[error("the vector file is not valid: {0}")]
    File(String),
    /// One vector is wrong.
    #[error("vector {vector}: {what}: {why}")]
    Vector {
        /// Id of the vector.
        vector: String,
        /// Where in it.
        what: String,
        /// What is wrong.
        why: String,
    },
}

/// All vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorFile {
    /// In file order.
    pub vectors: Vec<Vector>,
}

/// One vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// Id such as `V07-tag-subset`.
    pub id: String,
    /// Group to parent.
    pub groups: BTreeMap<String, Option<String>>,
    /// Projects by name.
    pub projects: BTreeMap<String, VectorProject>,
    /// Runners by name.
    pub runners: BTreeMap<String, VectorRunner>,
    /// Jobs outside of pipelines.
    pub jobs: BTreeMap<JobId, VectorJob>,
    /// Pipelines by id.
    pub pipelines: BTreeMap<i64, VectorPipeline>,
    /// Mode of all resource groups.
    pub mode: Option<ProcessMode>,
    /// Feature flags that are on.
    pub flags: Vec<Flag>,
    /// What happens.
    pub steps: Vec<Step>,
    /// V34 only: a table instead of steps.
    pub timeouts: Vec<TimeoutCase>,
}

impl Vector {
    /// The check that this vector is: `QUE-` and the id up to the first word, as in `QUE-V07` or
    /// `QUE-DOC-1`.
    pub fn check_id(&self) -> String {
        let mut parts = self.id.splitn(3, '-');
        match (parts.next(), parts.next()) {
            (Some("DOC"), Some(number)) => format!("QUE-DOC-{number}"),
            (Some(first), _) => format!("QUE-{first}"),
            (None, _) => String::new(),
        }
    }
}

/// A project of a vector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorProject {
    /// Group.
    pub group: Option<String>,
    /// Instance runners allowed.
    pub instance_runners: bool,
    /// Group runners allowed.
    pub group_runners: bool,
    /// CI enabled.
    pub builds: bool,
    /// Timeout, s.
    pub timeout: i64,
}

/// A runner of a vector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorRunner {
    /// `instance`, `group` or `project`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Not paused.
    pub active: bool,
    /// Takes untagged jobs.
    pub run_untagged: bool,
    /// Tags.
    pub tags: Vec<String>,
    /// Takes protected jobs only.
    pub protected: bool,
    /// Locked.
    pub locked: bool,
    /// Group of a group runner.
    pub groups: Vec<String>,
    /// Projects of a project runner.
    pub projects: Vec<String>,
    /// Features that it announces.
    pub features: Vec<String>,
    /// `maximum_timeout`, s.
    pub max_timeout: Option<i64>,
}

/// A job of a vector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorJob {
    /// Project; `None` inside a pipeline.
    #[serde(default)]
    pub p: Option<String>,
    /// Name; `None` outside of a pipeline.
    #[serde(default)]
    pub name: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Protected ref.
    pub protected: bool,
    /// Required features.
    pub requires: Vec<String>,
    /// First state, outside of pipelines.
    pub status: JobStatus,
    /// Stage number.
    pub stage: u32,
    /// Needed jobs by name.
    pub needs: Option<Vec<String>>,
    /// When it runs.
    pub when: When,
    /// Whether it may fail.
    pub allow_failure: bool,
    /// Automatic retries.
    pub retry: u8,
    /// Resource group.
    pub rg: Option<String>,
    /// Timeout, s.
    pub timeout: Option<i64>,
    /// The runner announces `cancel_gracefully`.
    pub graceful: bool,
    /// Delay, s.
    #[serde(default)]
    pub start_in: i64,
}

/// A pipeline of a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorPipeline {
    /// Project.
    pub p: String,
    /// Jobs by id.
    pub jobs: BTreeMap<JobId, VectorJob>,
}

/// A row of V34.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeoutCase {
    /// Project timeout, s.
    pub project: i64,
    /// Job timeout, s.
    pub job: Option<i64>,
    /// Runner maximum, s.
    pub runner: Option<i64>,
    /// Effective timeout, s.
    pub effective: i64,
    /// Where it comes from.
    pub source: TimeoutSource,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    defaults: Defaults,
    vectors: Vec<RawVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    projects: Map<String, Value>,
    runners: Map<String, Value>,
    project: Map<String, Value>,
    runner: Map<String, Value>,
    job: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVector {
    id: String,
    #[serde(default)]
    groups: BTreeMap<String, Option<String>>,
    projects: Option<Map<String, Value>>,
    runners: Option<Map<String, Value>>,
    #[serde(default)]
    jobs: Map<String, Value>,
    job_range: Option<JobRange>,
    #[serde(default)]
    pipelines: BTreeMap<i64, RawPipeline>,
    mode: Option<ProcessMode>,
    #[serde(default)]
    flags: Vec<Flag>,
    #[serde(default)]
    steps: Vec<Map<String, Value>>,
    #[serde(default)]
    timeouts: Vec<TimeoutCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobRange {
    from: JobId,
    to: JobId,
    job: Value,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPipeline {
    p: String,
    jobs: Map<String, Value>,
}

impl VectorFile {
    /// Reads the YAML document.
    pub fn parse(yaml: &str) -> Result<VectorFile, VectorError> {
        // Strict booleans: a job may be called `n`.
        let options = serde_saphyr::options! { strict_booleans: true };
        let raw: RawFile = serde_saphyr::from_str_with_options(yaml, options)
            .map_err(|error| VectorError::File(error.to_string()))?;
        let defaults = raw.defaults;
        let vectors = raw
            .vectors
            .into_iter()
            .map(|vector| decode(&defaults, vector))
            .collect::<Result<_, _>>()?;
        Ok(VectorFile { vectors })
    }

    /// The vector whose id is `id`, or starts with `id` and a dash (`V07`).
    pub fn find(&self, id: &str) -> Option<&Vector> {
        self.vectors.iter().find(|vector| {
            vector
                .id
                .strip_prefix(id)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}

/// Decoding of one vector: knows its id for errors.
pub(super) struct Decoder<'a> {
    id: &'a str,
    job_defaults: &'a Map<String, Value>,
}

impl Decoder<'_> {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "errors are made and handed over in one go"
    )]
    pub(super) fn error(&self, what: &str, why: impl ToString) -> VectorError {
        VectorError::Vector {
            vector: self.id.to_owned(),
            what: what.to_owned(),
            why: why.to_string(),
        }
    }

    pub(super) fn read<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        value: Value,
    ) -> Result<T, VectorError> {
        serde_json::from_value(value).map_err(|error| self.error(what, error))
    }

    fn overlay<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        defaults: &Map<String, Value>,
        own: Value,
    ) -> Result<T, VectorError> {
        let mut all = defaults.clone();
        match own {
            Value::Object(own) => all.extend(own),
            Value::Null => {}
            other => return Err(self.error(what, format!("expected a mapping, found {other}"))),
        }
        self.read(what, Value::Object(all))
    }

    /// A job is a mapping, or just the name of its project.
    fn job(&self, what: &str, own: Value) -> Result<VectorJob, VectorError> {
        let own = match own {
            Value::String(project) => serde_json::json!({ "p": project }),
            other => other,
        };
        self.overlay(what, self.job_defaults, own)
    }

    pub(super) fn jobs(
        &self,
        what: &str,
        jobs: Map<String, Value>,
    ) -> Result<BTreeMap<JobId, VectorJob>, VectorError> {
        let mut decoded = BTreeMap::new();
        for (id, own) in jobs {
            let what = format!("{what}.{id}");
            let id = id
                .parse()
                .map_err(|_| self.error(&what, "a job id must be an integer"))?;
            decoded.insert(id, self.job(&what, own)?);
        }
        Ok(decoded)
    }
}

fn decode(defaults: &Defaults, raw: RawVector) -> Result<Vector, VectorError> {
    let decoder = Decoder {
        id: &raw.id,
        job_defaults: &defaults.job,
    };
    let mut projects = BTreeMap::new();
    for (name, own) in raw.projects.unwrap_or_else(|| defaults.projects.clone()) {
        let project = decoder.overlay(&format!("projects.{name}"), &defaults.project, own)?;
        projects.insert(name, project);
    }
    let mut runners = BTreeMap::new();
    for (name, own) in raw.runners.unwrap_or_else(|| defaults.runners.clone()) {
        let runner = decoder.overlay(&format!("runners.{name}"), &defaults.runner, own)?;
        runners.insert(name, runner);
    }
    let mut jobs = decoder.jobs("jobs", raw.jobs)?;
    if let Some(range) = raw.job_range {
        let job = decoder.job("job_range.job", range.job)?;
        jobs.extend((range.from..=range.to).map(|id| (id, job.clone())));
    }
    let mut pipelines = BTreeMap::new();
    for (id, pipeline) in raw.pipelines {
        let jobs = decoder.jobs(&format!("pipelines.{id}.jobs"), pipeline.jobs)?;
        pipelines.insert(
            id,
            VectorPipeline {
                p: pipeline.p,
                jobs,
            },
        );
    }
    let steps = raw
        .steps
        .into_iter()
        .enumerate()
        .map(|(index, step)| step::decode(&decoder, index, &step))
        .collect::<Result<_, _>>()?;
    Ok(Vector {
        groups: raw.groups,
        projects,
        runners,
        jobs,
        pipelines,
        mode: raw.mode,
        flags: raw.flags,
        steps,
        timeouts: raw.timeouts,
        id: raw.id,
    })
}
