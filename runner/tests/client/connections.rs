//! Connections: kept, shared and closed (wire.md 1.4).

use std::time::Duration;

use runner::client::{JobRequestResult, ReqwestTransport, TransportOptions};
use tokio::time::Instant;

use super::raw::RawServer;
use super::support::{Api, client_with, logged, options, poll, real_client};

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

/// A server that has taken a request may think for 10 minutes, and take 60 minutes for all of the answer.
///
/// Method: the connection is made while time runs; then the clock is paused, so that it jumps to the next
/// timer, which is the one in question.
#[tokio::test]
async fn a_server_that_does_not_answer() {
    let halves: [(&[u8], u64, &str); 2] = [
        (b"", 10 * 60, "timeout awaiting response headers"),
        (
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
            60 * 60,
            "",
        ),
    ];
    for (half, seconds, says) in halves {
        let server = RawServer::start(move |head| {
            if head.starts_with("PUT") {
                EMPTY.to_vec()
            } else {
                half.to_vec()
            }
        })
        .await;
        let client = real_client(&server.url());
        Api::Update.call(&client).await;
        tokio::time::pause();
        let begin = Instant::now();
        let (outcome, log) = logged(poll(&client)).await;
        assert_eq!(begin.elapsed().as_secs(), seconds);
        tokio::time::resume();
        assert!(matches!(outcome.result, JobRequestResult::Failed));
        assert!(!outcome.is_unhealthy());
        assert!(log.contains(says), "{log}");
        assert_eq!(server.connections(), 1);
    }
}
