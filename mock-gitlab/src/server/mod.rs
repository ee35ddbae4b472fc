//! Serves a router over TCP.
//!
//! - `connection`: one connection; `exchange`: its request; `linger`: how it ends.

mod connection;
mod exchange;
mod linger;

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::{Closing, Connection};
use self::linger::ResetOrder;
use crate::fault::Faults;
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
    let closing = Closing::default();
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
        let peer = Peer::new(&address.ip().to_string());
        let connection = Connection {
            stream,
            router: router.clone(),
            peer,
            closing: closing.clone(),
            head_timeout: options.head_timeout,
            body_timeout: options.body_timeout,
            end_of_life: end_of_life.clone(),
        };
        connections.spawn(connection.serve());
    }
    closing.give();
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_REQUESTS, rest).await;
}
