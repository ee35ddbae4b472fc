//! How a log is delivered while its job runs (wire.md 4.1, 4.4, 5.1), on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use runner::clock::TokioClock;
use runner::trace::{
    FinalOutcome, FirstUpdate, JobLog, JobResult, JobTrace, LogOptions, Spool, TraceSettings,
};
use serde_json::json;
use tokio::time::sleep;

use super::memory::{Memory, NOW, Reply, Seen};
use super::support::{credentials, info};

/// A job's log and its delivery.
pub(crate) struct Job {
    pub(crate) log: JobLog,
    trace: JobTrace,
}

impl Job {
    /// Picks a job up from `server`, now.
    pub(crate) fn start(server: &Memory) -> Job {
        let clock = Arc::new(TokioClock::starting_at(NOW.parse().unwrap()));
        let options = LogOptions {
            timestamps: false,
            limit_bytes: 64 * 1024 * 1024,
            ..LogOptions::default()
        };
        let log = JobLog::new(options, clock, Spool::memory());
        let trace = JobTrace::start(
            server.client(),
            credentials(),
            log.clone(),
            TraceSettings::new(info()),
        );
        Job { log, trace }
    }

    pub(crate) async fn finish(self) -> FinalOutcome {
        self.trace.finish(&JobResult::success()).await
    }
}

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}

/// A server that takes everything.
fn takes(seen: &Seen) -> Reply {
    Reply::status(if seen.method == Method::PATCH {
        202
    } else {
        200
    })
}

/// Answers patches by `patches` and updates by `updates`, the last of each for ever.
pub(crate) fn server(patches: Vec<Reply>, updates: Vec<Reply>) -> Memory {
    let (mut patches, mut updates) = (patches.into_iter(), updates.into_iter());
    let (mut patch, mut update) = (Reply::status(202), Reply::status(200));
    Memory::new(move |seen| {
        if seen.method == Method::PATCH {
            patch = patches.next().unwrap_or_else(|| patch.clone());
            patch.clone()
        } else {
            update = updates.next().unwrap_or_else(|| update.clone());
            update.clone()
        }
    })
}

/// An answer that names the interval.
pub(crate) fn named(status: u16, seconds: &str) -> Reply {
    Reply::status(status).header("x-gitlab-trace-update-interval", seconds)
}

/// What the server saw, one line for each request: second, method, range or state.
pub(crate) fn story(server: &Memory) -> Vec<String> {
    let lines = server.seen().into_iter().map(|seen| {
        let what = if seen.method == Method::PATCH {
            seen.header("content-range").to_owned()
        } else {
            seen.json()["state"].as_str().unwrap().to_owned()
        };
        format!("{} {} {what}", seen.at.as_secs(), seen.method)
    });
    lines.collect()
}

/// A piece of at most 1 MiB in each interval while the job runs; what is left goes out at the end
/// without pauses. The bytes are those of the log.
///
/// Proves WIRE-TRC-03, WIRE-UPD-04.
#[tokio::test(start_paused = true)]
async fn pieces_of_a_long_log() {
    let server = Memory::new(takes);
    let job = Job::start(&server);
    let text = "1234567\n".repeat(500_000);
    job.log.raw(&text);
    seconds(7).await;
    assert_eq!(job.finish().await, FinalOutcome::Delivered);
    assert_eq!(
        story(&server),
        [
            "3 PATCH 0-1048575",
            "6 PATCH 1048576-2097151",
            "7 PATCH 2097152-3145727",
            "7 PATCH 3145728-3999999",
            "7 PUT success",
        ]
    );
    let seen = server.seen();
    let sent: Vec<u8> = seen[..4]
        .iter()
        .flat_map(|seen| seen.body.clone())
        .collect();
    assert!(sent == text.as_bytes());
    assert_eq!(seen[4].json()["output"]["bytesize"], 4_000_000);
}

/// A log without a byte causes no patch, neither while the job runs nor at its end; nor does a log that
/// is sent already. A silent job shows that it lives: on the first tick, and when nothing has gone out
/// for more than 30 s.
///
/// Proves WIRE-TRC-04, WIRE-TRC-11.
#[tokio::test(start_paused = true)]
async fn a_silent_job() {
    let server = Memory::new(takes);
    let job = Job::start(&server);
    seconds(80).await;
    assert_eq!(
        story(&server),
        ["3 PUT running", "36 PUT running", "69 PUT running"]
    );
    for seen in server.seen() {
        let body = seen.json();
        assert_eq!(body["checksum"], "crc32:00000000");
        assert_eq!(body["output"], json!({"checksum": "crc32:00000000"}));
    }
    job.log.raw("12345");
    seconds(50).await;
    // The patch at 81 counts as traffic.
    assert_eq!(story(&server)[3..], ["81 PATCH 0-4", "114 PUT running"]);
    let touch = server.seen().pop().unwrap().json();
    assert_eq!(
        touch["output"],
        json!({"checksum": "crc32:cbf53a1c", "bytesize": 5})
    );
    job.finish().await;
    assert_eq!(story(&server)[5..], ["130 PUT success"]);
}

/// The first tick is 3 s after pickup, also while the first update still waits for its answer.
///
/// Proves WIRE-TRC-23, WIRE-TRC-11.
#[tokio::test(start_paused = true)]
async fn the_first_tick_waits_for_nothing() {
    let server = server(
        Vec::new(),
        vec![
            Reply::status(200).hold(Duration::from_secs(8)),
            Reply::status(200),
        ],
    );
    let job = Job::start(&server);
    assert_eq!(job.trace.first_update().await, FirstUpdate::Run);
    assert_eq!(story(&server), ["0 PUT running", "3 PUT running"]);
    let first = &server.seen()[0];
    assert_eq!(first.json()["output"], json!({}));
    assert_eq!(first.json().get("checksum"), None);
    job.trace.abandon().await;
}

/// The interval that a server names holds from the next tick on, on any answer, until another comes.
///
/// Proves WIRE-TRC-05.
#[tokio::test(start_paused = true)]
async fn intervals_of_the_server() {
    for status in [202, 400, 416, 500] {
        // 500 is tried five times, within two seconds.
        let attempts = if status == 500 { 5 } else { 1 };
        let mut patches = vec![named(status, "10"); attempts];
        patches.extend(["0", "-5", "2.5", "9999999999", "100000"].map(|value| named(202, value)));
        patches.push(Reply::status(202));
        let server = server(patches, Vec::new());
        let job = Job::start(&server);
        for _ in 0..3000 {
            job.log.raw("x");
            seconds(1).await;
        }
        let times: Vec<u64> = server.seen().iter().map(|seen| seen.at.as_secs()).collect();
        let first = times.iter().filter(|time| **time < 6).count();
        assert_eq!(first, attempts);
        let times = &times[first..];
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((13..=15).contains(&times[0]), "{status}: {times:?}");
        // The one after 100000: 15 min, which stays.
        assert_eq!(gaps, [10, 10, 10, 10, 900, 900, 900], "{status}");
        drop(job);
    }
}

/// After an abort answer nothing more is sent while the job ends, and the offset stays, with 202 as
/// well. The flush at the end begins there, and ends at the next such answer; then comes the result.
///
/// Proves WIRE-TRC-22, WIRE-TRC-08.
#[tokio::test(start_paused = true)]
async fn an_abort_leaves_the_offset() {
    let told = |status, state: &str| Reply::status(status).header("job-status", state);
    for abort in [
        Reply::status(403),
        told(202, "canceled"),
        told(202, "failed"),
        told(403, "success"),
        told(404, "failed"),
        told(416, "canceled").header("range", "0-2"),
    ] {
        let case = format!("{abort:?}");
        let patches = vec![told(202, "running"), abort.clone(), told(202, "canceled")];
        let server = server(patches, vec![told(403, "canceled")]);
        let job = Job::start(&server);
        job.log.raw("abc");
        seconds(4).await;
        assert!(!job.trace.aborted().is_cancelled(), "{case}");
        job.log.raw("defg");
        seconds(20).await;
        assert!(job.trace.aborted().is_cancelled(), "{case}");
        assert!(!job.trace.cancelled().is_cancelled(), "{case}");
        job.log.raw(&"h".repeat(3 * 1024 * 1024));
        assert_eq!(job.finish().await, FinalOutcome::Aborted, "{case}");
        assert_eq!(
            story(&server),
            [
                "3 PATCH 0-2",
                "6 PATCH 3-6",
                "24 PATCH 3-1048578",
                "24 PUT success",
            ],
            "{case}"
        );
    }
}

/// 404 and failures do not end the job: the same piece goes out on the next tick, with what came since.
///
/// Proves WIRE-TRC-10.
#[tokio::test(start_paused = true)]
async fn a_failed_patch_is_sent_again() {
    for reply in [404, 501, 400, 401, 409, 410, 412, 200, 201, 204, 302]
        .map(Reply::status)
        .into_iter()
        .chain([Reply::broken("reset")])
    {
        let case = format!("{reply:?}");
        let server = server(vec![reply.clone(), reply, Reply::status(202)], Vec::new());
        let job = Job::start(&server);
        job.log.raw("abc");
        seconds(4).await;
        job.log.raw("de");
        seconds(6).await;
        assert!(!job.trace.aborted().is_cancelled(), "{case}");
        job.finish().await;
        assert_eq!(
            story(&server),
            [
                "3 PATCH 0-2",
                "6 PATCH 0-4",
                "9 PATCH 0-4",
                "10 PUT success"
            ],
            "{case}"
        );
    }
}

/// A 416 counts as traffic: no keep-alive for 30 s. A keep-alive that fails comes again on the next tick.
///
/// Proves WIRE-TRC-24, WIRE-TRC-07.
#[tokio::test(start_paused = true)]
async fn what_restarts_the_clock_of_keep_alives() {
    let mismatch = Reply::status(416).header("range", "0-3");
    let server_416 = server(vec![mismatch], Vec::new());
    let job = Job::start(&server_416);
    job.log.raw("abc");
    seconds(40).await;
    assert_eq!(story(&server_416), ["3 PATCH 0-2", "36 PUT running"]);
    drop(job);

    for failure in [400, 401, 409, 201, 202, 204, 412]
        .map(Reply::status)
        .into_iter()
        .chain([Reply::broken("reset")])
    {
        let case = format!("{failure:?}");
        let server = server(
            Vec::new(),
            vec![failure.clone(), failure, Reply::status(200)],
        );
        let job = Job::start(&server);
        seconds(44).await;
        assert_eq!(
            story(&server),
            [
                "3 PUT running",
                "6 PUT running",
                "9 PUT running",
                "42 PUT running"
            ],
            "{case}"
        );
        assert!(!job.trace.aborted().is_cancelled(), "{case}");
    }
    let told = |status, state: &str| Reply::status(status).header("job-status", state);
    for abort in [
        Reply::status(403),
        Reply::status(404),
        told(200, "canceled"),
    ] {
        let server = server(Vec::new(), vec![abort]);
        let job = Job::start(&server);
        seconds(44).await;
        assert_eq!(story(&server), ["3 PUT running"]);
        assert!(job.trace.aborted().is_cancelled());
    }
}

/// `canceling` on any answer cancels gracefully, and delivery goes on. Later ones change nothing
/// (`canceling_counts_once` in `manager.rs`).
///
/// Proves WIRE-TRC-09.
#[tokio::test(start_paused = true)]
async fn a_graceful_cancel() {
    let told = |status| Reply::status(status).header("job-status", "canceling");
    for (patch, update) in [(202, 200), (404, 200), (400, 200), (202, 400)] {
        let server = server(vec![told(patch)], vec![told(update)]);
        let job = Job::start(&server);
        job.log.raw("abc");
        seconds(4).await;
        assert!(job.trace.cancelled().is_cancelled());
        assert!(!job.trace.aborted().is_cancelled());
        job.log.raw("d");
        seconds(3).await;
        let again = if patch == 202 {
            "6 PATCH 3-3"
        } else {
            "6 PATCH 0-3"
        };
        assert_eq!(story(&server), ["3 PATCH 0-2", again]);
    }
}

/// What the answer to the first update means: few answers keep a job from running.
///
/// Proves WIRE-UPD-10, WIRE-UPD-01.
#[tokio::test(start_paused = true)]
async fn answers_to_the_first_update() {
    let told = |status, state: &str| Reply::status(status).header("job-status", state);
    let mut cases: Vec<(Reply, FirstUpdate)> = [
        200, 201, 202, 204, 400, 401, 409, 412, 422, 429, 500, 501, 502, 503, 504,
    ]
    .map(|status| (Reply::status(status), FirstUpdate::Run))
    .to_vec();
    cases.extend([
        (Reply::broken("reset"), FirstUpdate::Run),
        (told(200, "success"), FirstUpdate::Run),
        (told(409, "running"), FirstUpdate::Run),
        (Reply::status(403), FirstUpdate::Abort),
        (Reply::status(404), FirstUpdate::Abort),
        (told(200, "canceled"), FirstUpdate::Abort),
        (told(409, "failed"), FirstUpdate::Abort),
        (told(200, "canceling"), FirstUpdate::Cancel),
        (told(500, "canceling"), FirstUpdate::Cancel),
    ]);
    for (reply, expected) in cases {
        let case = format!("{reply:?}");
        let server = server(Vec::new(), vec![reply]);
        let job = Job::start(&server);
        assert_eq!(job.trace.first_update().await, expected, "{case}");
        let seen = server.seen();
        assert_eq!(seen[0].json()["state"], "running");
        assert_eq!(seen[0].json()["output"], json!({}));
        let aborted = expected == FirstUpdate::Abort;
        assert_eq!(job.trace.aborted().is_cancelled(), aborted, "{case}");
        job.trace.abandon().await;
    }
}
