//! The server of a scenario: the world, its HTTP face behind the tap, and the event log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use mock_gitlab::fault::Faults;
use mock_gitlab::world::{EventKind, World};
use tower::ServiceExt as _;

use super::tap::Tap;
use super::verdict::JobOutcome;
use super::world::Names;
use crate::events::{EventLog, What};

/// The connection ended before the whole answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer (fault of the scenario)")]
pub struct Cut;

/// The time on the server.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The server of one scenario. A clone is the same server.
#[derive(Clone)]
pub struct Server {
    world: Arc<Mutex<World>>,
    now: Now,
    router: axum::Router,
    log: EventLog,
    tap: Arc<Tap>,
    names: Arc<Mutex<Names>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server over `world`, whose HTTP face is `router`.
    /// `seed` decides the chances of faults.
    pub fn new(
        world: Arc<Mutex<World>>,
        now: Now,
        router: axum::Router,
        log: EventLog,
        seed: u64,
    ) -> Server {
        let faults = Faults::new(Arc::clone(&world), Arc::clone(&now), seed);
        Server {
            world,
            now,
            router,
            tap: Arc::new(Tap::new(log.clone(), faults)),
            log,
            names: Arc::default(),
        }
    }

    /// The event log.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The tap.
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// What names mean.
    pub fn names(&self) -> Names {
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets what names mean, when the world is filled.
    pub fn set_names(&self, names: Names) {
        self.tap.name_tokens(&names.tokens);
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Does something with the world, and writes down what came of it.
    pub fn act<T>(&self, act: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut world, (self.now)());
        self.write_down(&mut world);
        result
    }

    fn write_down(&self, world: &mut World) {
        for event in world.take_events() {
            if let EventKind::JobStatus {
                job,
                from,
                to,
                failure_reason,
                ..
            } = event.kind
            {
                self.log.add(
                    "server",
                    What::Job {
                        job,
                        from: from.to_string(),
                        to: to.to_string(),
                        reason: failure_reason.map(|reason| reason.to_string()),
                    },
                );
            }
        }
    }

    /// Answers a request that comes over a socket: the API through the tap, all else (git, artifacts)
    /// past it.
    pub async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let router = self.router.clone();
        let serve = |request: Request<Body>| async move {
            match router.oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            }
        };
        if !request.uri().path().starts_with(protocol::path::API_V4) {
            return self.tap.faults().carry_out(request, serve).await;
        }
        let serve = |request| async { collect(serve(request).await).await };
        self.tap.call(request, serve, || self.act(|_, _| ())).await
    }

    /// Answers a request in the same process. A connection that a fault resets, or that ends in the
    /// middle of an answer, is an error.
    pub async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let answer = self.serve(request.map(Body::from)).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Every job with its log.
    pub fn jobs(&self) -> BTreeMap<i64, JobOutcome> {
        self.act(|world, _| {
            let jobs: Vec<_> = world.jobs().cloned().collect();
            jobs.iter()
                .map(|job| {
                    let outcome = JobOutcome {
                        status: job.status.to_string(),
                        failure_reason: job.failure_reason.as_ref().map(ToString::to_string),
                        exit_code: job.exit_code,
                        trace: world.trace(job.id),
                        reported: world
                            .reported_checksum(job.id)
                            .map(|(sum, size)| (sum.to_string(), size)),
                    };
                    (job.id, outcome)
                })
                .collect()
        })
    }

    /// The log of a job.
    pub fn trace(&self, job: i64) -> Vec<u8> {
        self.act(|world, _| world.trace(job))
    }

    /// Whether no job waits or runs any more.
    pub fn all_ended(&self) -> bool {
        self.act(|world, _| world.jobs().all(|job| job.status.is_complete()))
    }
}

async fn collect(answer: Response<Body>) -> Response<Bytes> {
    let (head, body) = answer.into_parts();
    if let Ok(body) = body.collect().await {
        return Response::from_parts(head, body.to_bytes());
    }
    // A body of the server's own that breaks off is a bug of the server; say so to the client.
    let mut answer = Response::new(Bytes::from_static(b"the body of the answer broke off"));
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}
