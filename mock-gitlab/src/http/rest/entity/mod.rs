//! GitLab's JSON objects, made from the records of the world.

mod job;
mod pipeline;
mod place;
mod runner;
mod user;

use jiff::Timestamp;
use serde_json::Value;

pub(super) use job::{job, job_with_project};
pub(super) use pipeline::{brief as brief_pipeline, full as full_pipeline};
pub(super) use place::{group, project};
pub(super) use runner::{brief as brief_runner, full as full_runner, manager};
pub(super) use user::{brief as brief_user, full as full_user};

use crate::http::reply::milliseconds;

/// A time, or null.
fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::String(milliseconds(at)))
}

/// Seconds between two times; null while the first is not there. The second is now until it is there.
fn seconds(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Value {
    from.map_or(Value::Null, |from| {
        Value::from(to.unwrap_or(now).duration_since(from).as_secs_f64())
    })
}
