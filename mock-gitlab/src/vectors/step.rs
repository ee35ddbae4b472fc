//! Steps of a vector.

use std::collections::BTreeMap;

use protocol::JobStatus;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::file::{Decoder, VectorError, VectorJob};
use crate::world::JobId;
use crate::world::actions::Sweep;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One or more consecutive polls of one runner.
    Poll(PollStep),
    /// Polls that computed their order before any of them assigned, then walk one after another inside
    /// the lease of 3 s, which has lapsed by the next step.
    Race(Vec<RaceEntry>),
    /// The runner ends a job.
    Finish {
        /// Job.
        job: JobId,
        /// Fails with `script_failure`.
        failed: bool,
        /// Id of the automatic retry.
        new_id: Option<JobId>,
    },
    /// A user cancels a job.
    Cancel(JobId),
    /// A user plays a job.
    Play(JobId),
    /// The runner acknowledges a two-phase assignment (`PUT state=running`).
    Ack(JobId),
    /// Time passes, s.
    Advance(i64),
    /// The stuck jobs worker runs.
    Sweep {
        /// Which sweep.
        sweep: Sweep,
        /// Id of the automatic retry.
        new_id: Option<JobId>,
    },
    /// Settings of a runner or a project change.
    Set {
        /// Name of the runner.
        runner: Option<String>,
        /// Name of the project.
        project: Option<String>,
        /// Attributes, named as in the file.
        attributes: BTreeMap<String, Value>,
    },
    /// Pending jobs appear.
    Add(BTreeMap<JobId, VectorJob>),
    /// States that must hold.
    Expect(BTreeMap<JobId, JobStatus>),
    /// Failure reasons that must hold.
    Reason(BTreeMap<JobId, String>),
}

/// Consecutive polls of one runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollStep {
    /// Name of the runner.
    pub runner: String,
    /// Jobs that it must get, one per poll; empty: one poll that must answer `code`.
    pub jobs: Vec<JobId>,
    /// Expected status when no job is expected.
    pub code: Option<u16>,
    /// The runner sends no `last_update` (else it sends the one that it holds).
    pub fresh: bool,
    /// Whether the answer must come without a scan.
    pub cached: Option<bool>,
    /// Whether `X-GitLab-Last-Update` must be there.
    pub header: Option<bool>,
}

/// One poll of a race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaceEntry {
    /// Name of the runner.
    pub runner: String,
    /// What it must get.
    pub result: RaceResult,
}

/// Result of one poll of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaceResult {
    /// 201 with this job.
    Job(JobId),
    /// This status.
    Code(u16),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoll {
    poll: String,
    job: Option<JobId>,
    jobs: Option<Vec<JobId>>,
    code: Option<u16>,
    #[serde(default)]
    fresh: bool,
    cached: Option<bool>,
    header: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFinish {
    finish: JobId,
    #[serde(rename = "as")]
    as_: Option<String>,
    new_id: Option<JobId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSweep {
    sweep: Sweep,
    new_id: Option<JobId>,
}

pub(super) fn decode(
    decoder: &Decoder<'_>,
    index: usize,
    step: &Map<String, Value>,
) -> Result<Step, VectorError> {
    let what = format!("steps[{index}]");
    let Some(kind) = KINDS.iter().find(|kind| step.contains_key(**kind)) else {
        return Err(decoder.error(&what, format!("expected one of {}", KINDS.join(", "))));
    };
    let whole = Value::Object(step.clone());
    let own = step.get(*kind).cloned().unwrap_or_default();
    Ok(match *kind {
        "poll" => {
            let raw: RawPoll = decoder.read(&what, whole)?;
            let jobs = raw
                .jobs
                .or(raw.job.map(|job| vec![job]))
                .unwrap_or_default();
            if jobs.is_empty() == raw.code.is_none() {
                return Err(decoder.error(&what, "a poll expects `job`, `jobs` or `code`"));
            }
            Step::Poll(PollStep {
                runner: raw.poll,
                jobs,
                code: raw.code,
                fresh: raw.fresh,
                cached: raw.cached,
                header: raw.header,
            })
        }
        "finish" => {
            let raw: RawFinish = decoder.read(&what, whole)?;
            let failed = match raw.as_.as_deref() {
                None | Some("success") => false,
                Some("failed") => true,
                Some(other) => {
                    return Err(decoder.error(&what, format!("cannot finish as `{other}`")));
                }
            };
            Step::Finish {
                job: raw.finish,
                failed,
                new_id: raw.new_id,
            }
        }
        "sweep" => {
            let raw: RawSweep = decoder.read(&what, whole)?;
            Step::Sweep {
                sweep: raw.sweep,
                new_id: raw.new_id,
            }
        }
        "race" => Step::Race(race(decoder, &what, own)?),
        "set" => set(decoder, &what, own)?,
        "add" => Step::Add(decoder.jobs(&what, decoder.read(&what, own)?)?),
        "cancel" => Step::Cancel(decoder.read(&what, own)?),
        "play" => Step::Play(decoder.read(&what, own)?),
        "ack" => Step::Ack(decoder.read(&what, own)?),
        "advance" => Step::Advance(decoder.read(&what, own)?),
        "expect" => Step::Expect(decoder.read(&what, own)?),
        _ => Step::Reason(decoder.read(&what, own)?),
    })
}

const KINDS: &[&str] = &[
    "poll", "race", "finish", "cancel", "play", "ack", "advance", "sweep", "set", "add", "expect",
    "reason",
];

fn race(decoder: &Decoder<'_>, what: &str, own: Value) -> Result<Vec<RaceEntry>, VectorError> {
    let pairs: Vec<(String, i64)> = decoder.read(what, own)?;
    Ok(pairs
        .into_iter()
        .map(|(runner, number)| RaceEntry {
            runner,
            // 204 and 409 are answers; no vector has that many jobs.
            result: match number {
                204 | 409 => RaceResult::Code(number as u16),
                job => RaceResult::Job(job),
            },
        })
        .collect())
}

fn set(decoder: &Decoder<'_>, what: &str, own: Value) -> Result<Step, VectorError> {
    let mut attributes: BTreeMap<String, Value> = decoder.read(what, own)?;
    let mut name = |key: &str| -> Result<Option<String>, VectorError> {
        attributes
            .remove(key)
            .map(|value| decoder.read(what, value))
            .transpose()
    };
    let (runner, project) = (name("runner")?, name("project")?);
    if runner.is_some() == project.is_some() {
        return Err(decoder.error(what, "`set` names one `runner` or one `project`"));
    }
    Ok(Step::Set {
        runner,
        project,
        attributes,
    })
}
