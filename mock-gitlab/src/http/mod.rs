//! The HTTP face of the server. It translates requests into calls of [`World`] and answers into bytes;
//! it decides nothing (design: every rule lives in the world).
//!
//! - `state`: what a handler gets; `parameters`: parameters from JSON, form and query (wire.md 1.3).
//! - `reply`: answers and errors as HTTP (wire.md 1.8).
//! - `runners`, `poll`, `job`, `artifacts`: the endpoints of wire.md 2.
//! - `long_poll`: polls that are held, as workhorse does; `decoded`: polls that need no decoding; `buffers`: memory
//!   for bodies.
//! - `rest`: GitLab's own API for users and administrators.
//!
//! A router opens no socket, spawns no task and reads no clock of its own, so it can be called in the
//! same process on a paused clock. With [`ArtifactStore::memory`] it touches no file either.

mod api;
mod artifacts;
mod buffers;
mod decoded;
mod job;
mod long_poll;
mod parameters;
mod poll;
mod reply;
mod rest;
mod runners;
mod state;

use std::sync::{Arc, Mutex};

use axum::Router;
use jiff::Timestamp;

use crate::world::World;

pub use api::Api;
pub use artifacts::ArtifactStore;
pub(crate) use artifacts::STORAGE;
pub(crate) use parameters::{personal_access_token, timed_out};
pub use state::{Limits, Peer};

/// The time on the server.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The runner API over `world` (wire.md 2), with artifacts in memory. [`Api`] has more choices.
///
/// The world is locked for the length of one call and never across an await.
pub fn router(world: Arc<Mutex<World>>, now: Now, limits: Limits) -> Router {
    Api::new(world, now).limits(limits).router()
}
