//! Git LFS for reading: what a job's `git lfs pull` asks for.
//!
//! Objects lie where git LFS itself puts them in a bare repository, `lfs/objects/ab/cd/abcd…`, so a
//! repository that was copied here with its LFS files serves them too.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::io::ReaderStream;

use super::backend::plain;
use crate::http::timed_out;

/// Batch call, behind the repository.
pub(super) const BATCH: &str = "info/lfs/objects/batch";
/// Objects, behind the repository; GitLab's own path.
pub(super) const OBJECTS: &str = "gitlab-lfs/objects/";
const JSON: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");
/// Longest batch request, bytes; git-lfs asks for 100 objects at a time.
const MAX_BATCH: usize = 1024 * 1024;

/// The text that stands in a commit for a file with these bytes.
pub fn pointer(bytes: &[u8]) -> String {
    format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
        object_id(bytes),
        bytes.len()
    )
}

/// Puts an object into the bare repository at `repository`.
pub fn store(repository: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = place(repository, &object_id(bytes));
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(place, bytes)
}

/// SHA-256, hex.
pub(crate) fn object_id(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// 64 hex digits; so no path leaves the folder of objects.
pub(super) fn is_object_id(id: &str) -> bool {
    id.len() == 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn place(repository: &Path, id: &str) -> PathBuf {
    let objects = repository.join("lfs/objects");
    objects.join(&id[..2]).join(&id[2..4]).join(id)
}

#[derive(Deserialize)]
struct Batch {
    operation: String,
    #[serde(default)]
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    size: u64,
}

/// Says where each object of a batch is. `base` is the repository's URL.
pub(super) async fn batch(repository: &Path, base: &str, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BATCH).collect().await {
        Ok(body) => body,
        Err(error) => {
            let (status, message) = if error.is::<LengthLimitError>() {
                (StatusCode::PAYLOAD_TOO_LARGE, "the batch is too long")
            } else if timed_out(&*error) {
                (
                    StatusCode::REQUEST_TIMEOUT,
                    "the batch did not come in time",
                )
            } else {
                (StatusCode::BAD_REQUEST, "the batch broke off")
            };
            return answer(status, &json!({ "message": message }));
        }
    };
    let batch: Batch = match serde_json::from_slice(&body.to_bytes()) {
        Ok(batch) => batch,
        Err(error) => {
            return answer(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "message": format!("the batch cannot be read: {error}") }),
            );
        }
    };
    if batch.operation != "download" {
        return answer(
            StatusCode::FORBIDDEN,
            &json!({ "message": "Access forbidden. Check your access level." }),
        );
    }
    let credentials = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let mut objects = Vec::new();
    for object in &batch.objects {
        objects.push(describe(repository, base, credentials, object).await);
    }
    answer(
        StatusCode::OK,
        &json!({ "transfer": "basic", "objects": objects }),
    )
}

async fn describe(
    repository: &Path,
    base: &str,
    credentials: Option<&str>,
    object: &Object,
) -> Value {
    let Object { oid, size } = object;
    let there = is_object_id(oid) && tokio::fs::metadata(place(repository, oid)).await.is_ok();
    if !there {
        return json!({ "oid": oid, "size": size, "error": {
            "code": 404,
            "message": "Object does not exist on the server or you don't have permissions to access it",
        }});
    }
    let header = credentials.map_or_else(|| json!({}), |text| json!({ "Authorization": text }));
    json!({ "oid": oid, "size": size, "authenticated": true, "actions": {
        "download": { "href": format!("{base}/{OBJECTS}{oid}"), "header": header },
    }})
}

/// The bytes of an object.
pub(super) async fn download(repository: &Path, id: &str) -> Response {
    let Ok(file) = tokio::fs::File::open(place(repository, id)).await else {
        return plain(StatusCode::NOT_FOUND, "404 Not Found\n");
    };
    let length = file.metadata().await.map(|metadata| metadata.len()).ok();
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file)));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
