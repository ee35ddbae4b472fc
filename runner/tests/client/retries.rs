//! Retries of the HTTP layer (wire.md 1.5), on a paused clock.

use std::time::Duration;

use bytes::Bytes;
use runner::client::{JobRequestResult, PatchState};
use runner::schedule::{Decision, Entry, Plan, PollEnd, Scheduler};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::memory::{Memory, Reply};
use super::support::{Api, RUNNER, credentials, job_request, poll, real_client};

/// Statuses that are tried again, and some that are not.
const RETRIED: [u16; 9] = [408, 429, 500, 502, 503, 504, 512, 520, 599];
const NOT_RETRIED: [u16; 19] = [
    201, 202, 204, 300, 304, 400, 401, 403, 404, 409, 412, 416, 422, 501, 505, 507, 508, 510, 511,
];

/// Every call is tried five times, and no more; the fifth answer stands.
///
/// Proves WIRE-RTY-01, WIRE-RTY-02.
#[tokio::test(start_paused = true)]
async fn five_attempts_of_every_call() {
    for api in Api::ALL {
        for (statuses, attempts) in [(&RETRIED[..], 5), (&NOT_RETRIED[..], 1)] {
            for status in statuses {
                if api == Api::Verify && [201, 200].contains(status) {
                    continue;
                }
                let server = Memory::list(vec![Reply::status(*status)]);
                api.call(&server.client()).await;
                assert_eq!(server.seen().len(), attempts, "{api:?} {status}");
            }
        }
    }
}

/// An attempt that goes well ends the series, whatever came before, and its answer is the one that
/// counts.
#[tokio::test(start_paused = true)]
async fn a_good_answer_ends_the_series() {
    for failures in 0..5 {
        let mut replies = vec![Reply::status(502); failures];
        replies.push(Reply::status(202));
        let server = Memory::list(replies);
        let client = server.client();
        let outcome = client
            .patch_trace(&credentials(), Bytes::from_static(b"abc"), 0, false)
            .await;
        assert_eq!(outcome.state, PatchState::Stored { end: 3 });
        assert_eq!(server.seen().len(), failures + 1);
    }
}

/// No answer is not tried again here.
#[tokio::test(start_paused = true)]
async fn no_answer_is_not_tried_again() {
    let server = Memory::list(vec![Reply::broken("connection refused")]);
    let outcome = poll(&server.client()).await;
    assert!(matches!(outcome.result, JobRequestResult::Failed));
    assert_eq!(server.seen().len(), 1);
}

/// When the second request comes, for headers of the first answer: exact where a header names the
/// pause, 100 ms where the backoff does.
///
/// Proves WIRE-RTY-03.
#[tokio::test(start_paused = true)]
async fn headers_that_name_the_pause() {
    const RESET: &str = "RateLimit-ResetTime";
    const AFTER: &str = "Retry-After";
    // The wall clock shows 02:00:00 at the first request.
    const IN_5_S: &str = "Wed, 25 Nov 2026 02:00:05 GMT";
    const PAST: &str = "Wed, 25 Nov 2026 01:59:59 GMT";
    for (headers, pause_ms) in [
        (vec![(RESET, IN_5_S)], 5000),
        (vec![(RESET, IN_5_S), (AFTER, "2")], 5000),
        (vec![(AFTER, "9"), (RESET, IN_5_S)], 5000),
        (vec![(RESET, PAST), (AFTER, "2")], 2000),
        (vec![(RESET, "soon"), (AFTER, "2")], 2000),
        (vec![(RESET, PAST), (AFTER, "0")], 100),
        (vec![(AFTER, "3600")], 3_600_000),
        (vec![(AFTER, "-1")], 100),
        (vec![(AFTER, "2.5")], 100),
        (vec![(AFTER, "2s")], 100),
        (vec![(AFTER, IN_5_S)], 100),
        (vec![], 100),
    ] {
        for status in [429, 503] {
            let mut reply = Reply::status(status);
            for (name, value) in &headers {
                reply = reply.header(name, value);
            }
            let server = Memory::list(vec![reply, Reply::status(204)]);
            poll(&server.client()).await;
            assert_eq!(server.times_ms(), [0, pause_ms], "{status} {headers:?}");
        }
    }
}

/// Without headers: 100 ms doubling, each pause drawn between 100 ms and that.
///
/// Proves WIRE-RTY-04.
#[tokio::test(start_paused = true)]
async fn pauses_without_headers() {
    let server = Memory::list(vec![Reply::status(500)]);
    let client = server.client();
    let mut distinct = std::collections::BTreeSet::new();
    let mut longest = [0; 4];
    for _ in 0..20 {
        let from = server.seen().len();
        poll(&client).await;
        let times = server.times_ms().split_off(from);
        let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses.len(), 4);
        for (pause, most) in pauses.iter().zip([100, 200, 400, 800]) {
            // The clock of tokio ticks in milliseconds and never early.
            assert!((100..=most + 1).contains(pause), "{pauses:?}");
        }
        for (longest, pause) in longest.iter_mut().zip(&pauses) {
            *longest = (*longest).max(*pause);
        }
        distinct.insert(pauses);
    }
    assert!(distinct.len() > 1, "the pauses are jittered");
    // They use the room that they have, so it doubles.
    for (longest, least) in longest.iter().zip([100, 150, 300, 600]) {
        assert!(*longest >= least, "{longest} in 20 calls, expected {least}");
    }
}

/// The fifth answer is the last: what its headers ask for is not waited for. After a redirect the next
/// attempt goes to the address that was called.
///
/// Proves WIRE-RTY-09.
#[tokio::test(start_paused = true)]
async fn the_last_answer_and_redirects() {
    let server = Memory::list(vec![Reply::status(429).header("retry-after", "7")]);
    let begin = Instant::now();
    poll(&server.client()).await;
    assert_eq!(server.times_ms(), [0, 7000, 14_000, 21_000, 28_000]);
    assert_eq!(begin.elapsed(), Duration::from_secs(28));

    let server = Memory::new(|seen| match seen.url.as_str() {
        "http://gitlab.test/api/v4/jobs/request" => {
            Reply::status(307).header("location", "/moved/x")
        }
        _ => Reply::status(503).header("retry-after", "1"),
    });
    let outcome = poll(&server.client()).await;
    assert!(matches!(outcome.result, JobRequestResult::Unavailable));
    let paths: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| seen.url.trim_start_matches("http://gitlab.test").to_owned())
        .collect();
    assert_eq!(paths, ["/api/v4/jobs/request", "/moved/x"].repeat(5));
    let times = server.times_ms();
    assert_eq!(
        times,
        [0, 0, 1000, 1000, 2000, 2000, 3000, 3000, 4000, 4000]
    );
}

/// The body goes out whole in each attempt, over real connections, also when the server answers before
/// it has read it.
///
/// Proves WIRE-RTY-05.
#[tokio::test]
async fn the_whole_body_again() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let client = real_client(&server.uri());
    let content: Vec<u8> = (0..1_048_576u32).map(|i| (i % 251) as u8).collect();
    let outcome = client
        .patch_trace(&credentials(), content.clone().into(), 0, false)
        .await;
    assert_eq!(outcome.state, PatchState::Stored { end: 1_048_576 });
    let seen = server.received_requests().await.unwrap();
    assert_eq!(seen.len(), 3);
    for request in seen {
        assert!(request.body == content, "{} bytes", request.body.len());
        assert_eq!(request.headers["content-length"], "1048576");
        assert_eq!(request.headers["content-range"], "0-1048575");
    }
}

/// A poll ends at once when the manager stops, while it waits for a retry and while it waits for an
/// answer; nothing else of the runner API can be cut off so.
///
/// Proves WIRE-RTY-06.
#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_poll_at_once() {
    for reply in [
        Reply::status(429).header("retry-after", "1000"),
        Reply::status(204).hold(Duration::from_secs(1000)),
    ] {
        let server = Memory::list(vec![reply]);
        let client = server.client();
        let stop = CancellationToken::new();
        let after = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            after.cancel();
        });
        let begin = Instant::now();
        let outcome = client.request_job(&job_request(), &stop).await;
        assert!(matches!(outcome.result, JobRequestResult::Cancelled));
        assert!(!outcome.is_unhealthy());
        assert_eq!(begin.elapsed(), Duration::from_secs(5));
        assert_eq!(server.seen().len(), 1);
    }
}

/// A retryable status halves the adaptive limit even when the next attempt brings a job.
///
/// Method: outcomes of real calls go into a real scheduler. Twelve jobs raise its limit; then one more
/// job comes in the second attempt of its poll.
///
/// Proves WIRE-RTY-07.
#[tokio::test(start_paused = true)]
async fn back_pressure_halves_the_limit() {
    const POLLS: usize = 13;
    for status in [429, 503, 500] {
        let mut scheduler = Scheduler::<()>::new();
        let plan = Plan {
            concurrent: 1,
            check_interval: None,
            entries: vec![Entry {
                request_concurrency: 8,
                ..Entry::new("http://gitlab.test", RUNNER, ())
            }],
        };
        let job = Reply::status(201).json(&json!({"id": 1, "token": "t"}));
        let mut replies = vec![job.clone(); POLLS - 1];
        replies.extend([Reply::status(status), job]);
        let client = Memory::list(replies).client();
        let mut now = Duration::ZERO;
        let mut limits = Vec::new();
        scheduler.start(plan, now);
        for _ in 0..POLLS {
            let decisions = scheduler.take_decisions();
            let ticket = decisions.iter().find_map(|decision| match decision {
                Decision::Poll { ticket, .. } => Some(*ticket),
                _ => None,
            });
            let ticket = ticket.expect("a poll is due");
            let outcome = poll(&client).await;
            let end = PollEnd {
                got_job: matches!(outcome.result, JobRequestResult::Job(_)),
                back_pressured: outcome.back_pressured,
            };
            assert!(end.got_job);
            scheduler.answered(ticket, !outcome.is_unhealthy(), now);
            scheduler.request_over(ticket, end);
            limits.push(scheduler.adaptive_limit(RUNNER));
            scheduler.done(ticket, now);
            now += Duration::from_secs(3);
            scheduler.advance(now);
        }
        let [.., before, after] = limits[..] else {
            unreachable!("there were {POLLS} polls");
        };
        assert!(before > 2.5, "{limits:?}");
        assert!((after - before / 2.0).abs() < 1e-9, "{limits:?}");
    }
}
