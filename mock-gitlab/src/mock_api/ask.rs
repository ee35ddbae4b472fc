//! Who may call, and the form of answers.

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MockApi, ROOT};
use crate::http::{personal_access_token, timed_out};
use crate::world::World;

/// Longest body of a call, bytes.
const BODY_BYTES: usize = 1024 * 1024;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Problem {
    /// What is wrong, and what to do.
    pub message: String,
}

/// An answer that is none of those that were hoped for.
pub(super) struct Refusal(StatusCode, String);

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal(status, message.into())
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    /// For what went wrong in the server.
    pub(super) fn internal(problem: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, problem.to_string())
    }

    pub(super) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.0, &Problem { message: self.1 })
    }
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer of the mock API could not be encoded");
        b"{}".to_vec()
    });
    json_bytes(status, bytes)
}

/// An answer with a body that is JSON already.
pub(super) fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The JSON body of a call; an empty one is an empty object.
pub(super) async fn body<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = raw_body(body, BODY_BYTES).await?;
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| Refusal::bad_request(format!("body: {error}")))
}

/// A whole body of at most `limit` bytes.
pub(super) async fn raw_body(body: Body, limit: usize) -> Result<bytes::Bytes, Refusal> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {limit} bytes"),
        )),
        Err(error) if timed_out(&*error) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time".to_owned(),
        )),
        Err(_) => Err(Refusal::bad_request("the body broke off")),
    }
}

/// Lets administrators through: 401 without a token, 403 for everybody else. A page of another site that
/// somebody's browser shows has no token, so it cannot call either.
pub(super) async fn demand_admin(
    State(api): State<MockApi>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if request.uri().path() == super::document::PATH {
        return next.run(request).await;
    }
    let token = personal_access_token(request.headers());
    let user = token.and_then(|token| {
        api.look(|world, _| {
            let user = world.user_by_personal_access_token(token)?;
            Some(user.admin && !user.blocked)
        })
    });
    match user {
        Some(true) => next.run(request).await,
        Some(false) => Refusal::new(StatusCode::FORBIDDEN, "an administrator's token is needed")
            .into_response(),
        None => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "give an administrator's personal access token in the header PRIVATE-TOKEN",
        )
        .into_response(),
    }
}

pub(super) async fn no_route(uri: Uri) -> Response {
    Refusal::not_found(format!(
        "there is no {ROOT}{}: see openapi.json",
        uri.path()
    ))
    .into_response()
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let message = format!("{ROOT}{} has no {method}: see openapi.json", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).into_response()
}

impl MockApi {
    /// Looks at the world, brought up to date.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let mut world = self
            .world
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // Under the lock, so that times are in the order of calls.
        let now = self.clock.now();
        world.tick(now);
        look(&mut world, now)
    }

    /// Changes the world, and tells those who wait.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let result = self.look(act);
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
        result
    }
}
