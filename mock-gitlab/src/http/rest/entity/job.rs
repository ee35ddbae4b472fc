use jiff::Timestamp;
use protocol::JobStatus;
use serde_json::{Value, json};

use super::{brief_pipeline, brief_runner, brief_user, manager, seconds, time};
use crate::world::World;
use crate::world::state::Job;

/// `Job` (wire.md 3.11).
pub(in crate::http::rest) fn job(world: &World, now: Timestamp, job: &Job) -> Value {
    let url = &world.settings().external_url;
    let project = world.project(job.project);
    let path = project
        .map(|project| project.full_path.as_str())
        .unwrap_or_default();
    let pipeline = job.pipeline.and_then(|id| world.pipeline(id));
    let archive = world.artifact(job.id, "archive");
    let runner = job.runner().and_then(|id| world.runner(id));
    let machine = runner.zip(job.run.as_ref()).and_then(|(runner, run)| {
        let machine = runner.managers.get(&*run.system_id)?;
        Some(manager(now, machine))
    });
    let artifacts: Vec<Value> = world
        .artifacts(job.id)
        .map(|artifact| {
            json!({
                "file_type": &*artifact.file_type,
                "size": artifact.size,
                "filename": &*artifact.filename,
                "file_format": &*artifact.file_format,
            })
        })
        .collect();
    let branch = project.map(|project| project.default_branch.as_str());
    let mut value = json!({
        "id": job.id,
        "status": job.status.as_str(),
        "stage": job.definition.stage,
        "name": job.definition.name,
        "ref": pipeline.map(|pipeline| pipeline.ref_.as_str()).or(branch),
        "tag": pipeline.is_some_and(|pipeline| pipeline.tag),
        "coverage": null,
        "allow_failure": job.allow_failure,
        "created_at": time(Some(job.created_at)),
        "started_at": time(job.started_at()),
        "finished_at": time(job.finished_at),
        "erased_at": time(job.erased_at),
        "duration": seconds(job.started_at(), job.finished_at, now),
        "queued_duration": seconds(job.queued_at, job.started_at().or(job.finished_at), now),
        "user": world.user(job.user).map(|user| brief_user(world, user)),
        "commit": null,
        "pipeline": pipeline.map(|pipeline| brief_pipeline(world, pipeline)),
        "web_url": format!("{url}/{path}/-/jobs/{}", job.id),
        "project": { "ci_job_token_scope_enabled": false },
        "artifacts": artifacts,
        "runner": runner.map(|runner| brief_runner(now, runner)),
        "runner_manager": machine,
        "artifacts_expire_at": time(archive.and_then(|archive| archive.expire_at)),
        "archived": world.is_archived(now, job),
        "tag_list": job.definition.tags,
    });
    if let Value::Object(members) = &mut value {
        if job.status == JobStatus::Failed {
            let reason = job.failure_reason.as_deref();
            members.insert("failure_reason".to_owned(), json!(reason));
        }
        if let Some(archive) = archive {
            let file = json!({ "filename": &*archive.filename, "size": archive.size });
            members.insert("artifacts_file".to_owned(), file);
        }
    }
    value
}

/// `JobBasicWithProject`, as a runner's list of jobs has it.
pub(in crate::http::rest) fn job_with_project(
    world: &World,
    now: Timestamp,
    record: &Job,
) -> Value {
    let mut value = job(world, now, record);
    if let (Value::Object(members), Some(project)) = (&mut value, world.project(record.project)) {
        members.insert(
            "project".to_owned(),
            json!({
                "id": project.id,
                "description": null,
                "name": project.path,
                "name_with_namespace": project.full_path.replace('/', " / "),
                "path": project.path,
                "path_with_namespace": project.full_path,
                "created_at": time(Some(project.created_at)),
            }),
        );
    }
    value
}
