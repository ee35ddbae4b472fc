//! Discovery of the job router (wire.md 3.9).

use std::time::Duration;

use runner::client::JobRequestResult;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::memory::{Memory, Reply};
use super::support::{RUNNER, logged, poll};

/// What is found, or that nothing is, holds for an hour; 501 and all other answers mean that jobs are
/// requested directly. The call has the runner's token in its header alone.
///
/// Proves WIRE-RTR-01, WIRE-CON-07.
#[tokio::test(start_paused = true)]
async fn found_or_not_for_an_hour() {
    let found = json!({"server_url": "wss://kas.example.com"});
    let none =
        json!({"message": "Job Router is not available. Please contact your administrator."});
    for (reply, router, says) in [
        (
            Reply::status(200).json(&found),
            Some("wss://kas.example.com"),
            "does not speak",
        ),
        (
            Reply::status(501).json(&none),
            None,
            "not configured/enabled",
        ),
        (Reply::status(403), None, "forbidden"),
        (Reply::status(404), None, "failed"),
        (Reply::status(200), None, "failed"),
        (Reply::status(200).json(&json!([])), None, "failed"),
        (Reply::status(200).json(&json!({})), None, "failed"),
        (Reply::broken("connection refused"), None, "failed"),
    ] {
        let case = format!("{reply:?}");
        let server = Memory::list(vec![reply]);
        let client = server.client();
        let live = CancellationToken::new();
        let ask = || client.job_router(RUNNER, &live);
        let (seen, log) = logged(ask()).await;
        assert_eq!(seen.as_deref(), router, "{case}");
        assert!(log.contains(says), "{case}: {log}");
        for _ in 0..10 {
            sleep(Duration::from_secs(359)).await;
            assert_eq!(ask().await.as_deref(), router, "{case}");
        }
        assert_eq!(server.seen().len(), 1, "{case}");
        sleep(Duration::from_secs(11)).await;
        let _ = tokio::join!(ask(), ask(), ask());
        let requests = server.seen();
        assert_eq!(requests.len(), 2, "{case}");
        let request = &requests[0];
        assert_eq!(request.method, "GET");
        assert_eq!(
            request.url,
            "http://gitlab.test/api/v4/runners/router/discovery"
        );
        assert_eq!(request.header("runner-token"), RUNNER);
        assert_eq!(request.header("accept"), "application/json");
        assert_eq!(request.header("content-type"), "");
        assert!(request.body.is_empty());
    }
}

/// A stop ends the question, and nothing is learnt from that.
#[tokio::test(start_paused = true)]
async fn a_stop_is_no_answer() {
    let server = Memory::list(vec![
        Reply::status(501).hold(Duration::from_secs(100)),
        Reply::status(501),
        Reply::status(204),
    ]);
    let client = server.client();
    let stop = CancellationToken::new();
    let ask = client.job_router(RUNNER, &stop);
    let end = async {
        sleep(Duration::from_secs(1)).await;
        stop.cancel();
    };
    let (answer, ()) = tokio::join!(ask, end);
    assert_eq!(answer, None);
    assert_eq!(
        client.job_router(RUNNER, &CancellationToken::new()).await,
        None
    );
    assert_eq!(server.seen().len(), 2);
    assert!(matches!(
        poll(&client).await.result,
        JobRequestResult::NoJob
    ));
}
