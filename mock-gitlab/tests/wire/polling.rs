//! `POST /jobs/request` without its payload (wire.md 3.7).

use mock_gitlab::world::JobDefinition;
use serde_json::json;

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
