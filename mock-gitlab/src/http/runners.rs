//! Registration, verify, unregister, token reset, discovery (wire.md 3.2-3.6, 3.9).

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use protocol::{Info, header};
use serde_json::json;

use super::parameters::{Parameters, header_text, personal_access_token, unmodified_since};
use super::reply;
use super::state::{State, peer};
use crate::world::state::AccessLevel;
use crate::world::{ApiError, NewRunner, RegisterRunner, RunnerId, World};

macro_rules! parameters {
    ($state:expr, $request:expr) => {
        match Parameters::read($request, $state.limits.body_bytes).await {
            Ok(parameters) => parameters,
            Err(answer) => return answer,
        }
    };
}

fn access_level(parameters: &Parameters) -> Result<AccessLevel, ApiError> {
    match parameters.text("access_level") {
        None | Some("not_protected") => Ok(AccessLevel::NotProtected),
        Some("ref_protected") => Ok(AccessLevel::RefProtected),
        Some(_) => Err(ApiError::new(
            400,
            json!({ "error": "access_level does not have a valid value" }),
        )),
    }
}

/// `paused`, or its deprecated opposite `active`.
fn paused(parameters: &Parameters) -> Result<bool, ApiError> {
    let active = parameters.boolean("active")?;
    match (parameters.boolean("paused")?, active) {
        (Some(_), Some(_)) => Err(ApiError::new(
            400,
            json!({ "error": "active, paused are mutually exclusive" }),
        )),
        (Some(paused), None) => Ok(paused),
        (None, active) => Ok(!active.unwrap_or(true)),
    }
}

fn note(parameters: &Parameters) -> String {
    parameters
        .text("maintenance_note")
        .or_else(|| parameters.text("maintainer_note"))
        .unwrap_or_default()
        .to_owned()
}

fn registration(parameters: &Parameters) -> Result<RegisterRunner<'_>, ApiError> {
    Ok(RegisterRunner {
        token: parameters.text("token"),
        description: parameters.text_or_empty("description"),
        maintenance_note: note(parameters),
        tag_list: parameters.list("tag_list")?,
        run_untagged: parameters.boolean("run_untagged")?,
        locked: parameters.boolean("locked")?,
        paused: paused(parameters)?,
        access_level: access_level(parameters)?,
        maximum_timeout: parameters.integer("maximum_timeout")?,
        info: parameters.object::<Info>("info")?,
    })
}

pub(super) async fn register(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    let peer = peer(request.extensions());
    let parameters = parameters!(state, request);
    let result = registration(&parameters).and_then(|registration| {
        state.call(|world, now| world.register_runner(now, registration, &peer))
    });
    reply::either(result, |answer| {
        reply::credentials(StatusCode::CREATED, &answer)
    })
}

fn user_runner(parameters: &Parameters) -> Result<NewRunner, ApiError> {
    Ok(NewRunner {
        group: parameters.integer("group_id")?,
        description: parameters.text_or_empty("description"),
        maintenance_note: note(parameters),
        paused: paused(parameters)?,
        locked: parameters.boolean("locked")?.unwrap_or(false),
        run_untagged: parameters.boolean("run_untagged")?.unwrap_or(true),
        tags: parameters.list("tag_list")?,
        access_level: access_level(parameters)?,
        maximum_timeout: parameters.integer("maximum_timeout")?,
        ..NewRunner::default()
    })
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Response {
    let parameters = parameters!(state, request);
    let result = user_runner(&parameters).and_then(|runner| {
        let project = parameters.integer("project_id")?;
        let token = personal_access_token(&headers).or_else(|| parameters.text("private_token"));
        let kind = parameters.text("runner_type");
        state.call(|world, now| world.create_user_runner(now, token, kind, project, runner))
    });
    reply::either(result, |answer| {
        reply::credentials(StatusCode::CREATED, &answer)
    })
}

pub(super) async fn verify(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    let peer = peer(request.extensions());
    let parameters = parameters!(state, request);
    let result = parameters.object::<Info>("info").and_then(|info| {
        let info = parameters.value("info").is_some().then_some(&info);
        let (token, system_id) = (parameters.text("token"), parameters.text("system_id"));
        state.call(|world, now| world.verify_runner(now, token, system_id, info, &peer))
    });
    reply::either(result, |answer| reply::credentials(StatusCode::OK, &answer))
}

/// 412 if a runner, or one of its machines, has changed since the time that the caller named.
pub(super) fn demand_unmodified(
    world: &World,
    id: Option<RunnerId>,
    system_id: Option<&str>,
    since: Option<Timestamp>,
) -> Result<(), ApiError> {
    let changed = id.and_then(|id| world.runner_changed_at(id, system_id));
    match changed.zip(since) {
        Some((changed, since)) if changed > since => Err(ApiError::precondition_failed()),
        _ => Ok(()),
    }
}

pub(super) async fn unregister(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    let since = unmodified_since(request.headers());
    let parameters = parameters!(state, request);
    let token = parameters.text("token");
    let result = state.call(|world, now| {
        let id = token.and_then(|token| world.runner_by_token(token));
        let id = id.map(|runner| runner.id);
        demand_unmodified(world, id, None, since)?;
        world.unregister_runner(now, token)
    });
    reply::either(result, |()| reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn unregister_manager(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Response {
    let since = unmodified_since(request.headers());
    let parameters = parameters!(state, request);
    let (token, system_id) = (parameters.text("token"), parameters.text("system_id"));
    let result = state.call(|world, now| {
        let id = token.and_then(|token| world.runner_by_token(token));
        let id = id.map(|runner| runner.id).filter(|_| system_id.is_some());
        demand_unmodified(world, id, system_id, since)?;
        world.unregister_manager(now, token, system_id)
    });
    reply::either(result, |()| reply::empty(StatusCode::NO_CONTENT))
}

/// `GET /internal/ci/agents/runner/info`: for GitLab's agent server, which signs its calls. There is none
/// here, so no signature is good.
pub(super) async fn agent_info() -> Response {
    reply::error(&ApiError::unauthorized())
}

pub(super) async fn reset_token(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Response {
    let parameters = parameters!(state, request);
    reply::either(
        state.call(|world, now| world.reset_token(now, parameters.text("token"))),
        |answer| reply::new_token(&answer),
    )
}

pub(super) async fn reset_token_by_id(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Response {
    let parameters = parameters!(state, request);
    let Ok(id) = id.parse::<RunnerId>() else {
        return reply::error(&ApiError::not_found(None));
    };
    let token = personal_access_token(&headers).or_else(|| parameters.text("private_token"));
    reply::either(
        state.call(|world, now| world.reset_token_by_id(now, token, id)),
        |answer| reply::new_token(&answer),
    )
}

pub(super) async fn discovery(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let token = header_text(&headers, header::RUNNER_TOKEN);
    reply::either(
        state.call(|world, now| world.discover_router(now, token)),
        |url| reply::json_body(StatusCode::OK, &json!({ "server_url": url })),
    )
}
