//! Connections: kept, shared and closed (wire.md 1.4).

use std::time::Duration;

use runner::client::{ReqwestTransport, TransportOptions};

use super::raw::RawServer;
use super::support::{Api, client_with, options, poll};

const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// Lets `seconds` pass on tokio's clock. Nothing is under way meanwhile.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Calls of one client follow each other on one connection, until the connections have reached their
/// age, or have been idle for 90 s.
#[tokio::test]
async fn a_connection_serves_many_calls() {
    let server = RawServer::start(|_| EMPTY.to_vec()).await;
    let url = server.url();
    let client = client_with(
        &url,
        ReqwestTransport::new(TransportOptions {
            connection_max_age: Duration::from_mins(5),
            ..options(&url)
        }),
    );
    for api in [Api::Poll, Api::Update, Api::Patch, Api::Unregister] {
        api.call(&client).await;
    }
    assert_eq!(server.connections(), 1);
    for (seconds, connections) in [(80, 1), (80, 1), (80, 1), (80, 2), (80, 2), (91, 3)] {
        pass(seconds).await;
        poll(&client).await;
        assert_eq!(server.connections(), connections);
    }
}
