//! The whole state: back to the beginning, taken out, put in.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MockApi;
use super::ask::{Problem, Refusal, json, raw_body};
use crate::world::{Artifact, JobId, World, WorldSnapshot};

/// Longest snapshot that is read, bytes.
const SNAPSHOT_BYTES: usize = 512 * 1024 * 1024;

/// Everything that the server knows but past events, faults and repositories. It holds every token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerSnapshot {
    /// When it was taken, by the server's clock. Times in it are absolute.
    #[schema(value_type = String, format = DateTime)]
    taken_at: Timestamp,
    /// The world; its form may change with the version of the server.
    #[schema(value_type = Object)]
    world: WorldSnapshot,
    /// The bytes of artifacts.
    files: Vec<ArtifactFile>,
}

/// The bytes of an artifact.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArtifactFile {
    /// Job.
    #[schema(value_type = i64)]
    job: JobId,
    /// Type, such as `archive`.
    file_type: String,
    /// Base 64.
    content: String,
}

fn done() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Back to the beginning: the world as it was when the server had started (with its seed file, if it has
/// one), without faults, artifacts' bytes and past events, on the machine's clock. Repositories and the
/// administrator's token stay.
#[utoipa::path(post, path = "/reset", tag = "state", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn reset(State(api): State<MockApi>) -> Result<Response, Refusal> {
    let world = World::of_snapshot(api.beginning.get())
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    api.faults.clear();
    api.clock.reset();
    api.become_world(world);
    api.artifacts.clear();
    Ok(done())
}

/// The whole state.
#[utoipa::path(get, path = "/snapshot", tag = "state", responses(
    (status = 200, body = ServerSnapshot), (status = 401, body = Problem),
    (status = 403, body = Problem)))]
pub(super) async fn take(State(api): State<MockApi>) -> Response {
    let (taken_at, world, known) = api.look(|world, now| {
        let jobs = world.jobs().map(|job| job.id);
        let known: Vec<(JobId, Artifact)> = jobs
            .flat_map(|job| {
                world
                    .artifacts(job)
                    .map(move |artifact| (job, artifact.clone()))
            })
            .collect();
        (now, world.snapshot(), known)
    });
    let mut files = Vec::new();
    for (job, artifact) in known {
        // One whose bytes are gone is known, and cannot be had; so it will be after an import.
        if let Ok(bytes) = api.artifacts.bytes(job, &artifact) {
            files.push(ArtifactFile {
                job,
                file_type: artifact.file_type.to_string(),
                content: STANDARD.encode(bytes),
            });
        }
    }
    let snapshot = ServerSnapshot {
        taken_at,
        world,
        files,
    };
    json(StatusCode::OK, &snapshot)
}

/// Becomes what a snapshot says. The server's address, its administrator's token, faults, clock and
/// repositories stay as they are; past events are forgotten, and their numbers go on.
#[utoipa::path(put, path = "/snapshot", tag = "state", request_body = ServerSnapshot, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 413, body = Problem)))]
pub(super) async fn put(State(api): State<MockApi>, request: Body) -> Result<Response, Refusal> {
    let bytes = raw_body(request, SNAPSHOT_BYTES).await?;
    let snapshot: ServerSnapshot = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::bad_request(format!("body: {error}")))?;
    drop(bytes);
    let world = World::of_snapshot(snapshot.world)
        .map_err(|error| Refusal::bad_request(format!("world: {error}")))?;
    // Without him nobody could ever call this again.
    if !world
        .user(api.admin)
        .is_some_and(|user| user.admin && !user.blocked)
    {
        return Err(Refusal::bad_request(format!(
            "world: user {} has to be an administrator who is not blocked: the server's own token is his",
            api.admin
        )));
    }
    let mut files = Vec::new();
    for file in snapshot.files {
        let (job, file_type) = (file.job, &file.file_type);
        let broken = |problem: &str| {
            Refusal::bad_request(format!("files: job {job}: {file_type}: {problem}"))
        };
        let artifact = world
            .artifact(job, file_type)
            .ok_or_else(|| broken("the world does not know it"))?;
        let content = STANDARD
            .decode(&file.content)
            .map_err(|error| broken(&error.to_string()))?;
        files.push((job, artifact.clone(), content));
    }
    api.become_world(world);
    api.artifacts.clear();
    for (job, artifact, content) in files {
        api.artifacts
            .put(job, &artifact, &content)
            .map_err(|error| {
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("files: {error}"))
            })?;
    }
    Ok(done())
}

impl MockApi {
    fn become_world(&self, world: World) {
        self.act(|current, _| {
            current.replace(world);
            // The caller goes on being who he is.
            let _ = current.add_personal_access_token(self.admin, Some(&self.admin_token));
        });
    }
}
