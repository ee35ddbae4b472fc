//! `PATCH /jobs/:id/trace` (wire.md 4).

use mock_gitlab::world::setup::ProjectChange;
use mock_gitlab::world::{JobDefinition, Settings};
use proptest::prelude::*;
use serde_json::json;

use super::support::{Job, Server};

/// Proves WIRE-TRC-12, WIRE-TRC-20.
#[tokio::test]
async fn an_accepted_patch() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let first = server.patch(&job, "0-16", b"17 bytes of a log").await;
    let headers = |name: &str| first.header(name).to_owned();
    assert_eq!(first.status, 202);
    assert_eq!(headers("job-status"), "running");
    assert_eq!(headers("range"), "0-17");
    assert_eq!(headers("x-gitlab-trace-update-interval"), "60");
    let now = server.now();
    server.world().watch_trace(now, job.id).unwrap();
    server.pass(9);
    let watched = server.patch(&job, "17-17", b"x").await;
    assert_eq!(watched.header("x-gitlab-trace-update-interval"), "3");
    server.pass(1);
    let later = server.patch(&job, "18-18", b"x").await;
    assert_eq!(later.header("x-gitlab-trace-update-interval"), "60");
    assert_eq!(server.world().trace(job.id), b"17 bytes of a logxx");
}

/// Proves WIRE-TRC-13.
#[tokio::test]
async fn only_the_start_of_a_range_counts() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    for (range, stored) in [
        ("0-2", "0-2"),
        ("2-3/100", "0-4"),
        ("4-999", "0-6"),
        ("6-", "0-8"),
    ] {
        let answer = server.patch(&job, range, b"ab").await;
        assert_eq!((answer.status, answer.header("range")), (202, stored));
    }
    let debug = |job: &Job, range: &'static str, value: &str| {
        server
            .call(
                "PATCH",
                &format!("/jobs/{}/trace?debug_trace={value}", job.id),
            )
            .header("JOB-TOKEN", &job.token)
            .header("Content-Range", range)
            .bytes("text/plain", b"ab")
    };
    assert_eq!(debug(&job, "8-9", "true").await.status, 202);
    assert!(!server.world().trace_is_debug(job.id));
    let second = server.running(JobDefinition::default()).await;
    assert_eq!(debug(&second, "0-1", "true").await.status, 202);
    assert!(server.world().trace_is_debug(second.id));
}

/// The table of wire.md 4.3.
///
/// Proves WIRE-TRC-14.
#[tokio::test]
async fn ranges() {
    for (stored, range, bytes, status, answer_range) in [
        (0, "0-9", 10, 202, "0-10"),
        (10, "10-14", 5, 202, "0-15"),
        (15, "10-14", 5, 202, "0-15"),
        (15, "20-24", 5, 416, "0-15"),
        (15, "8-20", 13, 416, "0-15"),
        (0, "15-19", 5, 416, "0-0"),
        (15, "15-14", 0, 202, "0-15"),
    ] {
        let server = Server::new();
        let job = server.running(JobDefinition::default()).await;
        let log = vec![b'l'; stored];
        if stored > 0 {
            server.patch(&job, "0-", &log).await;
        }
        let answer = server.patch(&job, range, &vec![b'n'; bytes]).await;
        let row = format!("{stored} {range}");
        assert_eq!(answer.status, status, "{row}");
        assert_eq!(answer.header("range"), answer_range, "{row}");
        if status == 416 {
            answer.is(416, &json!({ "error": "416 Range Not Satisfiable" }));
            assert_eq!(answer.header("job-status"), "");
            assert_eq!(answer.header("x-gitlab-trace-update-interval"), "");
            assert_eq!(server.world().trace(job.id), log, "{row}");
        }
    }
}

/// Proves WIRE-TRC-15.
#[tokio::test]
async fn who_may_write() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    server
        .call("PATCH", &format!("/jobs/{}/trace", job.id))
        .header("JOB-TOKEN", &job.token)
        .bytes("text/plain", b"x")
        .await
        .is(400, &json!({ "error": "400 Missing header Content-Range" }));
    // Unknown job, wrong token, no token.
    for (id, token) in [(999, &*job.token), (job.id, "glcbt-64_wrong"), (job.id, "")] {
        let other = Job {
            id,
            token: token.to_owned(),
        };
        let answer = server.patch(&other, "0-0", b"x").await;
        answer.is(403, &json!({ "message": "403 Forbidden" }));
        assert_eq!(answer.header("job-status"), "");
    }
    // Finished, then erased: the state is told.
    server.update(&job, "success", json!({})).await;
    for _ in 0..2 {
        let answer = server.patch(&job, "0-0", b"x").await;
        answer.is(
            403,
            &json!({ "message": "403 Forbidden - Job is not processing on runner" }),
        );
        assert_eq!(answer.header("job-status"), "success");
        let now = server.now();
        server.world().erase_job(now, job.id).unwrap();
    }
    // Deleted project.
    let job = server.running(JobDefinition::default()).await;
    let (now, project) = (server.now(), server.project);
    let change = ProjectChange {
        pending_delete: Some(true),
        ..ProjectChange::default()
    };
    server.world().set_project(now, project, change).unwrap();
    server.patch(&job, "0-0", b"x").await.is(
        403,
        &json!({ "message": "403 Forbidden - Project has been deleted!" }),
    );
}

/// The parameter wins over the header (wire.md 1.3).
#[tokio::test]
async fn a_token_parameter_beats_the_header() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let patch = |query: &str, header: &str| {
        server
            .call("PATCH", &format!("/jobs/{}/trace?token={query}", job.id))
            .header("JOB-TOKEN", header)
            .header("Content-Range", "0-0")
            .bytes("text/plain", b"x")
    };
    assert_eq!(patch(&job.token, "wrong").await.status, 202);
    assert_eq!(patch("wrong", &job.token).await.status, 403);
}

/// Proves WIRE-TRC-16.
#[tokio::test]
async fn a_canceling_job_goes_on_writing() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let now = server.now();
    server.world().cancel_job(now, job.id, false).unwrap();
    let answer = server.patch(&job, "0-0", b"x").await;
    assert_eq!(
        (answer.status, answer.header("job-status")),
        (202, "canceling")
    );
}

/// Proves WIRE-TRC-17.
#[tokio::test]
async fn a_log_that_is_too_long() {
    let server = Server::with(Settings {
        ci_jobs_trace_size_limit_mib: 1,
        ..Settings::default()
    });
    let job = server.running(JobDefinition::default()).await;
    let most = vec![b'x'; 1024 * 1024 - 1];
    assert_eq!(server.patch(&job, "0-", &most).await.status, 202);
    let answer = server.patch(&job, "1048575-1048575", b"x").await;
    answer.is(403, &json!({ "error": "403 Forbidden" }));
    assert_eq!(answer.header("job-status"), "");
    let world = server.world();
    let record = world.job(job.id).unwrap();
    assert_eq!(
        (record.status.as_str(), record.failure_reason.as_deref()),
        ("failed", Some("trace_size_exceeded"))
    );
}

/// Proves WIRE-TRC-18.
#[tokio::test]
async fn two_writers_at_once() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    server.world().lock_trace(job.id, true).unwrap();
    server
        .patch(&job, "0-0", b"x")
        .await
        .is(409, &json!({ "message": "409 Conflict" }));
    server.world().lock_trace(job.id, false).unwrap();
    assert_eq!(server.patch(&job, "0-0", b"x").await.status, 202);
}

/// Proves WIRE-TRC-19.
#[tokio::test]
async fn the_job_token_does_not_stay_in_the_log() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let line = format!("a {0} b {0}\n", job.token);
    let answer = server.patch(&job, "0-", line.as_bytes()).await;
    assert_eq!(answer.header("range"), format!("0-{}", line.len()));
    let expected = line.replace(&job.token, &"x".repeat(job.token.len()));
    assert_eq!(server.world().trace(job.id), expected.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent in whatever order, also after the server lost the log: a 416 names no offset
    /// that was not reached by what was sent before.
    ///
    /// Proves WIRE-TRC-21.
    #[test]
    fn no_offset_above_what_was_sent(
        patches in proptest::collection::vec((0_u64..40, 0_usize..12, proptest::bool::weighted(0.1)), 1..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let server = Server::new();
            let job = server.running(JobDefinition::default()).await;
            let mut sent = 0;
            for (start, bytes, lost) in patches {
                if lost {
                    let now = server.now();
                    server.world().lose_trace(now, job.id).unwrap();
                }
                let answer = server.patch(&job, &format!("{start}-"), &vec![b'x'; bytes]).await;
                if answer.status == 416 {
                    let range = answer.header("range");
                    let offset: u64 = range.strip_prefix("0-").unwrap().parse().unwrap();
                    assert!(offset <= sent, "{offset} of {sent}");
                } else {
                    assert_eq!(answer.status, 202);
                    sent = sent.max(start + bytes as u64);
                }
            }
        });
    }
}
