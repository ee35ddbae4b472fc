//! Serves a router over TCP.

mod linger;

use std::io;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use self::linger::{Lingering, ResetOrder, Unread};
use crate::fault::{ConnectionReset, Faults};
use crate::http::Peer;

/// How long open requests get to end when the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(2);
/// Pause after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a server treats its connections.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long a client may take for the head of a request; then the connection ends.
    pub head_timeout: Duration,
    /// How long a client may pause within the body of a request; then it is answered 408.
    pub body_timeout: Duration,
    /// Restarts of these faults reset all connections. That a single connection is reset needs nothing
    /// here: the answer says so.
    pub faults: Option<Faults>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            faults: None,
        }
    }
}

/// Serves until `stop`; then open requests get a moment to end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, stop, ServeOptions::default()).await;
}

/// [`serve`], with options.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    options: ServeOptions,
) {
    let mut connections = JoinSet::new();
    // One life lasts from one restart to the next. All of its connections share one order.
    let life_of = |options: &ServeOptions| {
        let life = options.faults.as_ref().map(Faults::life);
        (life.unwrap_or_default(), ResetOrder::default())
    };
    let (mut life, mut end_of_life) = life_of(&options);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = life.cancelled() => {
                end_of_life.give();
                connections.abort_all();
                (life, end_of_life) = life_of(&options);
                continue;
            }
            // Ended connections are taken off the list, so that it does not grow.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers go out at once.
        let _ = stream.set_nodelay(true);
        let peer = Peer(address.ip().to_string().into());
        let connection = Connection {
            stream,
            router: router.clone(),
            peer,
            stop: stop.clone(),
            head_timeout: options.head_timeout,
            body_timeout: options.body_timeout,
            end_of_life: end_of_life.clone(),
        };
        connections.spawn(async move {
            let _ = connection.serve().await;
        });
    }
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_REQUESTS, rest).await;
}

struct Connection {
    stream: tokio::net::TcpStream,
    router: Router,
    peer: Peer,
    stop: CancellationToken,
    head_timeout: Duration,
    body_timeout: Duration,
    end_of_life: ResetOrder,
}

impl Connection {
    async fn serve(self) -> io::Result<()> {
        let (router, peer) = (self.router, self.peer);
        let unread = Unread::default();
        let watching = unread.clone();
        let body_timeout = self.body_timeout;
        let reset = ResetOrder::default();
        let ordering = reset.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| watching.watch(body, body_timeout));
            request.extensions_mut().insert(peer.clone());
            let answer = router.clone().oneshot(request);
            let ordering = ordering.clone();
            async move {
                let Ok(answer) = answer.await;
                if answer.extensions().get::<ConnectionReset>().is_some() {
                    ordering.give();
                    // An error ends the connection without another byte.
                    return Err(io::Error::from(io::ErrorKind::ConnectionReset));
                }
                Ok(answer)
            }
        });
        let stream = Lingering::new(self.stream, unread, reset, self.end_of_life);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(io::Error::other)
    }
}
