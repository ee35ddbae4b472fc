//! `GET /jobs/:id/artifacts`, and the object storage that it may lead to (wire.md 6.3).

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, RANGE,
};
use http::{HeaderMap, Request, StatusCode};
use protocol::header;

use super::store::Key;
use crate::http::job::id_of;
use crate::http::parameters::{Parameters, header_text};
use crate::http::reply;
use crate::http::state::State;
use crate::world::{ApiError, Artifact, JobId};

pub(in crate::http) async fn download(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let found = find(&state, &id, &request);
    match found {
        Err(error) => reply::error(&error),
        Ok((_, artifact, true)) if artifact.remote_url.is_some() => {
            let mut response = reply::empty(StatusCode::FOUND);
            set(
                &mut response,
                LOCATION,
                artifact.remote_url.as_deref().unwrap_or_default(),
            );
            response
        }
        Ok((id, artifact, _)) => send(&state, id, &artifact).await,
    }
}

fn find(
    state: &State,
    id: &str,
    request: &Request<Body>,
) -> Result<(JobId, Artifact, bool), ApiError> {
    let id = id_of(id)?;
    let headers = request.headers();
    let parameters = Parameters::decode(request.uri().query(), headers, b"")?;
    let direct = parameters.boolean("direct_download")?.unwrap_or(false);
    let token = parameters
        .text("token")
        .or_else(|| header_text(headers, header::JOB_TOKEN));
    let artifact = state.call(|world, now| world.download_artifact(now, token, id).cloned())?;
    Ok((id, artifact, direct))
}

/// The file itself.
pub(in crate::http) async fn send(state: &State, id: JobId, artifact: &Artifact) -> Response {
    match state.artifacts.read(&Key::of(id, artifact), None).await {
        Err(error) => {
            tracing::error!(%error, job = id, "an artifact is not where it was put");
            reply::error(&ApiError::not_found(None))
        }
        Ok(body) => {
            let mut response = Response::new(body);
            describe(&mut response, artifact);
            set(&mut response, CONTENT_LENGTH, &artifact.size.to_string());
            response
        }
    }
}

fn describe(response: &mut Response, artifact: &Artifact) {
    set(response, CONTENT_TYPE, "application/octet-stream");
    set(
        response,
        CONTENT_DISPOSITION,
        &format!("attachment; filename=\"{}\"", artifact.filename),
    );
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// `GET <storage>/:job/:type/:hash`: what remote storage does, ranges included. Knowing the hash of the
/// content is what a signed URL is elsewhere.
pub(in crate::http) async fn storage(
    Extract(state): Extract<State>,
    Path((id, file_type, hash)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let artifact = id_of(&id).ok().and_then(|id| {
        state.call(|world, _| {
            let artifact = world.artifact(id, &file_type)?;
            let known = artifact.remote_url.is_some() && *artifact.sha256 == *hash;
            known.then(|| (id, artifact.clone()))
        })
    });
    let Some((id, artifact)) = artifact else {
        return no_such_key();
    };
    let size = artifact.size;
    let range = header_text(&headers, RANGE.as_str());
    let (status, part) = match range.and_then(|range| part_of(range, size)) {
        None => (StatusCode::OK, 0..size),
        Some(None) => {
            let mut response = reply::empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
        Some(Some(part)) => (StatusCode::PARTIAL_CONTENT, part),
    };
    let key = Key::of(id, &artifact);
    let Ok(body) = state.artifacts.read(&key, Some(part.clone())).await else {
        return no_such_key();
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    describe(&mut response, &artifact);
    set(&mut response, ACCEPT_RANGES, "bytes");
    let length = part.end - part.start;
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        set(&mut response, CONTENT_RANGE, &range);
    }
    response
}

fn no_such_key() -> Response {
    let mut response = Response::new(Body::from(
        "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>",
    ));
    *response.status_mut() = StatusCode::NOT_FOUND;
    set(&mut response, CONTENT_TYPE, "application/xml");
    response
}

/// One range `bytes=a-b`, `bytes=a-` or `bytes=-n` of a file. Outer `None`: no such header, so all of
/// it; inner `None`: outside of the file.
#[expect(
    clippy::option_option,
    reason = "no range, a bad range and a range are three answers"
)]
fn part_of(header: &str, size: u64) -> Option<Option<std::ops::Range<u64>>> {
    let range = header.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let part = if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        size.saturating_sub(count)..size
    } else {
        let first: u64 = first.parse().ok()?;
        let end = match last {
            "" => size,
            last => last.parse::<u64>().ok()?.saturating_add(1).min(size),
        };
        first..end
    };
    Some((part.start < part.end).then_some(part))
}

#[cfg(test)]
mod tests {
    use super::part_of;

    #[test]
    fn parts() {
        for (header, expected) in [
            ("bytes=0-0", Some(Some(0..1))),
            ("bytes=2-", Some(Some(2..10))),
            ("bytes=2-99", Some(Some(2..10))),
            ("bytes=-3", Some(Some(7..10))),
            ("bytes=-99", Some(Some(0..10))),
            ("bytes=10-", Some(None)),
            ("bytes=5-4", Some(None)),
            ("bytes=-0", Some(None)),
            ("lines=1-2", None),
            ("bytes=a-b", None),
            ("bytes=0-1,3-4", None),
        ] {
            assert_eq!(part_of(header, 10), expected, "{header}");
        }
    }
}
