//! The whole state: back to the beginning, taken out, put in.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::MockApi;
use super::ask::{Problem, Refusal, empty, json_bytes, raw_body};
use super::snapshot::{ServerSnapshot, Staged, leave_behind};
use crate::world::World;

/// Longest snapshot, bytes of JSON.
const SNAPSHOT_BYTES: usize = 512 * 1024 * 1024;

/// Back to the beginning: the world as it was when the server had started (with its seed file, if it has
/// one), without faults and past events, on the machine's clock. Repositories and artifacts that it did not
/// have are gone; the administrator's token stays.
#[utoipa::path(post, path = "/reset", tag = "state", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn reset(State(api): State<MockApi>) -> Result<Response, Refusal> {
    apart(api, |api| {
        let world = World::of_snapshot(api.beginning.get()).map_err(Refusal::internal)?;
        let old = api.act(|current, _| {
            let old = leave_behind(&api, current, &world);
            current.replace(world);
            api.keep_admin(current);
            api.faults.clear();
            api.clock.reset();
            old
        });
        old.remove(&api.artifacts);
        Ok(empty(StatusCode::NO_CONTENT))
    })
    .await
}

/// The whole state: world, past events, clock, faults, artifacts and repositories. Two of them are equal but
/// for `taken_at` when nothing has happened in between.
#[utoipa::path(get, path = "/snapshot", tag = "state", responses(
    (status = 200, body = ServerSnapshot), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 507, body = Problem,
     description = "It would be longer than what can be put in, 512 MiB.")))]
pub(super) async fn take(State(api): State<MockApi>) -> Result<Response, Refusal> {
    apart(api, |api| {
        let snapshot = ServerSnapshot::take(&api)?;
        let bytes = serde_json::to_vec(&snapshot).map_err(Refusal::internal)?;
        if bytes.len() > SNAPSHOT_BYTES {
            return Err(Refusal::new(
                StatusCode::INSUFFICIENT_STORAGE,
                format!(
                    "the snapshot has {} bytes: more than {SNAPSHOT_BYTES} could not be put in again",
                    bytes.len()
                ),
            ));
        }
        Ok(json_bytes(StatusCode::OK, bytes))
    })
    .await
}

/// Becomes what a snapshot says, all of it or, when it is refused, nothing. The server's address and its
/// administrator's token stay. Streams of events begin anew.
#[utoipa::path(put, path = "/snapshot", tag = "state", request_body = ServerSnapshot, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 413, body = Problem)))]
pub(super) async fn put(State(api): State<MockApi>, request: Body) -> Result<Response, Refusal> {
    let bytes = raw_body(request, SNAPSHOT_BYTES).await?;
    apart(api, move |api| {
        let snapshot = serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::bad_request(format!("body: {error}")))?;
        drop(bytes);
        Staged::new(&api, snapshot)?.become_it(&api)?;
        Ok(empty(StatusCode::NO_CONTENT))
    })
    .await
}

/// Does something with the whole state, one at a time and to its end, even if the caller has gone; it may
/// take long.
async fn apart<T: Send + 'static>(
    api: MockApi,
    work: impl FnOnce(MockApi) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let alone = std::sync::Arc::clone(&api.alone).lock_owned().await;
    let done = tokio::task::spawn_blocking(move || {
        let _alone = alone;
        work(api)
    });
    done.await.map_err(Refusal::internal)?
}
