//! `POST /jobs/request` (wire.md 3.7, 3.8).

use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use protocol::{JobRequest, go_json};
use serde_json::json;

use super::parameters::{Parameters, header_text};
use super::reply;
use super::state::{State, peer};
use crate::world::{ApiError, PollAnswer};

pub(super) async fn request(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    let peer = peer(request.extensions());
    let json = header_text(request.headers(), CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let parameters = match Parameters::read(request, state.limits.job_request_bytes).await {
        Ok(parameters) => parameters,
        Err(answer) => return answer,
    };
    if json && state.hold(&parameters).await {
        return reply::empty(StatusCode::NO_CONTENT);
    }
    let poll: JobRequest = match go_json::from_value(parameters.into_value()) {
        Ok(poll) => poll,
        Err(error) => {
            tracing::debug!(%error, "a poll could not be decoded");
            return reply::error(&ApiError::new(400, json!({ "error": "info is invalid" })));
        }
    };
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
