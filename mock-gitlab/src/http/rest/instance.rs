//! The instance and its users.

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::Request;
use serde_json::json;

use super::ask::{Reply, ask, number};
use super::{entity, page};
use crate::http::state::State;
use crate::world::ApiError;

/// `GET /version`, `GET /metadata`.
pub(super) async fn version(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, _| {
        let settings = world.settings();
        Ok(Reply::ok(json!({
            "version": settings.version,
            "revision": settings.revision,
            "kas": { "enabled": false, "externalUrl": null, "externalK8sProxyUrl": null,
                "version": null },
            "enterprise": false,
        })))
    })
    .await
}

/// `GET /user`.
pub(super) async fn current_user(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        Ok(Reply::ok(entity::full_user(world, &asked.user)))
    })
    .await
}

/// `GET /users`.
pub(super) async fn users(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    ask(&state, request, |world, asked| {
        let name = asked.parameters.text("username");
        let search = asked.parameters.text("search");
        let blocked = asked.parameters.boolean("blocked")?.unwrap_or(false);
        let active = asked.parameters.boolean("active")?.unwrap_or(false);
        let users = world.users().rev().filter(|user| {
            name.is_none_or(|name| user.username == name)
                && search.is_none_or(|search| {
                    user.username.contains(search) || user.name.contains(search)
                })
                && (user.blocked || !blocked)
                && !(user.blocked && active)
        });
        page::list(asked, users, |user| entity::brief_user(world, user))
    })
    .await
}

/// `GET /users/:id`.
pub(super) async fn user(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, _| {
        let user = world
            .user(number(&id, "User")?)
            .ok_or_else(|| ApiError::not_found(Some("User")))?;
        Ok(Reply::ok(entity::full_user(world, user)))
    })
    .await
}
