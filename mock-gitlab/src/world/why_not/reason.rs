//! The criteria.

use std::fmt;

use jiff::Timestamp;
use protocol::{FailureReason, JobStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::world::text::Text;
use crate::world::{GroupId, JobId, ProjectId, RunnerId};

/// Why a runner's next poll would not get a job: the first criterion that fails, in the order of the
/// variants. Serialises to `{"reason":"missing_tags","tags":["docker"]}`; `Display` is a sentence
/// without a full stop.
///
/// The groups are: there is nothing to give, the runner gets nothing at all, the runner may not have
/// this job, the job is not ready, and another job comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WhyNot {
    /// There is no such job.
    NoJob,
    /// There is no such runner.
    NoRunner,
    /// The job runs or has ended.
    NotWaiting {
        /// Its state.
        #[schema(value_type = String)]
        status: JobStatus,
    },
    /// The job was given to a runner that has not acknowledged yet (queueing.md 8).
    Assigned {
        /// That runner.
        runner: RunnerId,
        /// When the job is dropped without an acknowledgement.
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
    },
    /// Polls are answered 429 while migrations run (WIRE-REQ-09).
    Migrations,
    /// The runner's token is no longer valid: 403.
    TokenExpired {
        /// Since when.
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
    },
    /// The runner polled too often: 429 (wire.md 8.3).
    RateLimited {
        /// When it may poll again, s.
        retry_after_s: u32,
    },
    /// The runner is paused.
    Paused,
    /// A project runner that is not assigned to the job's project.
    OtherProject {
        /// The job's project.
        project: ProjectId,
    },
    /// A group runner, and the job's project is not below its group.
    OtherGroup {
        /// The job's project.
        project: ProjectId,
        /// The runner's group; `None` = it has none and gets nothing.
        group: Option<GroupId>,
    },
    /// The project has CI switched off or is about to be deleted, so that no instance or group runner
    /// takes its jobs.
    CiOff {
        /// The job's project.
        project: ProjectId,
    },
    /// The project does not let instance runners take the job.
    InstanceRunnersOff {
        /// The job's project.
        project: ProjectId,
    },
    /// The project does not let group runners take the job.
    GroupRunnersOff {
        /// The job's project.
        project: ProjectId,
    },
    /// The runner takes protected jobs only, and this one is not.
    Unprotected,
    /// The job has no tags, and the runner takes none without.
    Untagged,
    /// The runner lacks tags of the job.
    MissingTags {
        /// Those, sorted.
        tags: Vec<Text>,
    },
    /// Somebody has to play the job first.
    Manual,
    /// The job's delay is not over.
    Delayed {
        /// When it is.
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
    },
    /// Another job has the resource.
    ResourceGroup {
        /// Name of the resource group.
        group: Text,
        /// Job that has the resource; `None` = the order of the group keeps it for a job that is not
        /// ready (`oldest_first`, `newest_first`).
        holder: Option<JobId>,
    },
    /// A needed job has not ended.
    Needs {
        /// Its name.
        name: String,
        /// Its id; `None` = it is not in the pipeline.
        job: Option<JobId>,
        /// Its state.
        #[schema(value_type = Option<String>)]
        status: Option<JobStatus>,
    },
    /// A job of an earlier stage has not ended.
    Stage {
        /// Name of that stage.
        stage: String,
        /// Lowest such job.
        job: JobId,
        /// Its state.
        #[schema(value_type = String)]
        status: JobStatus,
    },
    /// The job is not ready for another reason; its state tells which.
    NotReady {
        /// Its state.
        #[schema(value_type = String)]
        status: JobStatus,
    },
    /// Another poll examined the job less than 3 s ago (queueing.md 5 step 2).
    Leased {
        /// Until when.
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
    },
    /// The poll would get hold of the job and fail it (queueing.md 6).
    WouldFail {
        /// The failure reason.
        #[schema(value_type = String)]
        failure_reason: FailureReason,
    },
    /// Another job comes first.
    Order {
        /// The job that the next poll gets.
        next: JobId,
        /// How many jobs stand before this one in the runner's order.
        before: usize,
        /// Fair order: how many jobs of this job's project run on instance runners. `None` where the
        /// lowest id comes first.
        running: Option<u32>,
    },
    /// Too many jobs stand before it that can be had by nobody: a poll gives up before it (409).
    TooDeep {
        /// How many jobs stand before this one in the runner's order.
        before: usize,
        /// How many a poll examines.
        limit: u32,
    },
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNot::NoJob => f.write_str("there is no such job"),
            WhyNot::NoRunner => f.write_str("there is no such runner"),
            WhyNot::NotWaiting { status } => write!(f, "the job is {status}"),
            WhyNot::Assigned { runner, until } => write!(
                f,
                "the job was given to runner {runner}, which has until {until:.0} to acknowledge it"
            ),
            WhyNot::Migrations => f.write_str("database migrations run: polls are answered 429"),
            WhyNot::TokenExpired { since } => {
                write!(f, "the runner's token is no longer valid since {since:.0}")
            }
            WhyNot::RateLimited { retry_after_s } => {
                write!(f, "the runner polled too often: again in {retry_after_s} s")
            }
            WhyNot::Paused => f.write_str("the runner is paused"),
            WhyNot::OtherProject { project } => {
                write!(f, "the runner is not assigned to project {project}")
            }
            WhyNot::OtherGroup {
                project,
                group: Some(group),
            } => write!(
                f,
                "project {project} is not below the runner's group {group}"
            ),
            WhyNot::OtherGroup { group: None, .. } => {
                f.write_str("the runner is a group runner without a group")
            }
            WhyNot::CiOff { project } => {
                write!(f, "CI is switched off for project {project}")
            }
            WhyNot::InstanceRunnersOff { project } => {
                write!(
                    f,
                    "project {project} does not let instance runners take the job"
                )
            }
            WhyNot::GroupRunnersOff { project } => {
                write!(
                    f,
                    "project {project} does not let group runners take the job"
                )
            }
            WhyNot::Unprotected => {
                f.write_str("the runner takes protected jobs only, and the job is not protected")
            }
            WhyNot::Untagged => {
                f.write_str("the job has no tags, and the runner takes none without")
            }
            WhyNot::MissingTags { tags } => {
                let one = tags.len() == 1;
                write!(f, "the runner lacks the tag{} ", if one { "" } else { "s" })?;
                for (index, tag) in tags.iter().enumerate() {
                    write!(f, "{}`{tag}`", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            WhyNot::Manual => f.write_str("somebody has to play the job first"),
            WhyNot::Delayed { until } => write!(f, "the job is delayed until {until:.0}"),
            WhyNot::ResourceGroup {
                group,
                holder: Some(holder),
            } => write!(
                f,
                "job {holder} has the resource of resource group `{group}`"
            ),
            WhyNot::ResourceGroup {
                group,
                holder: None,
            } => write!(
                f,
                "resource group `{group}` keeps its resource for a job that is not ready"
            ),
            WhyNot::Needs {
                name,
                job: Some(job),
                status: Some(status),
            } => write!(f, "the job needs `{name}` (job {job}), which is {status}"),
            WhyNot::Needs { name, .. } => {
                write!(f, "the job needs `{name}`, which is not in the pipeline")
            }
            WhyNot::Stage { stage, job, status } => {
                write!(f, "job {job} of the earlier stage `{stage}` is {status}")
            }
            WhyNot::NotReady { status } => write!(f, "the job is not ready: it is {status}"),
            WhyNot::Leased { until } => {
                write!(f, "another poll examined the job: again from {until} on")
            }
            WhyNot::WouldFail { failure_reason } => {
                write!(f, "the poll would fail the job with {failure_reason}")
            }
            WhyNot::Order {
                next,
                before,
                running,
            } => {
                if let Some(running) = running {
                    write!(f, "fair order: the project has {running} running, ")?;
                }
                let (jobs, stand) = if *before == 1 {
                    ("job", "stands")
                } else {
                    ("jobs", "stand")
                };
                write!(f, "{before} {jobs} {stand} before it, job {next} is next")
            }
            WhyNot::TooDeep { before, limit } => write!(
                f,
                "{before} jobs stand before it, and a poll examines {limit}"
            ),
        }
    }
}
