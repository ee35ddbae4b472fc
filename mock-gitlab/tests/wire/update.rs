//! `PUT /jobs/:id` (wire.md 5).

use jiff::SignedDuration;
use mock_gitlab::world::{Flag, JobDefinition, Settings};
use serde_json::{Value, json};

use super::support::{Answer, Job, Server};

#[track_caller]
fn told(answer: &Answer, status: u16, job_status: &str) {
    assert_eq!(
        (answer.status, answer.header("job-status")),
        (status, job_status),
        "{answer:?}"
    );
}

fn state(server: &Server, job: &Job) -> (String, String) {
    let world = server.world();
    let record = world.job(job.id).unwrap();
    let reason = record.failure_reason.as_deref().unwrap_or_default();
    (record.status.as_str().to_owned(), reason.to_owned())
}

/// Proves WIRE-UPD-11, WIRE-UPD-17.
#[tokio::test]
async fn every_answer_tells_the_state_after_it() {
    // Without incremental logging a checksum changes nothing; with it, only a checksum does.
    for (incremental, output) in [
        (false, json!({ "output": { "checksum": "crc32:00000000" } })),
        (true, json!({})),
    ] {
        for (last, after) in [("success", "success"), ("failed", "failed")] {
            let server = Server::with(Settings {
                incremental_logging: incremental,
                ..Settings::default()
            });
            let job = server.running(JobDefinition::default()).await;
            server.patch(&job, "0-2", b"log").await;
            let running = server.update(&job, "running", json!({})).await;
            told(&running, 200, "running");
            running.is(200, &json!("200"));
            let odd = server.update(&job, "odd", json!({})).await;
            told(&odd, 400, "running");
            odd.is(400, &json!("400"));
            let answer = server.update(&job, last, output.clone()).await;
            told(&answer, 200, after);
            for answer in [&running, &odd, &answer] {
                assert_eq!(answer.header("x-gitlab-trace-update-interval"), "");
            }
        }
    }
}

/// Proves WIRE-UPD-12.
#[tokio::test]
async fn a_second_final_update_changes_nothing() {
    for (first, second) in [
        ("success", "failed"),
        ("failed", "success"),
        ("success", "running"),
    ] {
        let server = Server::new();
        let job = server.running(JobDefinition::default()).await;
        let reason = json!({ "failure_reason": "script_failure" });
        server.update(&job, first, reason.clone()).await;
        let before = state(&server, &job);
        let answer = server.update(&job, second, reason).await;
        told(&answer, 403, first);
        assert_eq!(
            answer.json(),
            json!({ "message": "403 Forbidden - Job is not processing on runner" })
        );
        assert_eq!(state(&server, &job), before);
    }
}

/// Proves WIRE-UPD-13.
#[tokio::test]
async fn updates_of_cancelled_jobs() {
    for last in ["success", "failed"] {
        let server = Server::new();
        let job = server.running(JobDefinition::default()).await;
        let now = server.now();
        server.world().cancel_job(now, job.id, false).unwrap();
        told(
            &server.update(&job, "running", json!({})).await,
            200,
            "canceling",
        );
        told(&server.update(&job, last, json!({})).await, 200, "canceled");
        told(&server.update(&job, last, json!({})).await, 403, "canceled");
    }
}

/// Proves WIRE-UPD-14.
#[tokio::test]
async fn reasons_and_states() {
    for (sent, stored) in [
        (json!({}), "unknown_failure"),
        (json!({ "failure_reason": null }), "unknown_failure"),
        (
            json!({ "failure_reason": "no_such_reason" }),
            "unknown_failure",
        ),
        (
            json!({ "failure_reason": "job_canceled" }),
            "unknown_failure",
        ),
        (
            json!({ "failure_reason": "script_failure" }),
            "script_failure",
        ),
        // The server takes also what is meant for itself.
        (
            json!({ "failure_reason": "stuck_pending_no_matching_runners" }),
            "stuck_pending_no_matching_runners",
        ),
    ] {
        let server = Server::new();
        let job = server.running(JobDefinition::default()).await;
        for state in ["canceled", "created", "nonsense", ""] {
            let answer = server.update(&job, state, json!({})).await;
            told(&answer, 400, "running");
        }
        let without = server.put(&job).json(json!({ "token": job.token })).await;
        told(&without, 400, "running");
        let answer = server.update(&job, "failed", sent.clone()).await;
        told(&answer, 200, "failed");
        assert_eq!(state(&server, &job).1, stored, "{sent}");
    }
}

/// Proves WIRE-UPD-15.
#[tokio::test]
async fn exit_codes_that_are_allowed() {
    for (code, allowed) in [(json!(137), true), (json!(1), false), (Value::Null, false)] {
        let server = Server::new();
        let job = server
            .running(JobDefinition {
                allow_failure_exit_codes: vec![137, 255],
                ..JobDefinition::default()
            })
            .await;
        let body = json!({ "failure_reason": "script_failure", "exit_code": code });
        told(&server.update(&job, "failed", body).await, 200, "failed");
        let world = server.world();
        assert_eq!(world.job(job.id).unwrap().allow_failure, allowed, "{code}");
    }
}

fn final_update(server: &Server, job: &Job) -> impl Future<Output = Answer> {
    let body = json!({ "token": job.token, "state": "success",
        "output": { "checksum": "crc32:00000000", "bytesize": 3 } });
    server.put(job).json(body)
}

/// Proves WIRE-UPD-16.
#[tokio::test]
async fn a_log_that_is_not_yet_persisted() {
    let incremental = |delay: i64| {
        Server::with(Settings {
            incremental_logging: true,
            trace_persist_delay_s: delay,
            ..Settings::default()
        })
    };
    let server = incremental(2);
    let job = server.running(JobDefinition::default()).await;
    server.patch(&job, "0-2", b"log").await;
    for pause in [0, 1] {
        server.pass(pause);
        let answer = final_update(&server, &job).await;
        told(&answer, 202, "running");
        answer.is(202, &json!("202"));
        assert_eq!(answer.header("x-gitlab-trace-update-interval"), "1");
    }
    server.pass(1);
    told(&final_update(&server, &job).await, 200, "success");

    // The interval by the age of the first final update, and the end of patience.
    let server = incremental(3600);
    let job = server.running(JobDefinition::default()).await;
    server.patch(&job, "0-2", b"log").await;
    let mut age = 0;
    for (at, interval) in [
        (0, "1"),
        (3, "1"),
        (4, "2"),
        (7, "2"),
        (8, "4"),
        (15, "4"),
        (16, "8"),
        (31, "8"),
        (32, "16"),
        (63, "16"),
        (64, "32"),
        (127, "32"),
        (128, "64"),
        (300, "64"),
    ] {
        server.pass(at - age);
        age = at;
        let answer = final_update(&server, &job).await;
        told(&answer, 202, "running");
        assert_eq!(
            answer.header("x-gitlab-trace-update-interval"),
            interval,
            "after {at} s"
        );
    }
    server.pass(1);
    told(&final_update(&server, &job).await, 200, "success");

    // Somebody else writes the log just now.
    let server = incremental(0);
    let job = server.running(JobDefinition::default()).await;
    server.patch(&job, "0-2", b"log").await;
    server.world().lock_trace(job.id, true).unwrap();
    told(&final_update(&server, &job).await, 202, "running");
    server.world().lock_trace(job.id, false).unwrap();
    told(&final_update(&server, &job).await, 202, "running");
    told(&final_update(&server, &job).await, 200, "success");
}

/// Proves WIRE-UPD-18.
#[tokio::test]
async fn a_wrong_checksum_is_taken() {
    for incremental in [false, true] {
        let server = Server::with(Settings {
            incremental_logging: incremental,
            trace_persist_delay_s: 0,
            ..Settings::default()
        });
        let job = server.running(JobDefinition::default()).await;
        server.patch(&job, "0-2", b"log").await;
        if incremental {
            told(&final_update(&server, &job).await, 202, "running");
        }
        told(&final_update(&server, &job).await, 200, "success");
        assert_ne!(server.world().trace_crc32(job.id), 0);
    }
}

/// Proves WIRE-UPD-19.
#[tokio::test]
async fn a_touch_is_noted_when_the_last_change_is_old() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let updated = || server.world().job(job.id).unwrap().updated_at;
    let start = updated();
    server.pass(900);
    server.update(&job, "running", json!({})).await;
    assert_eq!(updated(), start);
    server.pass(1);
    server.update(&job, "running", json!({})).await;
    assert_eq!(updated(), start + SignedDuration::from_secs(901));
}

/// Two-phase assignment. The 409 of wire.md 5.2, for a machine that is attached to a job that still
/// waits, cannot come about: `running` attaches it and ends the wait.
///
/// Proves WIRE-UPD-20.
#[tokio::test]
async fn acknowledgement() {
    let assigned = || async {
        let server = Server::new();
        server
            .world()
            .set_flag(Flag::AllowRunnerJobAcknowledgement, true);
        let job = server.running(JobDefinition::default()).await;
        (server, job)
    };
    let (server, job) = assigned().await;
    for _ in 0..3 {
        server.pass(100);
        told(
            &server.update(&job, "pending", json!({})).await,
            200,
            "pending",
        );
    }
    told(
        &server.update(&job, "success", json!({})).await,
        400,
        "pending",
    );
    told(
        &server.update(&job, "running", json!({})).await,
        200,
        "running",
    );
    told(
        &server.update(&job, "success", json!({})).await,
        200,
        "success",
    );
    // The machine is gone.
    let (server, job) = assigned().await;
    let gone = server
        .call("DELETE", "/runners/managers")
        .json(json!({ "token": super::support::RUNNER, "system_id": "s_1" }))
        .await;
    assert_eq!(gone.status, 204);
    told(
        &server.update(&job, "running", json!({})).await,
        400,
        "pending",
    );
    // Nobody acknowledges.
    let (server, job) = assigned().await;
    server.pass(121);
    let late = server.update(&job, "running", json!({})).await;
    told(&late, 403, "failed");
}
