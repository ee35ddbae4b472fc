use jiff::Timestamp;
use serde_json::{Value, json};

use super::time;
use crate::world::state::RunnerType;
use crate::world::state::{Manager, Runner};
use crate::world::{RunnerStatus, World};

/// Machine that was heard of last; it stands for the runner where there is one field only.
fn newest(runner: &Runner) -> Option<&Manager> {
    runner
        .managers
        .values()
        .max_by_key(|manager| (manager.contacted_at, manager.id))
}

/// `Runner`.
pub(in crate::http::rest) fn brief(now: Timestamp, runner: &Runner) -> Value {
    let status = RunnerStatus::at(now, runner.created_at, runner.contacted_at);
    let machine = newest(runner);
    json!({
        "id": runner.id,
        "description": runner.description,
        "ip_address": machine.map(|machine| machine.ip_address.as_str()).filter(|ip| !ip.is_empty()),
        "active": !runner.paused,
        "paused": runner.paused,
        "is_shared": runner.runner_type == RunnerType::InstanceType,
        "runner_type": runner.runner_type.as_str(),
        "name": machine.map(|_| "gitlab-runner"),
        "online": match status {
            RunnerStatus::NeverContacted => None,
            status => Some(status == RunnerStatus::Online),
        },
        "created_by": null,
        "created_at": time(Some(runner.created_at)),
        "status": status.as_str(),
        "job_execution_status": null,
    })
}

/// `RunnerDetails`.
pub(in crate::http::rest) fn full(world: &World, now: Timestamp, runner: &Runner) -> Value {
    let mut value = with_load(world, runner, brief(now, runner));
    let machine = newest(runner);
    let of = |field: fn(&Manager) -> &String| {
        machine.map(field).filter(|text| !text.is_empty()).cloned()
    };
    let projects: Vec<Value> = runner
        .projects
        .iter()
        .filter_map(|id| world.project(*id))
        .map(|project| {
            json!({
                "id": project.id,
                "name": project.path,
                "name_with_namespace": project.full_path.replace('/', " / "),
                "path": project.path,
                "path_with_namespace": project.full_path,
            })
        })
        .collect();
    let groups: Vec<Value> = runner
        .group
        .iter()
        .filter_map(|id| world.group(*id))
        .map(|group| {
            let url = &world.settings().external_url;
            json!({
                "id": group.id,
                "web_url": format!("{url}/groups/{}", group.full_path),
                "name": group.path,
            })
        })
        .collect();
    let more = json!({
        "tag_list": runner.tags.iter().map(|tag| &**tag).collect::<Vec<&str>>(),
        "run_untagged": runner.run_untagged,
        "locked": runner.locked,
        "maximum_timeout": runner.maximum_timeout,
        "access_level": runner.access_level.as_str(),
        "version": of(|machine| &machine.version),
        "revision": of(|machine| &machine.revision),
        "platform": of(|machine| &machine.platform),
        "architecture": of(|machine| &machine.architecture),
        "contacted_at": time(runner.contacted_at),
        "token_expires_at": time(runner.token_expires_at),
        "maintenance_note": runner.maintenance_note,
        "projects": projects,
        "groups": groups,
    });
    if let (Value::Object(members), Value::Object(more)) = (&mut value, more) {
        members.extend(more);
    }
    value
}

/// `RunnerManager`.
pub(in crate::http::rest) fn manager(now: Timestamp, manager: &Manager) -> Value {
    let status = RunnerStatus::at(now, manager.created_at, Some(manager.contacted_at));
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    json!({
        "id": manager.id,
        "system_id": &*manager.system_id,
        "version": text(&manager.version),
        "revision": text(&manager.revision),
        "platform": text(&manager.platform),
        "architecture": text(&manager.architecture),
        "created_at": time(Some(manager.created_at)),
        "contacted_at": time(Some(manager.contacted_at)),
        "ip_address": text(&manager.ip_address),
        "status": status.as_str(),
    })
}

/// Whether the runner has a job just now.
pub(in crate::http::rest) fn with_load(world: &World, runner: &Runner, mut value: Value) -> Value {
    let busy = world.jobs().any(|job| {
        job.runner() == Some(runner.id) && job.started_at().is_some() && !job.status.is_complete()
    });
    value["job_execution_status"] = Value::from(if busy { "active" } else { "idle" });
    value
}
