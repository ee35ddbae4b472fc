//! What a handler gets.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::Now;
use super::artifacts::ArtifactStore;
use super::buffers::Buffers;
use super::decoded::DecodedPolls;
use super::long_poll::HeldPolls;
use crate::clock::ServerClock;
use crate::git::GitRoot;
use crate::world::World;

/// Limits of request bodies, bytes. A longer body is answered 413. The length of artifacts is a setting
/// (`max_artifacts_size_mib`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// `jobs/request`: 32 KiB, as workhorse has it (queueing.md 7).
    pub job_request_bytes: usize,
    /// Other JSON and form bodies.
    pub body_bytes: usize,
    /// Trace patches.
    pub trace_bytes: usize,
    /// What a `git fetch` says, as it comes, so compressed where git compresses it.
    pub git_fetch_bytes: usize,
    /// A `git push`, and an LFS object.
    pub git_push_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            job_request_bytes: 32 * 1024,
            body_bytes: 1024 * 1024,
            trace_bytes: 16 * 1024 * 1024,
            git_fetch_bytes: 16 * 1024 * 1024,
            git_push_bytes: 1024 * 1024 * 1024,
        }
    }
}

/// State shared by all handlers. A clone is the same state.
#[derive(Clone)]
pub(super) struct State(Arc<Parts>);

impl State {
    pub(super) fn new(parts: Parts) -> State {
        State(Arc::new(parts))
    }
}

impl Deref for State {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What a [`State`] has.
pub(super) struct Parts {
    world: Arc<Mutex<World>>,
    pub(super) now: Now,
    /// The clock behind `now`, if it is one that can be put forward.
    pub(super) clock: Option<ServerClock>,
    pub(super) limits: Limits,
    pub(super) artifacts: ArtifactStore,
    pub(super) workhorse_secret: Option<Arc<[u8]>>,
    pub(super) git: Option<GitRoot>,
    pub(super) held: Arc<HeldPolls>,
    pub(super) polls: DecodedPolls,
    pub(super) buffers: Buffers,
    pub(super) stop: CancellationToken,
}

impl Parts {
    pub(super) fn new(world: Arc<Mutex<World>>, now: Now) -> Parts {
        Parts {
            world,
            now,
            clock: None,
            limits: Limits::default(),
            artifacts: ArtifactStore::memory(),
            workhorse_secret: None,
            git: None,
            held: Arc::default(),
            polls: DecodedPolls::default(),
            buffers: Buffers::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Calls the world, now.
    pub(super) fn call<T>(&self, call: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        // A call that panicked is a bug; the state machine keeps its invariants between fields of one
        // job at worst, so the server goes on for the other jobs.
        let mut world: MutexGuard<'_, World> =
            self.world.lock().unwrap_or_else(PoisonError::into_inner);
        call(&mut world, (self.now)())
    }
}

/// The other end of a connection. The server that accepts connections puts it into each request; a call
/// in the same process has none.
#[derive(Clone, Debug)]
pub struct Peer {
    address: Arc<str>,
    held: Arc<AtomicBool>,
}

impl Peer {
    /// With this address, which the world stores on a runner manager.
    pub fn new(address: &str) -> Peer {
        Peer {
            address: Arc::from(address),
            held: Arc::default(),
        }
    }

    /// Says that its request was read and is held: nothing happens on the connection for a while.
    pub(super) fn hold(&self) -> Held {
        self.held.store(true, Ordering::Relaxed);
        Held(self.clone())
    }

    /// Whether its request is held.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }
}

/// The peer's request is held as long as this lives.
pub(super) struct Held(Peer);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Relaxed);
    }
}

/// Address of the peer of a request.
pub(super) fn peer(extensions: &http::Extensions) -> Arc<str> {
    extensions
        .get::<Peer>()
        .map_or_else(|| Arc::from("127.0.0.1"), |peer| Arc::clone(&peer.address))
}
