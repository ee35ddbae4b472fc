//! `PUT /jobs/:id` and `PATCH /jobs/:id/trace` (wire.md 4 and 5).

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::Request;
use protocol::header;
use serde_json::Value;

use super::parameters::{Parameters, header_text, read_body_into};
use super::reply;
use super::state::{State, peer};
use crate::world::{ApiError, JobId, RawUpdate};

/// An id of the path. GitLab's route takes digits only; anything else is no such endpoint.
pub(super) fn id_of(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found(None))
}

pub(super) async fn update(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let peer = peer(request.extensions());
    let id = match id_of(&id) {
        Ok(id) => id,
        Err(error) => return reply::error(&error),
    };
    let parameters = match Parameters::read(request, state.limits.body_bytes).await {
        Ok(parameters) => parameters,
        Err(answer) => return answer,
    };
    let exit_code = match parameters.integer("exit_code") {
        Ok(code) => code,
        Err(error) => return reply::error(&error),
    };
    let output = parameters.value("output");
    let of_output = |name: &str| output.and_then(|output| output.get(name));
    let update = RawUpdate {
        token: parameters.text("token"),
        state: parameters.text("state"),
        failure_reason: parameters.text("failure_reason"),
        checksum: of_output("checksum")
            .and_then(Value::as_str)
            .filter(|sum| !sum.is_empty())
            .or_else(|| parameters.text("checksum")),
        bytesize: of_output("bytesize").and_then(Value::as_u64),
        exit_code: exit_code.map(|code| code as i32),
    };
    reply::either(
        state.call(|world, now| world.update_job(now, id, update, &peer)),
        reply::update,
    )
}

pub(super) async fn patch_trace(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let id = match id_of(&id) {
        Ok(id) => id,
        Err(error) => return reply::error(&error),
    };
    let (head, body) = request.into_parts();
    let peer = peer(&head.extensions);
    // The body is the log itself, so only the query can hold parameters.
    let parameters = match Parameters::decode(head.uri.query(), &head.headers, b"") {
        Ok(parameters) => parameters,
        Err(error) => return reply::error(&error),
    };
    let debug_trace = match parameters.boolean("debug_trace") {
        Ok(debug) => debug.unwrap_or(false),
        Err(error) => return reply::error(&error),
    };
    // The parameter wins over the header (wire.md 1.3).
    let token = parameters
        .text("token")
        .or_else(|| header_text(&head.headers, header::JOB_TOKEN))
        .map(str::to_owned);
    let range = header_text(&head.headers, header::CONTENT_RANGE).map(str::to_owned);
    // The head is a part of the buffer into which the body will be read; now it can be used again.
    drop((head, parameters));
    let mut buffer = state.buffers.take();
    let answer = match read_body_into(&mut buffer, body, state.limits.trace_bytes).await {
        Ok(()) => reply::either(
            state.call(|world, now| {
                let (token, range) = (token.as_deref(), range.as_deref());
                world.patch_trace(now, id, token, range, debug_trace, &buffer, &peer)
            }),
            reply::trace,
        ),
        Err(answer) => answer,
    };
    state.buffers.give(buffer);
    answer
}

/// `GET /jobs/:id/runtime_environment_key` (wire.md 3.10). No environment is ever suspended here, so there is
/// no key.
pub(super) async fn runtime_environment_key(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let headers = request.headers();
    let result = Parameters::decode(request.uri().query(), headers, b"").and_then(|parameters| {
        let token = parameters
            .text("token")
            .or_else(|| header_text(headers, header::JOB_TOKEN));
        let id = id_of(&id)?;
        state.call(|world, now| world.authenticate_job_call(now, id, token))?;
        Err(ApiError::not_found(None))
    });
    reply::either(result, |()| reply::empty(http::StatusCode::OK))
}
