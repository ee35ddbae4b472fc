//! The HTTP face of the server. It translates requests into calls of [`World`] and answers into bytes;
//! it decides nothing (design: every rule lives in the world).
//!
//! - `state`: what a handler gets; `parameters`: parameters from JSON, form and query (wire.md 1.3).
//! - `reply`: answers and errors as HTTP (wire.md 1.8).
//! - `runners`, `poll`, `job`: the endpoints of wire.md 2.
//!
//! A [`router`] opens no socket, spawns no task and reads no clock of its own, so it can be called in the
//! same process on a paused clock.

mod job;
mod parameters;
mod poll;
mod reply;
mod runners;
mod state;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, patch, post, put};
use jiff::Timestamp;

use crate::world::World;

pub use state::{Limits, Peer};

/// The time on the server.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The runner API over `world` (wire.md 2).
///
/// The world is locked for the length of one call and never across an await.
pub fn router(world: Arc<Mutex<World>>, now: Now, limits: Limits) -> Router {
    let api = Router::new()
        .route(
            "/runners",
            post(runners::register).delete(runners::unregister),
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
        .route("/jobs/request", post(poll::request))
        .route("/jobs/{id}", put(job::update))
        .route("/jobs/{id}/trace", patch(job::patch_trace))
        .fallback(reply::no_route)
        .method_not_allowed_fallback(reply::method_not_allowed);
    Router::new()
        .nest("/api/v4", api)
        .fallback(reply::no_route)
        .with_state(state::State::new(world, now, limits))
}
