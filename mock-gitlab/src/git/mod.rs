//! Git over HTTP, so that jobs clone real repositories.
//!
//! - [`repository`]: makes bare repositories whose object ids are the same every time.
//! - [`lfs`]: large files: the batch call and the objects themselves.
//! - `kept`: a repository as a value, for snapshots.
//! - `backend`: git's own CGI program, `git http-backend`, answers; this only checks who asks.
//!
//! This part starts processes, so it has no place in virtual time.

mod backend;
mod credentials;
mod kept;
pub mod lfs;
pub mod repository;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;

use crate::http::Limits;
use crate::world::World;

pub use kept::{KeptError, KeptRepository};

/// Where bare repositories stand: project `group/demo` in `<root>/group/demo.git`.
#[derive(Clone, Debug)]
pub struct GitRoot(pub PathBuf);

impl GitRoot {
    /// Folder of a project's repository.
    pub fn repository(&self, full_path: &str) -> PathBuf {
        self.0.join(format!("{full_path}.git"))
    }
}

/// Smart HTTP and LFS below every path: for reading with the token of a running job of the project that is
/// asked for, for reading and pushing with a personal access token.
pub fn router(world: Arc<Mutex<World>>, root: GitRoot, limits: Limits) -> Router {
    Router::new()
        .route("/{*path}", any(backend::serve))
        .with_state(backend::Backend::new(world, root, limits))
}
