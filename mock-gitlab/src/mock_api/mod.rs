//! What no GitLab has: the levers of the mock, below `/api/mock/v1`.
//!
//! - `clock`: the time, and putting it forward. `faults`: what goes wrong, and restarts.
//! - `events`: what happened, as a list and as server-sent events. `why_not`: why a runner would not get
//!   a job. `state`: back to the beginning, and snapshots, which `snapshot` takes and puts in.
//! - `ask`: who may call (administrators), and the form of answers. `document`: the OpenAPI document,
//!   made from the same declarations as the routes, so that neither knows of anything that the other
//!   does not.

mod ask;
mod clock;
mod document;
mod events;
mod faults;
mod snapshot;
mod state;
mod why_not;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::ServerClock;
use crate::fault::Faults;
use crate::git::GitRoot;
use crate::http::ArtifactStore;
use crate::world::{Text, UserId, World, WorldSnapshot};

/// Where it is.
pub const ROOT: &str = "/api/mock/v1";

/// The world that a reset goes back to. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Beginning(Arc<Mutex<WorldSnapshot>>);

impl Beginning {
    /// Goes back to this.
    pub fn new(snapshot: WorldSnapshot) -> Beginning {
        Beginning(Arc::new(Mutex::new(snapshot.without_past())))
    }

    /// Goes back to this from now on.
    pub fn set(&self, snapshot: WorldSnapshot) {
        let snapshot = snapshot.without_past();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// The world to go back to.
    pub fn get(&self) -> WorldSnapshot {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What the handlers get.
#[derive(Clone, Debug)]
pub struct MockApi {
    /// The world.
    pub world: Arc<Mutex<World>>,
    /// Its clock.
    pub clock: ServerClock,
    /// Its faults.
    pub faults: Faults,
    /// Sent to when the world may have changed.
    pub changes: watch::Sender<u64>,
    /// The bytes of its artifacts.
    pub artifacts: ArtifactStore,
    /// Its repositories.
    pub git: GitRoot,
    /// Held by who changes or takes the whole state.
    pub alone: Arc<tokio::sync::Mutex<()>>,
    /// What a reset goes back to.
    pub beginning: Beginning,
    /// Its administrator, who keeps his token whatever becomes of the world.
    pub admin: UserId,
    /// That token.
    pub admin_token: Text,
    /// Ends the streams.
    pub stop: CancellationToken,
}

impl MockApi {
    /// The routes, to be nested at [`ROOT`].
    pub fn router(self) -> Router {
        let (routes, _) = routes().split_for_parts();
        routes
            .layer(axum::middleware::from_fn_with_state(
                self.clone(),
                ask::demand_admin,
            ))
            .fallback(ask::no_route)
            .method_not_allowed_fallback(ask::method_not_allowed)
            .with_state(self)
    }
}

/// Every route with its description. Nothing is served that is not made here.
fn routes() -> OpenApiRouter<MockApi> {
    OpenApiRouter::new()
        .routes(routes!(document::get))
        .routes(routes!(clock::get))
        .routes(routes!(clock::advance))
        .routes(routes!(faults::list, faults::create, faults::clear))
        .routes(routes!(faults::get, faults::remove))
        .routes(routes!(faults::restart))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(why_not::list))
        .routes(routes!(state::reset))
        .routes(routes!(state::take, state::put))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the router serves is what the document says: both are made from one declaration, and every
    /// path that a file of this folder declares is in it.
    #[test]
    fn every_route_is_described() {
        let described = routes().into_openapi().paths.paths.len();
        let sources = [
            include_str!("document.rs"),
            include_str!("clock.rs"),
            include_str!("events.rs"),
            include_str!("faults.rs"),
            include_str!("snapshot.rs"),
            include_str!("state.rs"),
            include_str!("why_not.rs"),
        ];
        let mut paths: Vec<&str> = sources
            .iter()
            .flat_map(|source| source.split("#[utoipa::path(").skip(1))
            .filter_map(|declaration| declaration.split("path = \"").nth(1)?.split('"').next())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(described, paths.len(), "{paths:?}");
    }
}
