//! Requests that the server has seen, in a bounded ring.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

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

#[derive(Debug)]
pub(super) struct Ring {
    requests: Mutex<VecDeque<SeenRequest>>,
    capacity: usize,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Ring {
        Ring {
            requests: Mutex::default(),
            capacity,
        }
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
    let response = shared
        .faults
        .carry_out(request, |request| next.run(request))
        .await;
    let reset = response.extensions().get::<ConnectionReset>().is_some();
    let status = if reset { 0 } else { response.status().as_u16() };
    shared.ring.push(SeenRequest {
        method,
        path,
        status,
    });
    shared.changed();
    response
}
