use jiff::Timestamp;
use protocol::JobStatus;
use serde_json::{Value, json};

use super::{brief_user, seconds, time};
use crate::world::World;
use crate::world::state::Pipeline;

/// `PipelineBasic`.
pub(in crate::http::rest) fn brief(world: &World, pipeline: &Pipeline) -> Value {
    let url = &world.settings().external_url;
    let path = world
        .project(pipeline.project)
        .map(|project| project.full_path.as_str())
        .unwrap_or_default();
    json!({
        "id": pipeline.id,
        "iid": pipeline.iid,
        "project_id": pipeline.project,
        "sha": pipeline.sha,
        "ref": pipeline.ref_,
        "status": pipeline.status.as_str(),
        "source": pipeline.source,
        "created_at": time(Some(pipeline.created_at)),
        "updated_at": time(Some(pipeline.updated_at)),
        "web_url": format!("{url}/{path}/-/pipelines/{}", pipeline.id),
        "name": null,
    })
}

/// `Pipeline`.
pub(in crate::http::rest) fn full(world: &World, now: Timestamp, pipeline: &Pipeline) -> Value {
    let mut value = brief(world, pipeline);
    let path = world
        .project(pipeline.project)
        .map(|project| project.full_path.as_str())
        .unwrap_or_default();
    let whole = |value: Value| value.as_f64().map(|seconds| seconds as i64);
    let more = json!({
        "before_sha": pipeline.before_sha,
        "tag": pipeline.tag,
        "yaml_errors": null,
        "user": world.user(pipeline.user).map(|user| brief_user(world, user)),
        "started_at": time(pipeline.started_at),
        "finished_at": time(pipeline.finished_at),
        "committed_at": null,
        "duration": pipeline.finished_at.and_then(|end| {
            whole(seconds(pipeline.started_at, Some(end), now))
        }),
        "queued_duration": pipeline.started_at.and_then(|start| {
            whole(seconds(Some(pipeline.created_at), Some(start), now))
        }),
        "coverage": null,
        "detailed_status": detailed_status(
            pipeline.status,
            &format!("/{path}/-/pipelines/{}", pipeline.id),
        ),
    });
    if let (Value::Object(members), Value::Object(more)) = (&mut value, more) {
        members.extend(more);
    }
    value
}

fn detailed_status(status: JobStatus, details_path: &str) -> Value {
    let name = status.as_str();
    let (text, label) = match status {
        JobStatus::Created => ("Created", "created"),
        JobStatus::WaitingForResource => ("Waiting", "waiting for resource"),
        JobStatus::Preparing => ("Preparing", "preparing"),
        JobStatus::WaitingForCallback => ("Waiting", "waiting for callback"),
        JobStatus::Pending => ("Pending", "pending"),
        JobStatus::Running => ("Running", "running"),
        JobStatus::Canceling => ("Canceling", "canceling"),
        JobStatus::Success => ("Passed", "passed"),
        JobStatus::Failed => ("Failed", "failed"),
        JobStatus::Canceled => ("Canceled", "canceled"),
        JobStatus::Skipped => ("Skipped", "skipped"),
        JobStatus::Manual => ("Blocked", "waiting for manual action"),
        JobStatus::Scheduled => ("Delayed", "waiting for delayed action"),
    };
    json!({
        "icon": format!("status_{name}"),
        "text": text,
        "label": label,
        "group": name.replace('_', "-"),
        "tooltip": label,
        "has_details": true,
        "details_path": details_path,
        "illustration": null,
        "favicon": format!("/assets/ci_favicons/favicon_status_{name}.png"),
    })
}
