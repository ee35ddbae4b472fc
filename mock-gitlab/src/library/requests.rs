//! Requests that the server has seen, in a bounded ring.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use protocol::header::X_REQUEST_ID;

use super::start::{MockGitlab, Shared};
use crate::fault::ConnectionReset;

/// A request and the status of its answer. Tokens are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRequest {
    /// Method.
    pub method: String,
    /// Path, without query.
    pub path: String,
    /// HTTP status of the answer; 0 = a fault reset the connection.
    pub status: u16,
}

/// Longest id of a request that is sent back, bytes.
const MAX_REQUEST_ID: usize = 255;

#[derive(Debug)]
pub(super) struct Ring {
    requests: Mutex<VecDeque<SeenRequest>>,
    capacity: usize,
    /// Requests that had no id of their own.
    anonymous: AtomicU64,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Ring {
        Ring {
            requests: Mutex::default(),
            capacity,
            anonymous: AtomicU64::new(0),
        }
    }

    /// An id for a request that brought none: 32 hex digits, as a runner's (wire.md 1.9).
    fn request_id(&self) -> HeaderValue {
        let number = self.anonymous.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:032x}", u128::from(number) + 1))
            .unwrap_or(HeaderValue::from_static("0"))
    }

    fn push(&self, request: SeenRequest) {
        if self.capacity == 0 {
            return;
        }
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == self.capacity {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(super) fn all(&self) -> Vec<SeenRequest> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }
}

impl MockGitlab {
    /// The newest requests, oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.ring.all()
    }

    /// The newest requests whose path ends like this: `/jobs/request`, `/jobs/7/trace`.
    pub fn requests_to(&self, path_end: &str) -> Vec<SeenRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.path.ends_with(path_end));
        requests
    }
}

/// Lets faults do their work, writes every request down, and tells those who wait that something may
/// have changed.
pub(super) async fn write_down(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    if crate::page::owns(request.uri().path()) {
        return next.run(request).await;
    }
    let (method, path) = (
        request.method().to_string(),
        request.uri().path().to_owned(),
    );
    let id = request.headers().get(X_REQUEST_ID).cloned();
    let mut response = shared
        .faults
        .carry_out(request, |request| next.run(request))
        .await;
    let id = id.filter(|id| (1..=MAX_REQUEST_ID).contains(&id.len()));
    let id = id.unwrap_or_else(|| shared.ring.request_id());
    response.headers_mut().entry(X_REQUEST_ID).or_insert(id);
    let reset = response.extensions().get::<ConnectionReset>().is_some();
    let status = if reset { 0 } else { response.status().as_u16() };
    tracing::debug!(method, path = shown(&path), status, "answered");
    shared.ring.push(SeenRequest {
        method,
        path,
        status,
    });
    shared.changed();
    response
}

/// A path without what opens anything: the hash of a stored artifact is as good as a signature.
fn shown(path: &str) -> &str {
    if path.starts_with(crate::http::STORAGE) {
        crate::http::STORAGE
    } else {
        path
    }
}
