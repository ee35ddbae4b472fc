//! What goes wrong.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::MockApi;
use super::ask::{Problem, Refusal, body, empty, json};
use crate::fault::{FaultId, FaultRule, FaultState};

/// How a restart goes.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Restart {
    /// For how long new connections are reset, ms.
    down_ms: u64,
}

fn id_of(text: &str) -> Result<FaultId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::not_found(format!("there is no fault {text}")))
}

/// All rules, oldest first, also spent ones, until they make room for new ones.
#[utoipa::path(get, path = "/faults", tag = "faults", responses(
    (status = 200, body = Vec<FaultState>), (status = 401, body = Problem),
    (status = 403, body = Problem)))]
pub(super) async fn list(State(api): State<MockApi>) -> Response {
    json(StatusCode::OK, &api.faults.all())
}

/// Makes a rule that holds from now on.
#[utoipa::path(post, path = "/faults", tag = "faults", request_body = FaultRule, responses(
    (status = 201, body = FaultState), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem)))]
pub(super) async fn create(State(api): State<MockApi>, request: Body) -> Result<Response, Refusal> {
    let rule: FaultRule = body(request).await?;
    let id = api
        .faults
        .add(rule)
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    Ok(json(StatusCode::CREATED, &api.faults.get(id)))
}

/// Takes all rules back, and ends a restart.
#[utoipa::path(delete, path = "/faults", tag = "faults", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn clear(State(api): State<MockApi>) -> Response {
    api.faults.clear();
    empty(StatusCode::NO_CONTENT)
}

/// One rule, with how many requests it has seen and hit.
#[utoipa::path(get, path = "/faults/{id}", tag = "faults", params(("id" = u64, Path)), responses(
    (status = 200, body = FaultState), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<MockApi>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let state = api.faults.get(id_of(&id)?);
    let state = state.ok_or_else(|| Refusal::not_found(format!("there is no fault {id}")))?;
    Ok(json(StatusCode::OK, &state))
}

/// Takes a rule back.
#[utoipa::path(delete, path = "/faults/{id}", tag = "faults", params(("id" = u64, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem)))]
pub(super) async fn remove(
    State(api): State<MockApi>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    if api.faults.remove(id_of(&id)?) {
        Ok(empty(StatusCode::NO_CONTENT))
    } else {
        Err(Refusal::not_found(format!("there is no fault {id}")))
    }
}

/// Restarts the server: every connection is reset (after this answer, if it comes through), and so is
/// every new one for a while, those of the mock API excepted. What was stored stays.
#[utoipa::path(post, path = "/restart", tag = "faults", request_body = Restart, responses(
    (status = 202), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem)))]
pub(super) async fn restart(
    State(api): State<MockApi>,
    request: Body,
) -> Result<Response, Refusal> {
    let Restart { down_ms } = body(request).await?;
    let faults = api.faults.clone();
    // The answer has to be on its way before its connection goes.
    tokio::spawn(async move {
        tokio::time::sleep(ANSWER_FIRST).await;
        faults.restart(Duration::from_millis(down_ms));
    });
    Ok(empty(StatusCode::ACCEPTED))
}

/// Time for the answer to a restart to get out.
const ANSWER_FIRST: Duration = Duration::from_millis(20);
