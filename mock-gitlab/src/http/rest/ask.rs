use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::page::List;
use crate::http::parameters::{Parameters, personal_access_token};
use crate::http::reply;
use crate::http::state::State;
use crate::world::state::User;
use crate::world::{ActionError, ApiError, GroupId, ProjectId, SetupError, World};

/// A call: who, when, with what.
pub(in crate::http) struct Asked {
    pub(super) user: User,
    pub(super) now: Timestamp,
    pub(super) parameters: Parameters,
    /// Path and query below `/api/v4`, for the links of a list.
    pub(super) path: String,
    pub(super) query: String,
}

impl Asked {
    /// 403 unless an administrator asks.
    pub(super) fn demand_admin(&self) -> Result<(), ApiError> {
        if self.user.admin {
            Ok(())
        } else {
            Err(ApiError::forbidden())
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.parameters
            .text(name)
            .ok_or_else(|| ApiError::missing(name))
    }
}

/// An answer.
pub(super) enum Reply {
    /// An object.
    Json(StatusCode, Value),
    /// A page of a list.
    List(List),
    /// 204.
    Empty,
    /// The log of a job, and the job's id.
    Log(i64, Vec<u8>),
}

impl Reply {
    pub(super) fn ok(body: Value) -> Reply {
        Reply::Json(StatusCode::OK, body)
    }

    pub(super) fn created(body: Value) -> Reply {
        Reply::Json(StatusCode::CREATED, body)
    }
}

/// Reads a call, checks who makes it, and lets `answer` answer it, all in one look at the world.
pub(super) async fn ask(
    state: &State,
    request: Request<Body>,
    answer: impl FnOnce(&mut World, &Asked) -> Result<Reply, ApiError>,
) -> Response {
    match read(state, request).await {
        Err(answer) => answer,
        Ok(asked) => {
            let result = state.call(|world, _| {
                answer(world, &asked).map(|reply| (reply, world.settings().external_url.clone()))
            });
            match result {
                Err(error) => reply::error(&error),
                Ok((reply, url)) => respond(reply, &asked, &url),
            }
        }
    }
}

/// Who calls, and with which parameters. Without a valid token the body is not read.
pub(super) async fn read(state: &State, request: Request<Body>) -> Result<Asked, Response> {
    let query = Parameters::decode(request.uri().query(), request.headers(), b"")
        .map_err(|error| reply::error(&error))?;
    let token = personal_access_token(request.headers())
        .or_else(|| query.text("private_token"))
        .or_else(|| query.text("access_token"));
    let (user, now) = state.call(|world, now| {
        world.tick(now);
        let user = token.and_then(|token| world.user_by_personal_access_token(token));
        (user.cloned(), now)
    });
    let Some(user) = user.filter(|user| !user.blocked) else {
        return Err(reply::error(&ApiError::unauthorized()));
    };
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let parameters = Parameters::read(request, state.limits.body_bytes).await?;
    Ok(Asked {
        user,
        now,
        parameters,
        path,
        query,
    })
}

pub(super) fn respond(reply: Reply, asked: &Asked, url: &str) -> Response {
    match reply {
        Reply::Json(status, body) => reply::json_body(status, &body),
        Reply::List(list) => list.respond(url, &asked.path, &asked.query),
        Reply::Empty => reply::empty(StatusCode::NO_CONTENT),
        Reply::Log(job, bytes) => {
            let mut response = Response::new(Body::from(bytes));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            if let Ok(value) = HeaderValue::from_str(&format!("infile; filename=\"{job}.log\"")) {
                headers.insert(CONTENT_DISPOSITION, value);
            }
            response
        }
    }
}

/// The project of a path segment: an id, or the full path.
pub(super) fn project(world: &World, segment: &str) -> Result<ProjectId, ApiError> {
    let by_id = segment.parse().ok().and_then(|id| world.project(id));
    by_id
        .or_else(|| world.project_by_path(segment))
        .filter(|project| !project.pending_delete)
        .map(|project| project.id)
        .ok_or_else(|| ApiError::not_found(Some("Project")))
}

/// The group of a path segment: an id, or the full path.
pub(super) fn group(world: &World, segment: &str) -> Result<GroupId, ApiError> {
    let by_id = segment.parse().ok().and_then(|id| world.group(id));
    by_id
        .or_else(|| world.groups().find(|group| group.full_path == segment))
        .map(|group| group.id)
        .ok_or_else(|| ApiError::not_found(Some("Group")))
}

/// Ids that are no numbers are unknown.
pub(super) fn number(segment: &str, what: &str) -> Result<i64, ApiError> {
    segment.parse().map_err(|_| ApiError::not_found(Some(what)))
}

/// The answer when something cannot be made.
pub(super) fn refused(error: &SetupError) -> ApiError {
    match error {
        SetupError::Invalid { attribute, text } => ApiError::validation(attribute, text),
        SetupError::Unknown { what, .. } | SetupError::UnknownName { what, .. } => {
            let mut what = (*what).to_owned();
            if let Some(first) = what.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            ApiError::not_found(Some(&what))
        }
        SetupError::Taken { .. } => ApiError::validation("base", &error.to_string()),
    }
}

/// The answer when something cannot be done. What a wrong state means differs by endpoint.
pub(super) fn not_done(error: &ActionError, wrong_state: impl FnOnce() -> ApiError) -> ApiError {
    match error {
        ActionError::Setup(error) => refused(error),
        ActionError::Unknown { .. } => ApiError::not_found(None),
        ActionError::State { .. } | ActionError::Archived { .. } => wrong_state(),
    }
}
