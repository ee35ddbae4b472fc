//! Projects.

use std::cmp::Ordering;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::ask::{Asked, Reply, ask, not_done, project, refused};
use super::{entity, order, page};
use crate::http::state::State;
use crate::world::setup::ProjectChange;
use crate::world::state::{AutoCancel, Project};
use crate::world::{ApiError, NewProject, ProjectId, World};

fn shown(world: &World, id: ProjectId) -> Result<Value, ApiError> {
    let record = world
        .project(id)
        .ok_or_else(|| ApiError::not_found(Some("Project")))?;
    Ok(entity::project(world, record))
}

/// `GET /projects`.
pub(super) async fn list(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, asked| {
        let search = asked.parameters.text("search");
        let id_after = asked.parameters.integer("id_after")?;
        let id_before = asked.parameters.integer("id_before")?;
        // No project is ever archived here.
        let archived = asked.parameters.boolean("archived")?.unwrap_or(false);
        let projects = world.projects().filter(|project| {
            !archived
                && !project.pending_delete
                && search.is_none_or(|search| project.path.contains(search))
                && id_after.is_none_or(|id| project.id > id)
                && id_before.is_none_or(|id| project.id < id)
        });
        let known = [
            "id",
            "name",
            "path",
            "created_at",
            "updated_at",
            "last_activity_at",
        ];
        let by: fn(&Project, &Project) -> Ordering = match order::of(asked, &known, "created_at")? {
            "name" | "path" => |one, other| one.path.cmp(&other.path),
            "id" => |_, _| Ordering::Equal,
            _ => |one, other| one.created_at.cmp(&other.created_at),
        };
        let mut projects: Vec<&Project> = projects.collect();
        let ascending = order::ascending(asked, false)?;
        order::sort(&mut projects, ascending, by, |project| project.id);
        page::list(asked, projects.into_iter(), |project| {
            entity::project(world, project)
        })
    })
    .await
}

/// `builds_access_level`, or its older form `jobs_enabled`.
fn builds(asked: &Asked) -> Result<Option<bool>, ApiError> {
    match asked.parameters.text("builds_access_level") {
        None => asked.parameters.boolean("jobs_enabled"),
        Some("disabled") => Ok(Some(false)),
        Some("enabled" | "private") => Ok(Some(true)),
        Some(_) => Err(ApiError::new(
            400,
            json!({ "error": "builds_access_level does not have a valid value" }),
        )),
    }
}

/// `auto_cancel_pending_pipelines`.
fn auto_cancel(asked: &Asked) -> Result<Option<AutoCancel>, ApiError> {
    match asked.parameters.text("auto_cancel_pending_pipelines") {
        None => Ok(None),
        Some("enabled") => Ok(Some(AutoCancel::Conservative)),
        Some("disabled") => Ok(Some(AutoCancel::None)),
        Some(_) => Err(ApiError::new(
            400,
            json!({ "error": "auto_cancel_pending_pipelines does not have a valid value" }),
        )),
    }
}

/// `POST /projects`. Without `namespace_id` it is made in the namespace of `root`.
pub(super) async fn create(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, asked| {
        let parameters = &asked.parameters;
        let path = parameters
            .text("path")
            .or_else(|| parameters.text("name"))
            .ok_or_else(|| {
                ApiError::new(400, json!({ "error": "name, path are missing, at least one parameter must be provided" }))
            })?;
        let valid = path.chars().all(|c| c.is_alphanumeric() || "-_. ".contains(c))
            && !path.starts_with(['-', '.', ' '])
            && !path.to_ascii_lowercase().ends_with(".git");
        if !valid {
            return Err(ApiError::validation(
                "path",
                "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'",
            ));
        }
        let defaults = NewProject::default();
        let new = NewProject {
            path: path.to_ascii_lowercase().replace(' ', "-"),
            // 1 is also the namespace of `root`, if there is no such group.
            group: parameters
                .integer("namespace_id")?
                .filter(|id| *id != 1 || world.group(1).is_some()),
            instance_runners: parameters
                .boolean("shared_runners_enabled")?
                .unwrap_or(defaults.instance_runners),
            group_runners: parameters
                .boolean("group_runners_enabled")?
                .unwrap_or(defaults.group_runners),
            builds: builds(asked)?.unwrap_or(defaults.builds),
            timeout: parameters.integer("build_timeout")?,
            default_branch: parameters
                .text("default_branch")
                .map_or(defaults.default_branch.clone(), str::to_owned),
            git_depth: parameters.integer("ci_default_git_depth")?,
            auto_cancel: auto_cancel(asked)?,
            ..defaults
        };
        let id = world
            .add_project(asked.now, new)
            .map_err(|error| refused(&error))?;
        Ok(Reply::created(shown(world, id)?))
    })
    .await
}

/// `GET /projects/:id`.
pub(super) async fn get(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, _| {
        let id = project(world, &id)?;
        Ok(Reply::ok(shown(world, id)?))
    })
    .await
}

/// `PUT /projects/:id`: what changes the work of runners.
pub(super) async fn change(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = project(world, &id)?;
        let parameters = &asked.parameters;
        let change = ProjectChange {
            instance_runners: parameters.boolean("shared_runners_enabled")?,
            group_runners: parameters.boolean("group_runners_enabled")?,
            builds: builds(asked)?,
            timeout: parameters.integer("build_timeout")?,
            auto_cancel: auto_cancel(asked)?.map(Some),
            ..ProjectChange::default()
        };
        if change == ProjectChange::default() {
            return Err(ApiError::new(
                400,
                json!({ "error": "at least one parameter must be provided that this server can change: \
                    shared_runners_enabled, group_runners_enabled, builds_access_level, jobs_enabled, \
                    build_timeout, auto_cancel_pending_pipelines" }),
            ));
        }
        world
            .set_project(asked.now, id, change)
            .map_err(|error| not_done(&error, ApiError::forbidden))?;
        Ok(Reply::ok(shown(world, id)?))
    })
    .await
}

/// `DELETE /projects/:id`.
pub(super) async fn delete(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = project(world, &id)?;
        let change = ProjectChange {
            pending_delete: Some(true),
            ..ProjectChange::default()
        };
        world
            .set_project(asked.now, id, change)
            .map_err(|error| not_done(&error, ApiError::forbidden))?;
        Ok(Reply::Json(
            StatusCode::ACCEPTED,
            json!({ "message": "202 Accepted" }),
        ))
    })
    .await
}
