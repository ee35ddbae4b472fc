//! `POST /jobs/request` (wire.md 3.7, 3.8).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use protocol::{JobRequest, go_json};
use serde_json::json;

use super::parameters::{Parameters, header_text, read_body};
use super::reply;
use super::state::{Peer, State, peer};
use crate::world::{ApiError, PollAnswer};

pub(super) async fn request(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    let connection = request.extensions().get::<Peer>().cloned();
    let peer = peer(request.extensions());
    let (head, body) = request.into_parts();
    let body = match read_body(body, state.limits.job_request_bytes).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let json = header_text(&head.headers, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let query = head.uri.query();
    let plain = (json && query.is_none()).then(|| plain(&state, &body));
    let poll = match plain.flatten() {
        Some(poll) => poll,
        None => match decode(query, &head.headers, &body) {
            Ok(poll) => Arc::new(poll),
            Err(error) => return reply::error(&error),
        },
    };
    // A poll may be held for long: only what it says is kept, not the buffer that it was read into.
    drop((head, body));
    if json
        && state
            .hold(&poll.token, &poll.last_update, connection.as_ref())
            .await
    {
        return reply::empty(StatusCode::NO_CONTENT);
    }
    match state.call(|world, now| world.request_job(now, &poll, &peer)) {
        PollAnswer::Job(payload) => reply::json_body(StatusCode::CREATED, &payload),
        PollAnswer::OddJob { payload, .. } => reply::json_body(StatusCode::CREATED, &payload),
        PollAnswer::NoJob { last_update, .. } => reply::no_job(&last_update),
        PollAnswer::Conflict => reply::json_body(
            StatusCode::CONFLICT,
            &protocol::error_body::message(409, "Conflict", None),
        ),
        PollAnswer::Error(error) => reply::error(&error),
    }
}

/// A poll as runners send it.
fn plain(state: &State, body: &[u8]) -> Option<Arc<JobRequest>> {
    if let Some(poll) = state.polls.get(body) {
        return Some(poll);
    }
    let poll = Arc::new(go_json::from_plain_slice(body)?);
    state.polls.keep(body, &poll);
    Some(poll)
}

/// A poll in any of the ways in which parameters can be given.
fn decode(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<JobRequest, ApiError> {
    let parameters = Parameters::decode(query, headers, body)?;
    go_json::from_value(parameters.into_value()).map_err(|error| {
        tracing::debug!(%error, "a poll could not be decoded");
        ApiError::new(400, json!({ "error": "info is invalid" }))
    })
}
