//! Answers as HTTP (wire.md 1.8, 4.2, 5.2).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use protocol::header;
use serde::Serialize;
use serde_json::{Value, json};

use crate::world::{ApiError, Credentials, TraceAnswer, UpdateAnswer};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JOB_STATUS: HeaderName = HeaderName::from_static(header::JOB_STATUS);
const RANGE: HeaderName = HeaderName::from_static(header::RANGE);
const RETRY_AFTER: HeaderName = HeaderName::from_static(header::RETRY_AFTER);
const X_GITLAB_LAST_UPDATE: HeaderName = HeaderName::from_static(header::X_GITLAB_LAST_UPDATE);
const X_GITLAB_TRACE_UPDATE_INTERVAL: HeaderName =
    HeaderName::from_static(header::X_GITLAB_TRACE_UPDATE_INTERVAL);

fn set(response: &mut Response, name: HeaderName, value: &str) {
    // Values are numbers, states and hex texts of our own; one that is no header value is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// An answer with a JSON body.
pub(super) fn json_body(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => bytes_body(status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be encoded");
            bytes_body(
                StatusCode::INTERNAL_SERVER_ERROR,
                br#"{"message":"500 Internal Server Error"}"#.to_vec(),
            )
        }
    }
}

fn bytes_body(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// 204 to a poll, with the value that the runner sends back as `last_update`.
pub(super) fn no_job(last_update: &str) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    set(&mut response, X_GITLAB_LAST_UPDATE, last_update);
    response
}

pub(super) fn status_of(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An error of the world.
pub(super) fn error(error: &ApiError) -> Response {
    let mut response = json_body(status_of(error.status), &error.body);
    if let Some(status) = error.job_status {
        set(&mut response, JOB_STATUS, status.as_str());
    }
    if let Some(size) = error.range {
        set(&mut response, RANGE, &protocol::trace::stored_range(size));
    }
    if let Some(seconds) = error.retry_after_s {
        set(&mut response, RETRY_AFTER, &seconds.to_string());
    }
    response
}

/// `{id, token, token_expires_at}`.
pub(super) fn credentials(status: StatusCode, answer: &Credentials) -> Response {
    json_body(
        status,
        &json!({
            "id": answer.id,
            "token": answer.token,
            "token_expires_at": answer.token_expires_at.map(milliseconds),
        }),
    )
}

/// `{token, token_expires_at}` of a reset.
pub(super) fn new_token(answer: &Credentials) -> Response {
    json_body(
        StatusCode::CREATED,
        &json!({
            "token": answer.token,
            "token_expires_at": answer.token_expires_at.map(milliseconds),
        }),
    )
}

/// GitLab's form of a time: ISO 8601, UTC, milliseconds.
pub(super) fn milliseconds(time: jiff::Timestamp) -> String {
    format!("{time:.3}")
}

/// 202 to a trace patch. The body does not matter; GitLab sends the range again.
pub(super) fn trace(answer: TraceAnswer) -> Response {
    let range = protocol::trace::stored_range(answer.stored);
    let mut response = Response::new(Body::from(range.clone()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    set(&mut response, JOB_STATUS, answer.job_status.as_str());
    set(&mut response, RANGE, &range);
    set(
        &mut response,
        X_GITLAB_TRACE_UPDATE_INTERVAL,
        &answer.interval_s.to_string(),
    );
    response
}

/// Answer to a job update: the status number as a JSON string (wire.md 1.8).
pub(super) fn update(answer: UpdateAnswer) -> Response {
    let mut response = json_body(
        status_of(answer.status),
        &Value::String(answer.status.to_string()),
    );
    set(&mut response, JOB_STATUS, answer.job_status.as_str());
    if let Some(interval) = answer.interval_s {
        set(
            &mut response,
            X_GITLAB_TRACE_UPDATE_INTERVAL,
            &interval.to_string(),
        );
    }
    response
}

/// 413: the body is longer than allowed.
pub(super) fn too_large() -> Response {
    json_body(
        StatusCode::PAYLOAD_TOO_LARGE,
        &json!({ "message": "413 Request Entity Too Large" }),
    )
}

/// 404 for a path that is no endpoint, as Grape answers.
pub(super) async fn no_route(uri: Uri) -> Response {
    tracing::debug!(path = uri.path(), "no such endpoint");
    json_body(StatusCode::NOT_FOUND, &json!({ "error": "404 Not Found" }))
}

/// 405 for a method that an endpoint does not have.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    tracing::debug!(%method, path = uri.path(), "no such method here");
    json_body(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({ "error": "405 Not Allowed" }),
    )
}

/// Either answer of the world, as HTTP.
pub(super) fn either<T>(
    result: Result<T, ApiError>,
    answer: impl FnOnce(T) -> Response,
) -> Response {
    match result {
        Ok(value) => answer(value),
        Err(problem) => error(&problem),
    }
    .into_response()
}
