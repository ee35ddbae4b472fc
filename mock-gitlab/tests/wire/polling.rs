//! `POST /jobs/request` without its payload (wire.md 3.7).

use std::time::Duration;

use mock_gitlab::world::{JobDefinition, Settings};
use serde_json::json;
use tokio::time::Instant;

use super::support::{PEER, RUNNER, Server, info};

/// Proves WIRE-REQ-04.
#[tokio::test]
async fn only_an_empty_answer_carries_last_update() {
    let server = Server::new();
    let none = server.poll().await;
    assert_eq!((none.status, none.body.len()), (204, 0));
    let value = none.header("x-gitlab-last-update").to_owned();
    assert!(!value.is_empty());
    let same = server
        .post("/jobs/request")
        .json(json!({ "token": RUNNER, "last_update": value }))
        .await;
    assert_eq!(
        (same.status, same.header("x-gitlab-last-update")),
        (204, &*value)
    );
    server.pipeline(vec![JobDefinition::default()]);
    let job = server.poll().await;
    assert_eq!(
        (job.status, job.header("content-type")),
        (201, "application/json")
    );
    assert_eq!(job.header("x-gitlab-last-update"), "");
    // The next job is being examined by another poll, so this one is told to come again.
    let next = server.pipeline(vec![JobDefinition::default()])[0];
    let now = server.now();
    let request = protocol::JobRequest {
        token: RUNNER.to_owned(),
        ..protocol::JobRequest::default()
    };
    let first = server.world().begin_request(now, &request, PEER);
    assert_eq!(server.poll().await.json()["id"], next);
    let second = server.world().finish_request(now, first);
    assert_eq!(second.status(), 409);
}

/// Proves WIRE-REQ-05.
#[tokio::test]
async fn who_may_poll() {
    let server = Server::new();
    server
        .post("/jobs/request")
        .json(json!({ "info": info() }))
        .await
        .is(400, &json!({ "error": "token is missing" }));
    server
        .post("/jobs/request")
        .json(json!({ "token": "glrt-unknown" }))
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
}

/// Proves WIRE-REQ-06.
#[tokio::test]
async fn a_machine_is_remembered() {
    let server = Server::new();
    server.poll().await;
    let world = server.world();
    let machine = &world.runner(1).unwrap().managers["s_1"];
    assert_eq!(
        [
            &machine.version,
            &machine.revision,
            &machine.platform,
            &machine.architecture,
            &machine.executor,
            &machine.gpus,
            &machine.ip_address,
        ],
        ["19.4.0", "d79f3e7b", "linux", "amd64", "shell", "all", PEER]
    );
    assert_eq!(machine.labels["zone"], "eu-1");
    assert!(machine.features.cancel_gracefully && !machine.features.terminal);
    assert!(
        !serde_json::to_string(machine)
            .unwrap()
            .contains("not stored")
    );
}

/// A poll with the current value is held until there may be a job, and answered 204 without a value; the
/// next one gets the job (queueing.md 7).
#[tokio::test(start_paused = true)]
async fn long_polling() {
    let server = Server::with(Settings {
        api_ci_long_polling_duration_s: 50,
        ..Settings::default()
    });
    let none = server.poll().await;
    let value = none.header("x-gitlab-last-update").to_owned();
    let poll = |last_update: &str| {
        server
            .post("/jobs/request")
            .json(json!({ "token": RUNNER, "last_update": last_update }))
    };
    let heard = server.world().runner(1).unwrap().contacted_at;
    server.pass(10);
    let start = Instant::now();
    // The time is up.
    let held = poll(&value).await;
    assert_eq!(
        (held.status, held.header("x-gitlab-last-update")),
        (204, "")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(50));
    assert_eq!(server.world().runner(1).unwrap().contacted_at, heard);
    // A job comes; a job that the runner cannot take does not count.
    let start = Instant::now();
    let (held, ()) = tokio::join!(poll(&value), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.pipeline(vec![JobDefinition {
            tags: vec!["other".to_owned()],
            ..JobDefinition::default()
        }]);
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.pipeline(vec![JobDefinition::default()]);
    });
    assert_eq!(
        (held.status, held.header("x-gitlab-last-update")),
        (204, "")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert_eq!(poll(&value).await.status, 201);
    // Another value, none at all, or a form: not held.
    let start = Instant::now();
    assert_eq!(poll("other").await.status, 204);
    assert_eq!(server.poll().await.status, 204);
    let current = server
        .poll()
        .await
        .header("x-gitlab-last-update")
        .to_owned();
    let form = format!("token={RUNNER}&last_update={current}");
    let form = server.post("/jobs/request").form(&form).await;
    assert_eq!(
        (form.status, form.header("x-gitlab-last-update")),
        (204, &*current)
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
}
