//! Filters and orders of lists, and the ways in which clients send parameters (wire.md 1.3, 3.11).

use std::fmt::Write as _;

use mock_gitlab::world::{NewGroup, NewPipeline, NewPipelineJob, NewProject, NewRunner, NewUser};
use serde_json::json;

use super::rest::Rest;
use super::support::{PAT, REGISTRATION, RUNNER, Server, info};

/// Three pipelines a minute apart, the second of another user and branch and changed last.
fn pipelines(server: &Server) {
    let user = server.world().add_user(NewUser {
        username: "dev".to_owned(),
        name: "Developer".to_owned(),
        ..NewUser::default()
    });
    let user = user.unwrap();
    for number in 0..3 {
        let now = server.now();
        server
            .world()
            .add_pipeline(
                now,
                NewPipeline {
                    project: 1,
                    ref_: if number == 1 { "a" } else { "main" }.to_owned(),
                    user: Some(if number == 1 { user } else { 1 }),
                    jobs: vec![NewPipelineJob {
                        id: None,
                        definition: std::sync::Arc::default(),
                    }],
                    ..NewPipeline::default()
                },
            )
            .unwrap();
        server.pass(60);
    }
    let (now, mut world) = (server.now(), server.world());
    world.cancel_pipeline(now, 2).unwrap();
}

/// Goal: what GitLab's clients ask for in a list is what they get, in the order that they ask for; a value
/// that cannot be is refused, never ignored.
#[tokio::test]
async fn filters_and_orders() {
    let server = Server::new();
    pipelines(&server);
    {
        let now = server.now();
        let mut world = server.world();
        for path in ["zoo", "bar"] {
            let path = path.to_owned();
            let group = NewGroup {
                path: path.clone(),
                ..NewGroup::default()
            };
            world.add_group(now, group).unwrap();
            let project = NewProject {
                path,
                ..NewProject::default()
            };
            world.add_project(now, project).unwrap();
        }
        let other = NewRunner {
            paused: true,
            ..NewRunner::default()
        };
        world.add_runner(now, other).unwrap();
    }
    server.poll().await;
    let rest = Rest(&server);
    // Pipelines begin at 22:14:00.
    for (path, expected) in [
        ("/projects/1/pipelines", &[3, 2, 1][..]),
        ("/projects/1/pipelines?sort=asc", &[1, 2, 3]),
        ("/projects/1/pipelines?order_by=ref&sort=asc", &[2, 1, 3]),
        ("/projects/1/pipelines?order_by=updated_at", &[2, 1, 3]),
        ("/projects/1/pipelines?order_by=user_id", &[2, 3, 1]),
        ("/projects/1/pipelines?order_by=status&sort=asc", &[2, 3, 1]),
        ("/projects/1/pipelines?username=dev", &[2]),
        (
            "/projects/1/pipelines?created_after=2023-11-14T22:15:00Z",
            &[3, 2],
        ),
        (
            "/projects/1/pipelines?created_before=2023-11-14T23:15:00%2B01:00",
            &[2, 1],
        ),
        (
            "/projects/1/pipelines?updated_after=2023-11-14T22:16:30Z",
            &[2, 1],
        ),
        ("/projects/1/pipelines?updated_before=2023-11-14", &[]),
        ("/projects?order_by=name&sort=asc", &[3, 1, 2]),
        ("/projects?order_by=id", &[3, 2, 1]),
        ("/projects?id_after=1&id_before=3", &[2]),
        ("/projects?archived=true", &[]),
        ("/groups", &[2, 1]),
        ("/groups?order_by=id&sort=desc", &[2, 1]),
        ("/groups?order_by=path&sort=desc", &[1, 2]),
        ("/users?search=velop", &[2]),
        ("/runners/all?version_prefix=19.", &[1]),
        ("/runners/all?version_prefix=18.", &[]),
        ("/runners/all?scope=paused", &[2]),
        ("/runners/all?scope=specific", &[]),
        ("/runners/all?scope=online&status=paused", &[2]),
        ("/runners/1/jobs?sort=asc&order_by=id", &[1]),
    ] {
        assert_eq!(rest.ids(path).await, expected, "{path}");
    }
    for (path, name) in [
        ("/projects/1/pipelines?order_by=odd", "order_by"),
        ("/projects/1/pipelines?sort=odd", "sort"),
        ("/projects/1/pipelines?updated_after=odd", "updated_after"),
        ("/projects?order_by=odd", "order_by"),
        ("/groups?sort=odd", "sort"),
        ("/runners/all?scope=odd", "scope"),
        ("/runners/1/jobs?order_by=name", "order_by"),
    ] {
        let text = format!("{name} does not have a valid value");
        rest.get(path).await.is(400, &json!({ "error": text }));
    }
}

/// Goal: a form in parts, as GitLab's own documentation sends it with `curl --form`, says what JSON says;
/// names nest.
#[tokio::test]
async fn forms() {
    let server = Server::new();
    let form = |fields: &[(&str, &str)]| {
        let mut body = String::new();
        for (name, value) in fields {
            let _ = write!(
                body,
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        body + "--b--\r\n"
    };
    let multipart = "multipart/form-data; boundary=b";
    let body = form(&[
        ("token", REGISTRATION),
        ("description", "from a form"),
        ("tag_list", "ruby,mysql"),
        ("run_untagged", "false"),
    ]);
    let made = server
        .post("/runners")
        .bytes(multipart, body.as_bytes())
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let runner = server.world().runner(2).unwrap().clone();
    assert_eq!(runner.description, "from a form");
    assert!(!runner.run_untagged && runner.tags.len() == 2);
    let body = form(&[
        ("token", RUNNER),
        ("info[version]", "1.2.3"),
        ("info[features][image]", "true"),
    ]);
    let verified = server
        .post("/runners/verify")
        .bytes(multipart, body.as_bytes())
        .await;
    assert_eq!(verified.status, 200, "{verified:?}");
    let runner = server.world().runner(1).unwrap().clone();
    let machine = runner.managers.values().next().unwrap();
    assert!(machine.features.image && machine.version == "1.2.3");
    let definition = "jobs: [{name: a, script: [ls]}]";
    let made = server
        .post("/projects/1/pipeline")
        .header("private-token", PAT)
        .form(&format!(
            "ref=main&definition={}&variables[][key]=A&variables[][value]=1&variables[][key]=B&variables[][value]=true",
            definition.replace(' ', "+")
        ))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let variables = server
        .get("/projects/1/pipelines/1/variables")
        .header("private-token", PAT);
    let variables = variables.send().await.json();
    let pairs = variables.as_array().unwrap().iter();
    let pairs = pairs.map(|it| (it["key"].clone(), it["value"].clone()));
    let expected = [(json!("A"), json!("1")), (json!("B"), json!("true"))];
    assert_eq!(pairs.collect::<Vec<_>>(), expected);
    let broken = server
        .post("/runners")
        .bytes(multipart, b"--b\r\nContent-")
        .await;
    broken.is(
        400,
        &json!({ "error": "The request body is no valid form" }),
    );
}

/// Goal: what has changed since the caller looked is not removed: 412 (wire.md 3.4).
#[tokio::test]
async fn unmodified_since() {
    let server = Server::new();
    server.poll().await;
    let early = "Tue, 14 Nov 2023 22:13:59 GMT";
    let late = "Tue, 14 Nov 2023 22:14:00 GMT";
    let body = json!({ "token": RUNNER, "system_id": "s_1" });
    let precondition = json!({ "message": "412 Precondition Failed" });
    for path in ["/runners/managers", "/runners"] {
        for since in [early, late] {
            let call = server
                .call("DELETE", path)
                .header("if-unmodified-since", since);
            let answer = call.json(body.clone()).await;
            if since == early {
                answer.is(412, &precondition);
            } else {
                assert_eq!(answer.status, 204, "{path}");
            }
        }
    }
    let now = server.now();
    let id = server
        .world()
        .add_runner(now, NewRunner::default())
        .unwrap();
    let delete = || {
        server
            .call("DELETE", &format!("/runners/{id}"))
            .header("private-token", PAT)
    };
    delete()
        .header("if-unmodified-since", early)
        .send()
        .await
        .is(412, &precondition);
    // What is no date says nothing.
    assert_eq!(
        delete()
            .header("if-unmodified-since", "x")
            .send()
            .await
            .status,
        204
    );
}

/// Goal: the two calls of the table that no runner makes are answered as by an instance without what they are
/// for (wire.md 2, rows 15 and 16).
#[tokio::test]
async fn calls_that_no_runner_makes() {
    let server = Server::new();
    let job = server
        .running(mock_gitlab::world::JobDefinition::default())
        .await;
    let path = format!("/jobs/{}/runtime_environment_key", job.id);
    let ask = |token: &str| server.get(&path).header("job-token", token).send();
    ask(&job.token)
        .await
        .is(404, &json!({ "message": "404 Not Found" }));
    ask("wrong")
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
    server
        .update(&job, "success", json!({ "info": info() }))
        .await;
    assert_eq!(ask(&job.token).await.status, 403);
    let info = server.get("/internal/ci/agents/runner/info").send().await;
    info.is(401, &json!({ "message": "401 Unauthorized" }));
}

/// Goal: an answer carries the id of its request, or one of its own (wire.md 1.9).
#[tokio::test]
async fn ids_of_requests() {
    let caller = super::mock_api::Caller::new();
    let ask = async |id: Option<&str>| {
        let url = format!("{}/api/v4/jobs/request", caller.gitlab.url());
        let mut request = caller.client.post(url).body("{}");
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let answer = request.send().await.unwrap();
        answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let id = "0123456789abcdef0123456789abcdef";
    assert_eq!(ask(Some(id)).await, id);
    let (one, other) = (ask(None).await, ask(None).await);
    assert!(one != other && one.len() == 32, "{one} {other}");
    assert_eq!(ask(Some(&"x".repeat(300))).await.len(), 32);
}
