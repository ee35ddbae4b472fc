//! The time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MockApi;
use super::ask::{Problem, Refusal, body, json};
use crate::world::World;

/// The time on the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ClockState {
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// How far it is ahead of the machine's clock, ms.
    ahead_ms: i64,
    /// When the world has something to do next; absent when it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_deadline: Option<Timestamp>,
}

/// How far.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    /// So far, ms.
    ms: u64,
}

fn state(api: &MockApi, world: &World, now: Timestamp) -> ClockState {
    ClockState {
        now,
        ahead_ms: api.clock.ahead_ms(),
        next_deadline: world.next_deadline(),
    }
}

/// The time on the server.
#[utoipa::path(get, path = "/clock", tag = "clock", responses(
    (status = 200, body = ClockState), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn get(State(api): State<MockApi>) -> Response {
    let state = api.look(|world, now| state(&api, world, now));
    json(StatusCode::OK, &state)
}

/// Puts the clock forward. Everything that falls due on the way happens at its own time: delayed jobs,
/// expiries, sweeps. Polls that are held and whose time is over then are answered at once; pauses that a
/// fault makes are not shortened.
#[utoipa::path(post, path = "/clock/advance", tag = "clock", request_body = Advance, responses(
    (status = 200, body = ClockState), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem)))]
pub(super) async fn advance(
    State(api): State<MockApi>,
    request: Body,
) -> Result<Response, Refusal> {
    let Advance { ms } = body(request).await?;
    if !api.clock.advance(Duration::from_millis(ms)) {
        return Err(Refusal::bad_request(
            "ms: the clock cannot be more than a hundred years ahead",
        ));
    }
    let state = api.act(|world, now| state(&api, world, now));
    Ok(json(StatusCode::OK, &state))
}
