//! Rate limits, sizes of bodies, maintenance (wire.md 1.8, 8).

use mock_gitlab::world::{JobDefinition, Settings};
use serde_json::json;

use super::support::{Answer, Job, PAT, REGISTRATION, RUNNER, Server};

/// Proves WIRE-RTY-08, WIRE-LIM-01.
#[tokio::test]
async fn calls_per_minute() {
    let settings = Settings::self_managed();
    assert_eq!(
        (
            settings.runner_jobs_request_api_limit,
            settings.runner_jobs_patch_trace_api_limit,
            settings.runner_jobs_endpoints_api_limit,
        ),
        (2000, 200, 200)
    );
    // The server's clock stands 20 s before a full minute.
    let server = Server::with(settings);
    server.pass(20 - server.now().as_second().rem_euclid(60) + 20);
    let job = server.running(JobDefinition::default()).await;
    let too_many = |answer: &Answer| {
        answer.is(
            429,
            &json!({ "message": { "error":
                "This endpoint has been requested too many times. Try again later." } }),
        );
        assert_eq!(answer.header("retry-after"), "20");
    };
    for _ in 1..2000 {
        assert_eq!(server.poll().await.status, 204);
    }
    too_many(&server.poll().await);
    for start in 0..200 {
        let range = format!("{start}-{start}");
        assert_eq!(server.patch(&job, &range, b"x").await.status, 202);
    }
    too_many(&server.patch(&job, "200-200", b"x").await);
    for _ in 0..200 {
        let touch = server.update(&job, "running", json!({})).await;
        assert_eq!(touch.status, 200);
    }
    too_many(&server.update(&job, "running", json!({})).await);
    // Another token has a count of its own, and so has the next minute.
    let register = server
        .post("/runners")
        .json(json!({ "token": REGISTRATION }));
    let other = register.await.json()["token"].clone();
    let poll = server.post("/jobs/request").json(json!({ "token": other }));
    assert_eq!(poll.await.status, 204);
    server.pass(20);
    assert_eq!(server.poll().await.status, 204);
    assert_eq!(server.patch(&job, "200-200", b"x").await.status, 202);
    // 0 = off.
    server.world().change_settings(|settings| {
        settings.runner_jobs_request_api_limit = 0;
    });
    for _ in 0..2100 {
        assert_eq!(server.poll().await.status, 204);
    }
}

/// Proves WIRE-REQ-09.
#[tokio::test]
async fn maintenance() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    server
        .world()
        .change_settings(|settings| settings.migrations_running = true);
    for (method, path) in endpoints(&job) {
        let answer = server
            .call(method, &path)
            .header("PRIVATE-TOKEN", PAT)
            .header("RUNNER-TOKEN", RUNNER)
            .header("JOB-TOKEN", &job.token)
            .json(json!({ "token": job.token }))
            .await;
        answer.is(
            429,
            &json!({ "message": "Executing database migrations. Please retry later." }),
        );
        assert_eq!(answer.header("retry-after"), "60", "{method} {path}");
    }
}

/// Endpoints 1-14 of wire.md 2.
fn endpoints(job: &Job) -> Vec<(&'static str, String)> {
    let id = job.id;
    vec![
        ("POST", "/runners".to_owned()),
        ("POST", "/runners/verify".to_owned()),
        ("DELETE", "/runners".to_owned()),
        ("DELETE", "/runners/managers".to_owned()),
        ("POST", "/runners/reset_authentication_token".to_owned()),
        ("POST", "/runners/1/reset_authentication_token".to_owned()),
        ("POST", "/user/runners".to_owned()),
        ("POST", "/jobs/request".to_owned()),
        ("PUT", format!("/jobs/{id}")),
        ("PATCH", format!("/jobs/{id}/trace")),
        ("POST", format!("/jobs/{id}/artifacts")),
        ("GET", format!("/jobs/{id}/artifacts")),
        ("GET", "/runners/router/discovery".to_owned()),
    ]
}

/// A poll may have 32 KiB (queueing.md 7).
#[tokio::test]
async fn a_long_poll_body() {
    let server = Server::new();
    let poll = |bytes: usize| {
        let note = "x".repeat(bytes);
        server
            .post("/jobs/request")
            .json(json!({ "token": RUNNER, "note": note }))
    };
    assert_eq!(poll(30 * 1024).await.status, 204);
    assert_eq!(poll(32 * 1024).await.status, 413);
}
