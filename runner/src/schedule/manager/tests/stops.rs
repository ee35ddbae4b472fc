//! How the manager stops (runner.md 4.5).

use std::time::Duration;

use tokio::time::Instant;

use super::{Server, entries, job, start};
use crate::schedule::{ExitReason, Signal};

/// SIGQUIT lets jobs end, asks for no new ones and ends a pending poll.
///
/// Proves RUN-SIG-01, RUN-SIG-05, RUN-SIG-06.
#[tokio::test(start_paused = true)]
async fn a_graceful_stop_waits_for_jobs() {
    let server = Server::new(vec![job(1, "20")]);
    let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
    let begin = Instant::now();
    assert_eq!(run.after(5, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(begin.elapsed().as_secs(), 20);
    assert_eq!(server.polls()["t0"], [0]);
    let last = server.updates().pop();
    assert_eq!(last, Some((200, "1".to_owned(), "success".to_owned())));

    let held = Server {
        hold: Duration::from_secs(50),
        ..Server::new(Vec::new())
    };
    let run = start(&held, &format!("concurrent = 1\n{}", entries(1, "")));
    let begin = Instant::now();
    assert_eq!(run.after(5, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(begin.elapsed().as_secs(), 5);
}

/// SIGTERM aborts jobs, also after SIGQUIT.
///
/// Proves RUN-SIG-02, RUN-SIG-04.
#[tokio::test(start_paused = true)]
async fn a_forceful_stop_aborts_jobs() {
    for first in [None, Some(Signal::Quit)] {
        let server = Server::new(vec![job(1, "600")]);
        let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(signal) = first {
            run.signals.send(signal).await.unwrap();
        }
        assert_eq!(run.after(4, Signal::Terminate).await, ExitReason::Finished);
        let last = server.updates().pop();
        assert_eq!(
            last,
            Some((50, "1".to_owned(), "failed runner_interrupted".to_owned()))
        );
    }
}

/// A job that does not stop is not waited for longer than `shutdown_timeout`, 30 s by default, or until
/// a second signal; the exit code is 1. Other than with the official runner, its last update is sent.
///
/// Proves RUN-SIG-03.
#[tokio::test(start_paused = true)]
async fn a_forceful_stop_ends() {
    for (timeout, second, expected, ended) in [
        ("", None, ExitReason::ShutdownTimedOut, 40),
        (
            "shutdown_timeout = 5",
            None,
            ExitReason::ShutdownTimedOut,
            15,
        ),
        (
            "",
            Some(Signal::Terminate),
            ExitReason::ForcedExit(Signal::Terminate),
            12,
        ),
        (
            "",
            Some(Signal::Interrupt),
            ExitReason::ForcedExit(Signal::Interrupt),
            12,
        ),
        (
            "",
            Some(Signal::Quit),
            ExitReason::ForcedExit(Signal::Quit),
            12,
        ),
    ] {
        let server = Server::new(vec![job(1, "stubborn 600")]);
        let config = format!("concurrent = 1\n{timeout}\n{}", entries(1, ""));
        let begin = Instant::now();
        let run = start(&server, &config);
        tokio::time::sleep(Duration::from_secs(10)).await;
        run.signals.send(Signal::Terminate).await.unwrap();
        let reason = match second {
            Some(signal) => run.after(2, signal).await,
            None => run.end.await.unwrap(),
        };
        assert_eq!(reason, expected);
        assert_eq!(reason.code(), 1);
        assert_eq!(begin.elapsed().as_secs(), ended, "{reason:?}");
        let last = server.updates().pop();
        let state = "failed runner_interrupted".to_owned();
        assert_eq!(last, Some((ended * 10, "1".to_owned(), state)));
    }
}
