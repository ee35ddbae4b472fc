//! Registration and tokens (wire.md 3.2-3.6, 7.1).

use mock_gitlab::world::setup::{NewGroup, NewUser};
use mock_gitlab::world::{NewProject, Settings};
use serde_json::{Value, json};

use super::support::{PAT, REGISTRATION, RUNNER, Server};

/// Proves WIRE-REG-02.
#[tokio::test]
async fn registration_answers_id_token_and_expiry() {
    let server = Server::new();
    let answer = server
        .post("/runners")
        .json(json!({ "token": REGISTRATION, "description": "ci-host-1" }))
        .await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "token", "token_expires_at"]);
    assert_eq!(body["token_expires_at"], Value::Null);
    assert_ne!(body["token"], REGISTRATION);
    let id = body["id"].as_i64().unwrap();
    let record = server.world().runner(id).cloned().unwrap();
    assert_eq!(record.description, "ci-host-1");
    assert_eq!(*record.token, *body["token"].as_str().unwrap());
}

/// Proves WIRE-REG-03.
#[tokio::test]
async fn who_may_register() {
    let server = Server::new();
    let register = |body: Value| server.post("/runners").json(body);
    register(json!({ "description": "x" }))
        .await
        .is(400, &json!({ "error": "token is missing" }));
    register(json!({ "token": "GR1348941unknown" })).await.is(
        403,
        &json!({ "message": "403 Forbidden - invalid token supplied" }),
    );
    server
        .world()
        .change_settings(|settings| settings.allow_registration_tokens = false);
    register(json!({ "token": REGISTRATION })).await.is(
        410,
        &json!({ "message": "410 Gone - runner registration disallowed" }),
    );
}

/// Proves WIRE-REG-04.
#[tokio::test]
async fn a_runner_without_tags_takes_untagged_jobs() {
    let server = Server::new();
    for tags in [json!(null), json!(""), json!([])] {
        let body = json!({ "token": REGISTRATION, "run_untagged": false, "tag_list": tags });
        server.post("/runners").json(body).await.is(
            400,
            &json!({ "message": { "tags_list":
                ["can not be empty when runner is not allowed to pick untagged jobs"] } }),
        );
    }
    let body = json!({ "token": REGISTRATION, "run_untagged": false, "tag_list": "linux" });
    assert_eq!(server.post("/runners").json(body).await.status, 201);
}

/// Proves WIRE-REG-05.
#[tokio::test]
async fn tags_come_as_text_or_array() {
    let server = Server::new();
    for tags in [
        json!("linux,docker"),
        json!(" docker , linux "),
        json!(["linux", "docker"]),
    ] {
        let answer = server
            .post("/runners")
            .json(json!({ "token": REGISTRATION, "tag_list": tags }))
            .await;
        assert_eq!(answer.status, 201, "{tags}");
        let id = answer.json()["id"].as_i64().unwrap();
        let world = server.world();
        let stored: Vec<&str> = world
            .runner(id)
            .unwrap()
            .tags
            .iter()
            .map(|t| &**t)
            .collect();
        assert_eq!(stored, ["docker", "linux"], "{tags}");
    }
}

/// Proves WIRE-REG-08.
#[tokio::test]
async fn verify_makes_the_manager() {
    let server = Server::new();
    let verify = |body: Value| server.post("/runners/verify").json(body);
    let answer = verify(json!({ "token": RUNNER, "system_id": "s_1" })).await;
    answer.is(
        200,
        &json!({ "id": 1, "token": RUNNER, "token_expires_at": null }),
    );
    assert_eq!(verify(json!({ "token": RUNNER })).await.status, 200);
    verify(json!({ "token": "glrt-unknown" }))
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
    let world = server.world();
    let managers: Vec<&str> = world
        .runner(1)
        .unwrap()
        .managers
        .keys()
        .map(|id| &**id)
        .collect();
    assert_eq!(managers, ["<legacy>", "s_1"]);
}

/// Proves WIRE-REG-10.
#[tokio::test]
async fn managers_are_removed_by_system_id() {
    let server = Server::new();
    let remove = |body: Value| server.call("DELETE", "/runners/managers").json(body);
    server.poll().await;
    remove(json!({ "token": RUNNER }))
        .await
        .is(400, &json!({ "error": "system_id is missing" }));
    remove(json!({ "token": RUNNER, "system_id": "s_other" }))
        .await
        .is(
            404,
            &json!({ "message": "404 Runner manager not found Not Found" }),
        );
    let gone = remove(json!({ "token": RUNNER, "system_id": "s_1" })).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    // The last manager is gone, the runner stays.
    assert!(server.world().runner(1).unwrap().managers.is_empty());
}

#[tokio::test]
async fn unregister_removes_the_runner() {
    let server = Server::new();
    let remove = || {
        server
            .call("DELETE", "/runners")
            .json(json!({ "token": RUNNER }))
    };
    let gone = remove().await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert!(server.world().runner(1).is_none());
    remove()
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
}

/// Proves WIRE-REG-12.
#[tokio::test]
async fn a_reset_ends_the_old_token_and_so_does_time() {
    let server = Server::with(Settings {
        runner_token_expiration_interval_s: Some(3600),
        ..Settings::default()
    });
    let poll = |token: &str| {
        let call = server.post("/jobs/request");
        call.json(json!({ "token": token }))
    };
    let by_token = server
        .post("/runners/reset_authentication_token")
        .json(json!({ "token": RUNNER }))
        .await;
    assert_eq!(by_token.status, 201);
    let second = by_token.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(
        by_token.json()["token_expires_at"],
        "2023-11-14T23:14:00.000Z"
    );
    assert_eq!(poll(RUNNER).await.status, 403);
    assert_eq!(poll(&second).await.status, 204);
    let by_id = server
        .post("/runners/1/reset_authentication_token")
        .header("PRIVATE-TOKEN", PAT)
        .send()
        .await;
    assert_eq!(by_id.status, 201);
    let third = by_id.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(poll(&second).await.status, 403);
    assert_eq!(poll(&third).await.status, 204);
    server.pass(3600);
    assert_eq!(poll(&third).await.status, 403);
    // Nor can it be reset any more.
    let late = server
        .post("/runners/reset_authentication_token")
        .json(json!({ "token": third }))
        .await;
    assert_eq!(late.status, 403);
}

/// Proves WIRE-REG-13.
#[tokio::test]
async fn a_reset_by_id_takes_any_body() {
    let server = Server::new();
    let user = server
        .world()
        .add_user(NewUser {
            username: "dev".to_owned(),
            ..NewUser::default()
        })
        .unwrap();
    server
        .world()
        .add_personal_access_token(user, Some("glpat-dev"))
        .unwrap();
    let reset = |id: i64, token: &str| {
        server
            .post(&format!("/runners/{id}/reset_authentication_token"))
            .header("PRIVATE-TOKEN", token)
    };
    for body in ["null", "", "{}"] {
        let answer = reset(1, PAT)
            .bytes("application/json", body.as_bytes())
            .await;
        assert_eq!(answer.status, 201, "{body}");
        let members: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["token", "token_expires_at"]);
    }
    // Errors of wire.md 3.5.
    assert_eq!(reset(1, "glpat-no").send().await.status, 401);
    assert_eq!(reset(1, "glpat-dev").send().await.status, 403);
    assert_eq!(reset(99, PAT).send().await.status, 404);
}

/// Proves WIRE-REG-15.
#[tokio::test]
async fn a_user_makes_runners() {
    let server = Server::new();
    let now = server.now();
    let group = server.world().add_group(now, NewGroup::default()).unwrap();
    let create = |token: &str, body: Value| {
        server
            .post("/user/runners")
            .header("PRIVATE-TOKEN", token)
            .json(body)
    };
    for (kind, missing) in [("group_type", "group_id"), ("project_type", "project_id")] {
        create(PAT, json!({ "runner_type": kind }))
            .await
            .is(400, &json!({ "error": format!("{missing} is missing") }));
    }
    create(PAT, json!({}))
        .await
        .is(400, &json!({ "error": "runner_type is missing" }));
    create("glpat-no", json!({ "runner_type": "instance_type" }))
        .await
        .is(401, &json!({ "message": "401 Unauthorized" }));
    for body in [
        json!({ "runner_type": "instance_type" }),
        json!({ "runner_type": "group_type", "group_id": group }),
        json!({ "runner_type": "project_type", "project_id": server.project }),
    ] {
        let answer = create(PAT, body.clone()).await;
        assert_eq!(answer.status, 201, "{body}");
        let made = answer.json();
        assert!(made["token"].as_str().unwrap().starts_with("glrt-"));
        let id = made["id"].as_i64().unwrap();
        let world = server.world();
        assert_eq!(
            world.runner(id).unwrap().runner_type.as_str(),
            body["runner_type"]
        );
    }
}

/// Proves WIRE-REG-16.
#[tokio::test]
async fn tokens_have_their_prefix() {
    let server = Server::new();
    let now = server.now();
    let (group, registration) = {
        let mut world = server.world();
        let group = world.add_group(now, NewGroup::default()).unwrap();
        let project = world
            .add_project(
                now,
                NewProject {
                    path: "second".to_owned(),
                    group: Some(group),
                    ..NewProject::default()
                },
            )
            .unwrap();
        let token = world.project(project).unwrap().registration_token.clone();
        (group, token)
    };
    let random = |text: &str, prefix: &str| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            rest.len() == 20
                && rest
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        })
    };
    assert!(random(&registration, "GR1348941"), "{registration}");
    for (body, prefix) in [
        (json!({ "runner_type": "instance_type" }), "glrt-t1_"),
        (
            json!({ "runner_type": "group_type", "group_id": group }),
            "glrt-t2_",
        ),
        (
            json!({ "runner_type": "project_type", "project_id": 1 }),
            "glrt-t3_",
        ),
    ] {
        let answer = server
            .post("/user/runners")
            .header("PRIVATE-TOKEN", PAT)
            .json(body)
            .await
            .json();
        let token = answer["token"].as_str().unwrap();
        assert!(random(token, prefix), "{token}");
    }
    let legacy = server
        .post("/runners")
        .json(json!({ "token": &*registration }))
        .await
        .json();
    let token = legacy["token"].as_str().unwrap();
    assert!(token.starts_with("glrtr-"), "{token}");
    let job = server
        .running(mock_gitlab::world::JobDefinition::default())
        .await;
    assert!(random(&job.token, "glcbt-64_"), "{}", job.token);
    let personal = server.world().add_personal_access_token(1, None).unwrap();
    assert!(random(&personal, "glpat-"), "{personal}");
}

/// Proves WIRE-RTR-02.
#[tokio::test]
async fn without_a_router_discovery_says_so() {
    let server = Server::new();
    let ask = |token: &str| {
        server
            .get("/runners/router/discovery")
            .header("RUNNER-TOKEN", token)
    };
    ask(RUNNER).send().await.is(
        501,
        &json!({ "message": "Job Router is not available. Please contact your administrator." }),
    );
    ask("glrt-unknown")
        .send()
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
    server.world().change_settings(|settings| {
        settings.job_router_url = Some("wss://kas.example.com".to_owned());
    });
    ask(RUNNER)
        .send()
        .await
        .is(200, &json!({ "server_url": "wss://kas.example.com" }));
}
