//! `POST /jobs/:id/artifacts` and its `authorize` (wire.md 6.1, 6.2).

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode};
use multer::{Field, Multipart};
use protocol::artifact::UPLOAD_FIELD;
use protocol::header;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::store::{Incoming, Key};
use super::{dotenv, workhorse};
use crate::http::job::id_of;
use crate::http::parameters::{Parameters, header_text, timed_out};
use crate::http::reply;
use crate::http::state::State;
use crate::world::{ApiError, JobId, NewArtifact, Upload};

/// Longest text field of the form, bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Most fields of the form.
const MAX_FIELDS: usize = 64;

fn bad_request(body: Value) -> ApiError {
    ApiError::new(400, body)
}

fn broken(error: &std::io::Error) -> ApiError {
    tracing::error!(%error, "an artifact cannot be stored");
    ApiError::new(503, json!({ "message": "503 Service Unavailable" }))
}

pub(in crate::http) async fn upload(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    match receive(&state, &id, request).await {
        Ok(()) => reply::json_body(StatusCode::CREATED, &json!("201")),
        Err(error) => reply::error(&error),
    }
}

/// Query and token of a request whose body is not read yet: what workhorse passes on first.
fn opening(head: &Parts) -> Result<(Parameters, Option<String>), ApiError> {
    let parameters = Parameters::decode(head.uri.query(), &head.headers, b"")?;
    if parameters.any(|name| name.starts_with("file.")) {
        return Err(bad_request(json!({ "error": "file is invalid" })));
    }
    let token = parameters
        .text("token")
        .or_else(|| header_text(&head.headers, header::JOB_TOKEN))
        .map(str::to_owned);
    Ok((parameters, token))
}

async fn receive(state: &State, id: &str, request: Request<Body>) -> Result<(), ApiError> {
    let id = id_of(id)?;
    let (head, body) = request.into_parts();
    let (mut parameters, token) = opening(&head)?;
    // Before the body is read: a refused upload costs its sender nothing.
    let maximum = state
        .call(|world, now| world.authorize_artifact_upload(now, id, token.as_deref(), None))?;
    let content_type = header_text(&head.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let missing = || bad_request(json!({ "error": "file is missing" }));
    let boundary = multer::parse_boundary(content_type).map_err(|_| missing())?;
    let mut form = Multipart::new(body.into_data_stream(), boundary);
    let mut received = None;
    for _ in 0..MAX_FIELDS {
        let Some(field) = form.next_field().await.map_err(|error| no_form(&error))? else {
            break;
        };
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name() {
            Some(_) if name == UPLOAD_FIELD && received.is_none() => {
                received = Some(file(state, field, maximum).await?);
            }
            // Only workhorse may say where a file is.
            None if name == UPLOAD_FIELD || name.starts_with("file.") => {
                return Err(bad_request(json!({ "error": "file is invalid" })));
            }
            None => {
                let value = text(field).await?;
                parameters.insert(&name, value);
            }
            Some(_) => {
                return Err(bad_request(
                    json!({ "message": "400 Bad request - one file is expected, in the field file" }),
                ));
            }
        }
    }
    keep(
        state,
        id,
        token.as_deref(),
        &parameters,
        received.ok_or_else(missing)?,
    )
    .await
}

fn no_form(error: &multer::Error) -> ApiError {
    if timed_out(error) {
        return ApiError::new(408, json!({ "message": "408 Request Timeout" }));
    }
    tracing::debug!(%error, "an upload cannot be read");
    bad_request(json!({ "message": "400 Bad request - the form cannot be read" }))
}

/// A file that was read to its end.
struct Received {
    incoming: Incoming,
    filename: String,
    size: u64,
    sha256: String,
}

async fn file(state: &State, mut field: Field<'_>, maximum: u64) -> Result<Received, ApiError> {
    let filename = field.file_name().map(safe_name).unwrap_or_default();
    let mut incoming = state
        .artifacts
        .receive()
        .await
        .map_err(|error| broken(&error))?;
    let mut hash = Sha256::new();
    let mut size = 0;
    while let Some(chunk) = field.chunk().await.map_err(|error| no_form(&error))? {
        size += chunk.len() as u64;
        if size > maximum {
            return Err(ApiError::file_too_large());
        }
        hash.update(&chunk);
        incoming
            .write(&chunk)
            .await
            .map_err(|error| broken(&error))?;
    }
    let mut sha256 = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(sha256, "{byte:02x}");
    }
    Ok(Received {
        incoming,
        filename,
        size,
        sha256,
    })
}

async fn text(mut field: Field<'_>) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| no_form(&error))? {
        if bytes.len() + chunk.len() > MAX_TEXT {
            return Err(ApiError::new(
                413,
                json!({ "message": "413 Request Entity Too Large" }),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last segment of a file name, with `_` for what a file name in a header should not have.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '+' | '_' => c,
            _ => '_',
        })
        .collect()
}

async fn keep(
    state: &State,
    id: JobId,
    token: Option<&str>,
    parameters: &Parameters,
    mut received: Received,
) -> Result<(), ApiError> {
    let file_type = parameters.text("artifact_type");
    let dotenv = if file_type == Some("dotenv") {
        let packed = received
            .incoming
            .content(dotenv::MAX_PACKED)
            .await
            .map_err(|error| broken(&error))?;
        let variables =
            dotenv::read(&packed).map_err(|text| bad_request(json!({ "message": text })))?;
        Some(variables)
    } else {
        None
    };
    let stored_type = file_type.unwrap_or(protocol::artifact::DEFAULT_TYPE);
    // Only known types become a part of a path; the world refuses the others below.
    let known = protocol::artifact::format_of(stored_type).is_some();
    let key = Key::new(id, stored_type, &received.sha256);
    if known {
        let kept = state.artifacts.keep(received.incoming, &key).await;
        kept.map_err(|error| broken(&error))?;
    }
    let result = state.call(|world, now| {
        let remote_url = world
            .settings()
            .artifacts_object_storage
            .then(|| super::storage_url(world, id, stored_type, &received.sha256));
        let new = NewArtifact {
            file_type,
            file_format: parameters.text("artifact_format"),
            filename: &received.filename,
            size: received.size,
            sha256: &received.sha256,
            expire_in: parameters.text("expire_in"),
            dotenv,
            remote_url: remote_url.as_deref(),
        };
        world.add_artifact(now, id, token, new)
    });
    match result {
        Ok(Upload::Stored | Upload::Duplicate) => Ok(()),
        Err(error) => {
            let in_use = state.call(|world, _| {
                world
                    .artifact(id, stored_type)
                    .is_some_and(|old| *old.sha256 == *received.sha256)
            });
            if known && !in_use {
                state.artifacts.forget(&key).await;
            }
            Err(error)
        }
    }
}

/// `POST /jobs/:id/artifacts/authorize`, which only workhorse calls.
pub(in crate::http) async fn authorize(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let (head, _) = request.into_parts();
    let signed = state
        .workhorse_secret
        .as_deref()
        .is_some_and(|secret| workhorse::is_signed(&head.headers, secret));
    let result = opening(&head).and_then(|(parameters, token)| {
        let id = id_of(&id)?;
        let size = parameters
            .integer("filesize")?
            .and_then(|size| u64::try_from(size).ok());
        if !signed {
            return Err(ApiError::forbidden());
        }
        let maximum = state
            .call(|world, now| world.authorize_artifact_upload(now, id, token.as_deref(), size))?;
        let mut body = json!({
            "TempPath": state.artifacts.temporary(),
            "MaximumSize": maximum,
        });
        if parameters.text("artifact_type") == Some("lsif") {
            body["ProcessLsif"] = Value::Bool(true);
        }
        Ok(body)
    });
    match result {
        Err(error) => reply::error(&error),
        Ok(body) => {
            let mut response = reply::json_body(StatusCode::OK, &body);
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/vnd.gitlab-workhorse+json"),
            );
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::safe_name;

    #[test]
    fn names_of_files() {
        for (sent, kept) in [
            ("artifacts.zip", "artifacts.zip"),
            ("../../etc/passwd", "passwd"),
            (r"C:\x\a b.zip", "a_b.zip"),
            ("a\"\r\nb.zip", "a___b.zip"),
            ("", ""),
        ] {
            assert_eq!(safe_name(sent), kept);
        }
    }
}
