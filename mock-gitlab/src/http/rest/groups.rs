//! Groups.

use std::cmp::Ordering;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::Request;

use super::ask::{Reply, ask, group, refused};
use super::{entity, order, page};
use crate::http::state::State;
use crate::world::state::Group;
use crate::world::{ApiError, GroupId, NewGroup, World};

fn record(world: &World, id: GroupId) -> Result<&Group, ApiError> {
    world
        .group(id)
        .ok_or_else(|| ApiError::not_found(Some("Group")))
}

/// The group above, if there is one.
fn parent(group: &Group) -> Option<GroupId> {
    group.traversal_ids.iter().rev().nth(1).copied()
}

/// `GET /groups`.
pub(super) async fn list(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, asked| {
        let search = asked.parameters.text("search");
        let top = asked.parameters.boolean("top_level_only")?.unwrap_or(false);
        let groups = world.groups().filter(|group| {
            search.is_none_or(|search| group.full_path.contains(search))
                && !(top && parent(group).is_some())
        });
        let by: fn(&Group, &Group) -> Ordering =
            match order::of(asked, &["name", "path", "id"], "name")? {
                "path" => |one, other| one.full_path.cmp(&other.full_path),
                "id" => |_, _| Ordering::Equal,
                _ => |one, other| one.path.cmp(&other.path),
            };
        let mut groups: Vec<&Group> = groups.collect();
        let ascending = order::ascending(asked, true)?;
        order::sort(&mut groups, ascending, by, |group| group.id);
        page::list(asked, groups.into_iter(), |group| {
            entity::group(world, group)
        })
    })
    .await
}

/// `POST /groups`.
pub(super) async fn create(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, asked| {
        asked.required("name")?;
        let path = asked.required("path")?;
        let new = NewGroup {
            path: path.to_owned(),
            parent: asked.parameters.integer("parent_id")?,
            ..NewGroup::default()
        };
        let taken = world
            .groups()
            .any(|group| group.path == new.path && parent(group) == new.parent);
        if taken {
            return Err(ApiError::validation("path", "has already been taken"));
        }
        let id = world
            .add_group(asked.now, new)
            .map_err(|error| refused(&error))?;
        Ok(Reply::created(entity::group(world, record(world, id)?)))
    })
    .await
}

/// `GET /groups/:id`.
pub(super) async fn get(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, _| {
        let id = group(world, &id)?;
        Ok(Reply::ok(entity::group(world, record(world, id)?)))
    })
    .await
}

/// `GET /groups/:id/projects`.
pub(super) async fn projects(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = group(world, &id)?;
        let deep = asked
            .parameters
            .boolean("include_subgroups")?
            .unwrap_or(false);
        let inside = |of: Option<GroupId>| {
            of.and_then(|of| world.group(of))
                .is_some_and(|of| of.id == id || (deep && of.traversal_ids.contains(&id)))
        };
        let projects = world
            .projects()
            .rev()
            .filter(|project| !project.pending_delete && inside(project.group));
        page::list(asked, projects, |project| entity::project(world, project))
    })
    .await
}

/// `GET /groups/:id/subgroups`.
pub(super) async fn subgroups(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = group(world, &id)?;
        let groups = world.groups().filter(|group| parent(group) == Some(id));
        page::list(asked, groups, |group| entity::group(world, group))
    })
    .await
}
