//! Runner administration.

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::Request;
use serde_json::{Value, json};

use super::ask::{Asked, Reply, ask, group, not_done, number, project};
use super::{entity, jobs, order, page};
use crate::http::parameters::unmodified_since;
use crate::http::runners::demand_unmodified;
use crate::http::state::State;
use crate::world::setup::RunnerChange;
use crate::world::state::{AccessLevel, Runner, RunnerType};
use crate::world::{ApiError, RunnerId, RunnerStatus, World};

fn record<'a>(world: &'a World, segment: &str) -> Result<&'a Runner, ApiError> {
    let id = number(segment, "Runner")?;
    world
        .runner(id)
        .ok_or_else(|| ApiError::not_found(Some("Runner")))
}

fn shown(world: &World, asked: &Asked, id: RunnerId) -> Result<Value, ApiError> {
    let record = record(world, &id.to_string())?;
    Ok(entity::full_runner(world, asked.now, record))
}

fn invalid(name: &str) -> ApiError {
    let text = format!("{name} does not have a valid value");
    ApiError::new(400, json!({ "error": text }))
}

/// Filters that every list of runners has.
fn filter(asked: &Asked) -> Result<impl Fn(&Runner) -> bool + use<>, ApiError> {
    let parameters = &asked.parameters;
    let now = asked.now;
    let kind = match parameters.text("type") {
        None => None,
        Some("instance_type") => Some(RunnerType::InstanceType),
        Some("group_type") => Some(RunnerType::GroupType),
        Some("project_type") => Some(RunnerType::ProjectType),
        Some(_) => return Err(invalid("type")),
    };
    let mut paused = parameters.boolean("paused")?;
    // `scope` is the older name; of both, `status` counts.
    let status = parameters.text("status");
    let scope = parameters.text("scope").filter(|_| status.is_none());
    let (kind, status) = match scope {
        Some("shared" | "instance_type") => (Some(RunnerType::InstanceType), None),
        Some("specific" | "project_type") => (Some(RunnerType::ProjectType), None),
        Some("group_type") => (Some(RunnerType::GroupType), None),
        Some(name @ ("active" | "paused" | "online" | "offline" | "stale" | "never_contacted")) => {
            (kind, Some(name))
        }
        Some(_) => return Err(invalid("scope")),
        None => (kind, status),
    };
    let version = parameters.text("version_prefix").map(str::to_owned);
    let status = match status {
        None => None,
        Some("active") => {
            paused = Some(false);
            None
        }
        Some("paused") => {
            paused = Some(true);
            None
        }
        Some(name @ ("online" | "offline" | "stale" | "never_contacted")) => Some(name.to_owned()),
        Some(_) => return Err(invalid("status")),
    };
    let tags = parameters.list("tag_list")?;
    Ok(move |runner: &Runner| {
        let state = RunnerStatus::at(now, runner.created_at, runner.contacted_at);
        kind.is_none_or(|kind| runner.runner_type == kind)
            && paused.is_none_or(|paused| runner.paused == paused)
            && status
                .as_deref()
                .is_none_or(|status| state.as_str() == status)
            && tags
                .iter()
                .all(|tag| runner.tags.iter().any(|own| **own == **tag))
            && version.as_deref().is_none_or(|version| {
                let mut machines = runner.managers.values();
                machines.any(|machine| machine.version.starts_with(version))
            })
    })
}

fn list(
    world: &World,
    asked: &Asked,
    belongs: impl Fn(&Runner) -> bool,
) -> Result<Reply, ApiError> {
    let wanted = filter(asked)?;
    let runners = world
        .runners()
        .rev()
        .filter(|runner| belongs(runner) && wanted(runner));
    page::list(asked, runners, |runner| {
        entity::brief_runner(asked.now, runner)
    })
}

/// `GET /runners`: those of groups and projects.
pub(in crate::http) async fn owned(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        list(world, asked, |runner| {
            runner.runner_type != RunnerType::InstanceType
        })
    })
    .await
}

/// `GET /runners/all`.
pub(super) async fn all(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, asked| {
        asked.demand_admin()?;
        list(world, asked, |_| true)
    })
    .await
}

/// `GET /projects/:id/runners`: those that may take its jobs.
pub(super) async fn of_project(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = project(world, &id)?;
        let record = world
            .project(id)
            .ok_or_else(|| ApiError::not_found(Some("Project")))?;
        let above = record
            .group
            .filter(|_| record.group_runners)
            .and_then(|group| world.group(group))
            .map(|group| group.traversal_ids.to_vec())
            .unwrap_or_default();
        list(world, asked, |runner| match runner.runner_type {
            RunnerType::InstanceType => record.instance_runners,
            RunnerType::GroupType => runner.group.is_some_and(|group| above.contains(&group)),
            RunnerType::ProjectType => runner.projects.contains(&id),
        })
    })
    .await
}

/// `GET /groups/:id/runners`: those of the group, of those above it, and of the instance.
pub(super) async fn of_group(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = group(world, &id)?;
        let above = world
            .group(id)
            .map(|group| group.traversal_ids.to_vec())
            .unwrap_or_default();
        list(world, asked, |runner| match runner.runner_type {
            RunnerType::InstanceType => true,
            RunnerType::GroupType => runner.group.is_some_and(|group| above.contains(&group)),
            RunnerType::ProjectType => false,
        })
    })
    .await
}

/// `GET /runners/:id`.
pub(super) async fn get(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = record(world, &id)?.id;
        Ok(Reply::ok(shown(world, asked, id)?))
    })
    .await
}

/// Users may change what belongs to projects and groups, administrators everything.
fn may_change(asked: &Asked, runner: &Runner) -> Result<(), ApiError> {
    if runner.runner_type == RunnerType::InstanceType {
        asked.demand_admin()
    } else {
        Ok(())
    }
}

/// `PUT /runners/:id`.
pub(super) async fn change(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let record = record(world, &id)?;
        may_change(asked, record)?;
        let id = record.id;
        let parameters = &asked.parameters;
        let text = |name: &str| {
            let value = parameters.value(name)?;
            Some(value.as_str().unwrap_or_default().to_owned())
        };
        let has_tags = parameters.value("tag_list").is_some();
        let change = RunnerChange {
            description: text("description"),
            maintenance_note: text("maintenance_note"),
            paused: match parameters.boolean("paused")? {
                Some(paused) => Some(paused),
                None => parameters.boolean("active")?.map(|active| !active),
            },
            locked: parameters.boolean("locked")?,
            run_untagged: parameters.boolean("run_untagged")?,
            tags: has_tags.then(|| parameters.list("tag_list")).transpose()?,
            access_level: match parameters.text("access_level") {
                None => None,
                Some("not_protected") => Some(AccessLevel::NotProtected),
                Some("ref_protected") => Some(AccessLevel::RefProtected),
                Some(_) => return Err(invalid("access_level")),
            },
            maximum_timeout: parameters.integer("maximum_timeout")?,
            projects: None,
        };
        if change == RunnerChange::default() {
            return Err(ApiError::new(
                400,
                json!({ "error": "description, active, paused, tag_list, run_untagged, locked, access_level, \
                    maximum_timeout, maintenance_note are missing, at least one parameter must be provided" }),
            ));
        }
        world
            .set_runner(asked.now, id, change)
            .map_err(|error| not_done(&error, ApiError::forbidden))?;
        Ok(Reply::ok(shown(world, asked, id)?))
    })
    .await
}

/// `DELETE /runners/:id`.
pub(super) async fn delete(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let since = unmodified_since(request.headers());
    ask(&state, request, |world, asked| {
        let record = record(world, &id)?;
        may_change(asked, record)?;
        let id = record.id;
        demand_unmodified(world, Some(id), None, since)?;
        world
            .delete_runner(asked.now, id)
            .map_err(|error| not_done(&error, ApiError::forbidden))?;
        Ok(Reply::Empty)
    })
    .await
}

/// `GET /runners/:id/managers`, newest first.
pub(super) async fn managers(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let record = record(world, &id)?;
        let mut managers: Vec<_> = record.managers.values().collect();
        managers.sort_by_key(|manager| std::cmp::Reverse(manager.id));
        page::list(asked, managers.into_iter(), |manager| {
            entity::manager(asked.now, manager)
        })
    })
    .await
}

/// `GET /runners/:id/jobs`.
pub(super) async fn list_jobs(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = record(world, &id)?.id;
        let parameters = &asked.parameters;
        let status = match parameters.text("status") {
            None => None,
            Some(name) => Some(name.parse().map_err(|_| invalid("status"))?),
        };
        let system_id = parameters.text("system_id");
        let wanted = |job: &&crate::world::state::Job| {
            let machine = job.run.as_ref().map(|run| &*run.system_id);
            job.runner() == Some(id)
                && status.is_none_or(|status| job.status == status)
                && system_id.is_none_or(|system_id| machine == Some(system_id))
        };
        let one = |job| entity::job_with_project(world, asked.now, job);
        // Ids are the only order that GitLab has here.
        order::of(asked, &["id"], "id")?;
        if order::ascending(asked, false)? {
            page::list(asked, world.jobs().filter(wanted), one)
        } else {
            page::list(asked, world.jobs().rev().filter(wanted), one)
        }
    })
    .await
}

/// `POST /projects/:id/runners`: a project runner takes the jobs of one more project.
pub(super) async fn enable(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let project = project(world, &id)?;
        let id = asked
            .parameters
            .integer("runner_id")?
            .ok_or_else(|| ApiError::missing("runner_id"))?;
        let runner = record(world, &id.to_string())?;
        let mut projects = runner.projects.clone();
        if runner.runner_type != RunnerType::ProjectType {
            return Err(ApiError::forbidden_because(match runner.runner_type {
                RunnerType::InstanceType => "Runner is an instance runner",
                _ => "Runner is a group runner",
            }));
        }
        if runner.locked {
            return Err(ApiError::forbidden_because("Runner is locked"));
        }
        if projects.contains(&project) {
            return Err(ApiError::validation("runner", "has already been taken"));
        }
        projects.push(project);
        let change = RunnerChange {
            projects: Some(projects),
            ..RunnerChange::default()
        };
        world
            .set_runner(asked.now, id, change)
            .map_err(|error| not_done(&error, ApiError::forbidden))?;
        let runner = record(world, &id.to_string())?;
        Ok(Reply::created(entity::brief_runner(asked.now, runner)))
    })
    .await
}

/// `DELETE /projects/:id/runners/:runner_id`.
pub(super) async fn disable(
    Extract(state): Extract<State>,
    Path((id, runner)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let project = project(world, &id)?;
        let runner = record(world, &runner)?;
        let id = runner.id;
        if !runner.projects.contains(&project) {
            return Err(jobs::not_found());
        }
        let projects: Vec<_> = runner
            .projects
            .iter()
            .copied()
            .filter(|other| *other != project)
            .collect();
        if projects.is_empty() {
            return Err(ApiError::forbidden_because(
                "Only one project associated with the runner. Please remove the runner instead",
            ));
        }
        let change = RunnerChange {
            projects: Some(projects),
            ..RunnerChange::default()
        };
        world
            .set_runner(asked.now, id, change)
            .map_err(|error| not_done(&error, ApiError::forbidden))?;
        Ok(Reply::Empty)
    })
    .await
}
