//! The ends that the runner brings about itself leave no process either.

use nix::sys::signal::Signal;

use super::LIMIT;
use super::desk::{Desk, Server, children};

/// A second SIGTERM does not wait for a job that ignores the first; its processes are killed.
#[tokio::test]
async fn a_second_sigterm_leaves_no_process() {
    let server = Server::start();
    let mut script: Vec<String> = vec!["trap '' TERM".to_owned()];
    script.extend(children().map(str::to_owned));
    script.push("echo started; sleep 1000 & wait; sleep 1000".to_owned());
    let desk = Desk::with_script(&server, "twice", script, 0);
    let mut runner = desk.start();
    let end = async {
        desk.job.wait_for_trace("started").await.expect("job");
        for place in ["[runWait]", "[handleForcefulShutdown]"] {
            runner.signal(Signal::SIGTERM).expect("signal");
            runner.terminal().until(|text| text.contains(place)).await;
        }
    };
    tokio::time::timeout(LIMIT, end)
        .await
        .expect("both signals are heard");
    let status = tokio::time::timeout(LIMIT, runner.wait()).await;
    let status = status.expect("the runner ends").expect("end");
    assert_eq!(status.code(), Some(1), "{}", runner.terminal().text());
    desk.nothing_left().await;
    let reason = desk.job.failure_reason();
    assert_eq!(reason.as_deref(), Some("runner_interrupted"));
}
