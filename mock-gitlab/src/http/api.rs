use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, patch, post, put};
use http::Request;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::artifacts::{self, ArtifactStore};
use super::state::{Limits, Parts, State};
use super::{Now, job, poll, reply, rest, runners};
use crate::clock::ServerClock;
use crate::git::GitRoot;
use crate::world::World;

/// The API of a server in the making.
#[must_use = "nothing is served before `router`"]
pub struct Api {
    state: Parts,
}

impl Api {
    /// Over this world and its clock; artifacts are kept in memory.
    pub fn new(world: Arc<Mutex<World>>, now: Now) -> Api {
        Api {
            state: Parts::new(world, now),
        }
    }

    /// The clock that the time comes from, if it can be put forward: held polls go by it.
    pub fn clock(mut self, clock: ServerClock) -> Api {
        self.state.clock = Some(clock);
        self
    }

    /// Other limits of request bodies.
    pub fn limits(mut self, limits: Limits) -> Api {
        self.state.limits = limits;
        self
    }

    /// Another place for the bytes of artifacts.
    pub fn artifacts(mut self, store: ArtifactStore) -> Api {
        self.state.artifacts = store;
        self
    }

    /// Where repositories stand, so that new pipelines are for their commits.
    pub fn git(mut self, root: GitRoot) -> Api {
        self.state.git = Some(root);
        self
    }

    /// The secret that workhorse signs with. Without it `authorize` answers 403 (wire.md 6.2).
    pub fn workhorse_secret(mut self, secret: &[u8]) -> Api {
        self.state.workhorse_secret = Some(Arc::from(secret));
        self
    }

    /// When this is cancelled, polls that are held are answered at once.
    pub fn stop(mut self, stop: CancellationToken) -> Api {
        self.state.stop = stop;
        self
    }

    /// The router, below `/api/v4`.
    pub fn router(self) -> Router {
        let state = State::new(self.state);
        state.listen();
        let api = Router::new()
            .route(
                "/runners",
                post(runners::register)
                    .delete(runners::unregister)
                    .get(rest::owned_runners),
            )
            .route("/runners/verify", post(runners::verify))
            .route(
                "/runners/managers",
                axum::routing::delete(runners::unregister_manager),
            )
            .route(
                "/runners/reset_authentication_token",
                post(runners::reset_token),
            )
            .route(
                "/runners/{id}/reset_authentication_token",
                post(runners::reset_token_by_id),
            )
            .route("/runners/router/discovery", get(runners::discovery))
            .route("/user/runners", post(runners::create))
            .route("/internal/ci/agents/runner/info", get(runners::agent_info))
            .route(
                "/jobs/{id}/runtime_environment_key",
                get(job::runtime_environment_key),
            )
            .route(
                "/jobs/{id}/artifacts",
                post(artifacts::upload).get(artifacts::download),
            )
            .route("/jobs/{id}/artifacts/authorize", post(artifacts::authorize))
            .merge(rest::routes())
            .method_not_allowed_fallback(reply::method_not_allowed);
        let bare = api.clone().merge(job_calls("")).fallback(reply::no_route);
        let bare = bare.with_state(state.clone());
        // Of its own, because a server may put another one behind the paths outside of the API.
        let api = api.fallback(move |request| without_slash(bare, request));
        Router::new()
            .merge(job_calls(API))
            .nest(API, api)
            .route(
                &format!("{}/{{job}}/{{type}}/{{hash}}", artifacts::STORAGE),
                get(artifacts::storage),
            )
            .fallback(reply::no_route)
            .with_state(state)
    }
}

const API: &str = "/api/v4";

/// The calls of every few seconds. They stand in the outer table, where less is done on the way.
fn job_calls(prefix: &str) -> Router<State> {
    Router::new()
        .route(&format!("{prefix}/jobs/request"), post(poll::request))
        .route(&format!("{prefix}/jobs/{{id}}"), put(job::update))
        .route(
            &format!("{prefix}/jobs/{{id}}/trace"),
            patch(job::patch_trace),
        )
        .method_not_allowed_fallback(reply::method_not_allowed)
}

/// A path that ends with a slash is the one without it, as Grape has it.
async fn without_slash(api: Router, mut request: Request<Body>) -> Response {
    let path = request.uri().path().trim_end_matches('/');
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(uri) = target.parse() {
        *request.uri_mut() = uri;
    }
    // A router does not fail.
    let Ok(response) = api.oneshot(request).await;
    response
}
