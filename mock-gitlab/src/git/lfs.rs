//! Git LFS, by the basic transfer: `git lfs pull` and `push`.
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
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::backend::plain;
use crate::http::timed_out;

/// Batch call, behind the repository.
const BATCH: &str = "info/lfs/objects/batch";
/// Locks of files, behind the repository.
const LOCKS: &str = "info/lfs/locks";
/// Objects, behind the repository; GitLab's own path.
const OBJECTS: &str = "gitlab-lfs/objects/";
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

/// Puts an object into the bare repository at `repository`, in one step.
pub fn store(repository: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = place(repository, &object_id(bytes));
    let mut file = incoming(repository)?;
    io::Write::write_all(&mut file, bytes)?;
    keep(file.into_temp_path(), &place)
}

/// A file for an object that is not whole yet. Dropped, it leaves nothing.
fn incoming(repository: &Path) -> io::Result<NamedTempFile> {
    let folder = repository.join("lfs/incomplete");
    std::fs::create_dir_all(&folder)?;
    NamedTempFile::new_in(folder)
}

fn keep(path: TempPath, place: &Path) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    path.persist(place).map_err(|error| error.error)
}

/// Ids of the objects of the bare repository at `repository`, sorted.
pub(super) fn stored(repository: &Path) -> Vec<String> {
    let below = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let mut ids: Vec<String> = below(repository.join("lfs/objects"))
        .flat_map(below)
        .flat_map(below)
        .filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()))
        .filter(|id| is_object_id(id) && place(repository, id).is_file())
        .collect();
    ids.sort_unstable();
    ids
}

/// SHA-256, hex.
pub(crate) fn object_id(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    let mut text = String::new();
    for byte in digest {
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

pub(super) fn place(repository: &Path, id: &str) -> PathBuf {
    let objects = repository.join("lfs/objects");
    objects.join(&id[..2]).join(&id[2..4]).join(id)
}

/// A call of LFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call<'a> {
    /// Where are these objects?
    Batch,
    /// Anything about locks.
    Locks,
    /// The bytes of an object.
    Object(&'a str),
    /// The bytes of an object are brought, so many.
    Bring(&'a str, u64),
}

impl Call<'_> {
    /// What stands behind the repository as a call.
    pub(super) fn of(service: &str) -> Option<Call<'_>> {
        if service == BATCH {
            return Some(Call::Batch);
        }
        let behind = service.strip_prefix(LOCKS);
        if behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Some(Call::Locks);
        }
        let object = service.strip_prefix(OBJECTS)?;
        let (id, size) = match object.split_once('/') {
            Some((id, size)) => (id, Some(size.parse().ok()?)),
            None => (object, None),
        };
        if !is_object_id(id) {
            return None;
        }
        Some(size.map_or(Call::Object(id), |size| Call::Bring(id, size)))
    }
}

/// What is called, and by whom.
pub(super) struct Asked<'a> {
    /// Folder of the repository.
    pub(super) repository: &'a Path,
    /// Its URL.
    pub(super) base: &'a str,
    /// The caller may push.
    pub(super) write: bool,
    /// Longest object, bytes.
    pub(super) limit: u64,
}

/// Answers a call.
pub(super) async fn serve(call: Call<'_>, asked: Asked<'_>, request: Request<Body>) -> Response {
    match (call, request.method().as_str()) {
        (Call::Batch, "POST") => batch(&asked, request).await,
        // What GitLab says of what its instance does not have; git-lfs then stops asking.
        (Call::Locks, _) => answer(
            StatusCode::NOT_IMPLEMENTED,
            &json!({ "message": "Locks of files are not enabled on this server." }),
        ),
        (Call::Object(id), "GET" | "HEAD") => download(asked.repository, id).await,
        (Call::Bring(..), "PUT") if !asked.write => forbidden(),
        (Call::Bring(id, size), "PUT") => bring(&asked, id, size, request).await,
        _ => plain(StatusCode::NOT_FOUND, "404 Not Found\n"),
    }
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

/// Says where each object of a batch is, or where it can be brought.
async fn batch(asked: &Asked<'_>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BATCH).collect().await {
        Ok(body) => body,
        Err(error) => return interrupted(&*error),
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
    let upload = match batch.operation.as_str() {
        "download" => false,
        "upload" if asked.write => true,
        _ => return forbidden(),
    };
    let credentials = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let mut objects = Vec::new();
    for object in &batch.objects {
        objects.push(describe(asked, upload, credentials, object).await);
    }
    answer(
        StatusCode::OK,
        &json!({ "transfer": "basic", "objects": objects }),
    )
}

async fn describe(
    asked: &Asked<'_>,
    upload: bool,
    credentials: Option<&str>,
    object: &Object,
) -> Value {
    let (Object { oid, size }, base) = (object, asked.base);
    let error = |code: u16, message: &str| json!({ "oid": oid, "size": size, "error": { "code": code, "message": message } });
    if !is_object_id(oid) {
        return error(422, "The id is no SHA-256 in hex");
    }
    let there = tokio::fs::metadata(place(asked.repository, oid)).await;
    let mut header = credentials.map_or_else(|| json!({}), |text| json!({ "Authorization": text }));
    match (upload, there) {
        (false, Err(_)) => error(
            404,
            "Object does not exist on the server or you don't have permissions to access it",
        ),
        (false, Ok(_)) => json!({ "oid": oid, "size": size, "authenticated": true, "actions": {
            "download": { "href": format!("{base}/{OBJECTS}{oid}"), "header": header },
        }}),
        // No action: nothing has to be brought.
        (true, Ok(_)) => json!({ "oid": oid, "size": size }),
        (true, Err(_)) => {
            header["Content-Type"] = Value::from("application/octet-stream");
            header["Transfer-Encoding"] = Value::from("chunked");
            json!({ "oid": oid, "size": size, "authenticated": true, "actions": {
                "upload": { "href": format!("{base}/{OBJECTS}{oid}/{size}"), "header": header },
            }})
        }
    }
}

/// Takes the bytes of an object; keeps them if they are what the path says.
async fn bring(asked: &Asked<'_>, id: &str, size: u64, request: Request<Body>) -> Response {
    if size > asked.limit {
        return too_long(asked.limit);
    }
    match receive(asked.repository, id, size, request.into_body()).await {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        Err(Refused::Body(error)) => interrupted(&*error),
        Err(Refused::Other) => answer(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({ "message": "The bytes are not those of the object's id and size." }),
        ),
        Err(Refused::Io(error)) => {
            tracing::error!(%error, "an LFS object could not be kept");
            answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json!({ "message": "The object could not be kept; the server's log says why." }),
            )
        }
    }
}

enum Refused {
    /// The body was too long, too slow, or broke off.
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The bytes are those of another object.
    Other,
    /// They could not be kept.
    Io(io::Error),
}

async fn receive(repository: &Path, id: &str, size: u64, body: Body) -> Result<(), Refused> {
    let (file, path) = incoming(repository).map_err(Refused::Io)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut digest = Sha256::new();
    let mut received = 0;
    let mut body = Limited::new(body, usize::try_from(size).unwrap_or(usize::MAX));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Refused::Other
            } else {
                Refused::Body(error)
            }
        })?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        digest.update(&chunk);
        received += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(Refused::Io)?;
    }
    if received != size || hex(&digest.finalize()) != id {
        return Err(Refused::Other);
    }
    file.flush().await.map_err(Refused::Io)?;
    keep(path, &place(repository, id)).map_err(Refused::Io)
}

fn too_long(limit: u64) -> Response {
    let message = format!("Longer than {limit} bytes, which is the limit of this server.");
    answer(
        StatusCode::PAYLOAD_TOO_LARGE,
        &json!({ "message": message }),
    )
}

fn forbidden() -> Response {
    answer(
        StatusCode::FORBIDDEN,
        &json!({ "message": "Access forbidden. Check your access level." }),
    )
}

/// For a body that could not be read to its end.
fn interrupted(error: &(dyn std::error::Error + 'static)) -> Response {
    let (status, message) = if error.is::<LengthLimitError>() {
        (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")
    } else if timed_out(error) {
        (StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
    } else {
        (StatusCode::BAD_REQUEST, "the body broke off")
    };
    answer(status, &json!({ "message": message }))
}

/// The bytes of an object.
async fn download(repository: &Path, id: &str) -> Response {
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
