//! GitLab's REST API for users and administrators (wire.md 3.11).

use serde_json::{Value, json};

use super::support::{Answer, Job, PAT, RUNNER, Server, info};

const DEFINITION: &str = "
jobs:
  - {name: build, stage: build, script: [make], tags: [linux]}
  - {name: deploy, stage: deploy, script: [make deploy], when: manual}
";

pub(crate) struct Rest<'a>(pub(crate) &'a Server);

impl Rest<'_> {
    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let call = self.0.call(method, path).header("PRIVATE-TOKEN", PAT);
        if body.is_null() {
            call.send().await
        } else {
            call.json(body).await
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    /// Ids of a list.
    pub(crate) async fn ids(&self, path: &str) -> Vec<i64> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let list = answer.json();
        let list = list.as_array().unwrap();
        list.iter()
            .map(|item| item["id"].as_i64().unwrap())
            .collect()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    /// A pipeline of [`DEFINITION`]: its id and those of its jobs.
    async fn pipeline(&self) -> (i64, Vec<i64>) {
        let answer = self
            .post(
                "/projects/1/pipeline",
                json!({ "ref": "main", "definition": DEFINITION,
                    "variables": [{ "key": "A", "value": "b" }] }),
            )
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.json()["id"].as_i64().unwrap();
        (
            id,
            self.ids(&format!("/projects/1/pipelines/{id}/jobs")).await,
        )
    }
}

/// A runner of group tags takes the job `build` of the newest pipeline.
async fn take(server: &Server) -> Job {
    let now = server.now();
    let change = mock_gitlab::world::setup::RunnerChange {
        tags: Some(vec!["linux".to_owned()]),
        ..Default::default()
    };
    server.world().set_runner(now, 1, change).unwrap();
    let payload = server.poll().await.json();
    Job {
        id: payload["id"].as_i64().unwrap(),
        token: payload["token"].as_str().unwrap().to_owned(),
    }
}

/// A token is needed, in any of three places.
#[tokio::test]
async fn who_calls() {
    let server = Server::new();
    let unauthorized = json!({ "message": "401 Unauthorized" });
    for path in [
        "/version",
        "/user",
        "/projects",
        "/projects/1/jobs",
        "/runners",
        "/job",
    ] {
        server.get(path).send().await.is(401, &unauthorized);
        let wrong = server.get(path).header("PRIVATE-TOKEN", RUNNER);
        wrong.send().await.is(401, &unauthorized);
    }
    let bearer = server
        .get("/user")
        .header("Authorization", &format!("Bearer {PAT}"));
    assert_eq!(bearer.send().await.json()["username"], "root");
    let query = server.get(&format!("/user?private_token={PAT}"));
    assert_eq!(query.send().await.status, 200);
    let user = server
        .world()
        .add_user(mock_gitlab::world::setup::NewUser {
            username: "dev".to_owned(),
            ..Default::default()
        })
        .unwrap();
    server
        .world()
        .add_personal_access_token(user, Some("glpat-dev"))
        .unwrap();
    let dev = |method: &str, path: &str| {
        server
            .call(method, path)
            .header("PRIVATE-TOKEN", "glpat-dev")
    };
    assert_eq!(dev("GET", "/projects/1").send().await.status, 200);
    assert_eq!(dev("GET", "/runners/all").send().await.status, 403);
    assert_eq!(dev("DELETE", "/runners/1").send().await.status, 403);
    server.world().set_user_blocked(user, true).unwrap();
    assert_eq!(dev("GET", "/projects/1").send().await.status, 401);
}

/// Groups, projects in them, by id and by path.
#[tokio::test]
async fn groups_and_projects() {
    let server = Server::new();
    let rest = Rest(&server);
    let top = rest
        .post("/groups", json!({ "name": "tools", "path": "tools" }))
        .await;
    assert_eq!(top.status, 201);
    let top = top.json()["id"].clone();
    let sub = rest
        .post(
            "/groups",
            json!({ "name": "ci", "path": "ci", "parent_id": top }),
        )
        .await
        .json();
    assert_eq!(
        (&sub["full_path"], &sub["parent_id"]),
        (&json!("tools/ci"), &top)
    );
    rest.post(
        "/groups",
        json!({ "name": "ci", "path": "ci", "parent_id": top }),
    )
    .await
    .is(
        400,
        &json!({ "message": { "path": ["has already been taken"] } }),
    );
    let project = rest
        .post(
            "/projects",
            json!({ "name": "My App", "namespace_id": sub["id"] }),
        )
        .await;
    assert_eq!(project.status, 201);
    let project = project.json();
    assert_eq!(project["path_with_namespace"], "tools/ci/my-app");
    assert_eq!(
        project["http_url_to_repo"],
        "http://gitlab.example.com/tools/ci/my-app.git"
    );
    let by_path = rest.get("/projects/tools%2Fci%2Fmy-app").await.json();
    assert_eq!(by_path, project);
    let id = project["id"].as_i64().unwrap();
    assert_eq!(rest.ids("/projects").await, [id, 1]);
    assert_eq!(rest.ids("/groups/tools%2Fci/projects").await, [id]);
    assert!(rest.ids("/groups/tools/projects").await.is_empty());
    assert_eq!(
        rest.ids("/groups/tools/projects?include_subgroups=true")
            .await,
        [id]
    );
    assert_eq!(rest.ids("/groups/tools/subgroups").await, [2]);
    let changed = rest
        .call(
            "PUT",
            &format!("/projects/{id}"),
            json!({ "shared_runners_enabled": false }),
        )
        .await
        .json();
    assert_eq!(changed["shared_runners_enabled"], false);
    let gone = rest
        .call("DELETE", &format!("/projects/{id}"), Value::Null)
        .await;
    gone.is(202, &json!({ "message": "202 Accepted" }));
    rest.get(&format!("/projects/{id}"))
        .await
        .is(404, &json!({ "message": "404 Project Not Found" }));
}

/// From the definition to the end of the jobs.
#[tokio::test]
async fn a_pipeline_and_its_jobs() {
    let server = Server::new();
    let rest = Rest(&server);
    let (pipeline, jobs) = rest.pipeline().await;
    let shown = rest
        .get(&format!("/projects/1/pipelines/{pipeline}"))
        .await
        .json();
    assert_eq!(shown["status"], "pending");
    assert_eq!(shown["source"], "api");
    assert_eq!(shown["user"]["username"], "root");
    assert_eq!(shown["detailed_status"]["text"], "Pending");
    let variables = rest
        .get(&format!("/projects/1/pipelines/{pipeline}/variables"))
        .await;
    assert_eq!(variables.json()[0]["key"], "A");

    let taken = take(&server).await;
    assert_eq!(taken.id, jobs[0]);
    server.pass(2);
    server.patch(&taken, "0-4", b"hello").await;
    server.upload(&taken, "", b"zip").await;
    let job = rest
        .get(&format!("/projects/1/jobs/{}", taken.id))
        .await
        .json();
    assert_eq!(
        (&job["status"], &job["name"]),
        (&json!("running"), &json!("build"))
    );
    assert_eq!(job["duration"], 2.0);
    assert_eq!(job["pipeline"]["id"], pipeline);
    assert_eq!(job["runner"]["id"], 1);
    assert_eq!(job["runner_manager"]["system_id"], "s_1");
    assert_eq!(job["tag_list"], json!(["linux"]));
    assert_eq!(
        job["artifacts_file"],
        json!({ "filename": "artifacts.zip", "size": 3 })
    );
    assert!(job.get("failure_reason").is_none());
    let own = server
        .get("/job")
        .header("JOB-TOKEN", &taken.token)
        .send()
        .await;
    assert_eq!(own.json(), job);

    let trace = rest
        .get(&format!("/projects/1/jobs/{}/trace", taken.id))
        .await;
    assert_eq!((trace.status, &*trace.body), (200, &b"hello"[..]));
    assert_eq!(trace.header("content-type"), "text/plain");
    assert_eq!(
        trace.header("content-disposition"),
        format!("infile; filename=\"{}.log\"", taken.id)
    );
    let archive = rest
        .get(&format!("/projects/1/jobs/{}/artifacts", taken.id))
        .await;
    assert_eq!((archive.status, &*archive.body), (200, &b"zip"[..]));

    let failed = json!({ "failure_reason": "script_failure", "exit_code": 1 });
    server.update(&taken, "failed", failed).await;
    let job = rest
        .get(&format!("/projects/1/jobs/{}", taken.id))
        .await
        .json();
    assert_eq!(job["failure_reason"], "script_failure");
    let retried = rest
        .post(&format!("/projects/1/jobs/{}/retry", taken.id), Value::Null)
        .await;
    assert_eq!(retried.status, 201);
    let new = retried.json()["id"].as_i64().unwrap();
    assert!(new > jobs[1]);
    rest.post(&format!("/projects/1/jobs/{}/retry", taken.id), Value::Null)
        .await
        .is(
            403,
            &json!({ "message": "403 Forbidden - Job is not retryable" }),
        );
    let of_pipeline = format!("/projects/1/pipelines/{pipeline}/jobs");
    assert_eq!(rest.ids(&of_pipeline).await, [jobs[1], new]);
    assert_eq!(
        rest.ids(&format!("{of_pipeline}?include_retried=true"))
            .await,
        [jobs[0], jobs[1], new]
    );
    let canceled = rest
        .post(&format!("/projects/1/jobs/{new}/cancel"), Value::Null)
        .await;
    assert_eq!(
        (canceled.status, &canceled.json()["status"]),
        (201, &json!("canceled"))
    );

    let play = format!("/projects/1/jobs/{new}/play");
    rest.post(&play, Value::Null).await.is(
        400,
        &json!({ "message": "400 Bad request - Unplayable Job" }),
    );
    let erase = format!("/projects/1/jobs/{}/erase", taken.id);
    let erased = rest.post(&erase, json!({})).await;
    assert_eq!(erased.status, 201);
    assert!(erased.json()["erased_at"].is_string());
    rest.post(&erase, json!({})).await.is(
        403,
        &json!({ "message": "403 Forbidden - Job is not erasable!" }),
    );
    let trace = rest
        .get(&format!("/projects/1/jobs/{}/trace", taken.id))
        .await;
    assert_eq!((trace.status, trace.body.len()), (200, 0));
    rest.get("/projects/1/jobs/999")
        .await
        .is(404, &json!({ "message": "404 Not found" }));
}

/// A manual job is played, a pipeline is cancelled and retried as a whole.
#[tokio::test]
async fn whole_pipelines() {
    let server = Server::new();
    let rest = Rest(&server);
    let (pipeline, jobs) = rest.pipeline().await;
    let build = take(&server).await;
    server.update(&build, "success", json!({})).await;
    let played = rest
        .post(&format!("/projects/1/jobs/{}/play", jobs[1]), json!({}))
        .await;
    assert_eq!(
        (played.status, &played.json()["status"]),
        (200, &json!("pending"))
    );
    let cancel = format!("/projects/1/pipelines/{pipeline}/cancel");
    let canceled = rest.post(&cancel, Value::Null).await;
    assert_eq!(
        (canceled.status, &canceled.json()["status"]),
        (200, &json!("canceled"))
    );
    let retry = format!("/projects/1/pipelines/{pipeline}/retry");
    let retried = rest.post(&retry, Value::Null).await;
    assert_eq!(
        (retried.status, &retried.json()["status"]),
        (201, &json!("running"))
    );
    let (second, _) = rest.pipeline().await;
    assert_eq!(rest.ids("/projects/1/pipelines").await, [second, pipeline]);
    assert_eq!(
        rest.ids("/projects/1/pipelines?sort=asc&per_page=1").await,
        [pipeline]
    );
    assert_eq!(rest.ids("/projects/1/pipelines?ref=other").await, [0; 0]);
    let latest = rest.get("/projects/1/pipelines/latest").await.json();
    assert_eq!(latest["id"], second);
}

/// A definition that is none says where and what was expected.
#[tokio::test]
async fn bad_definitions() {
    let server = Server::new();
    let rest = Rest(&server);
    let create = |body: Value| rest.post("/projects/1/pipeline", body);
    create(json!({ "definition": DEFINITION }))
        .await
        .is(400, &json!({ "error": "ref is missing" }));
    for (definition, part) in [
        (json!(null), "Missing CI config file"),
        (json!("jobs: []"), "at least one job"),
        (json!("jobs:\n  - {name: a, skript: [x]}"), "definition:2: "),
        (json!("jobs:\n  - {name: a, stage: nowhere}"), "nowhere"),
        (json!("jobs:\n  - {name: a, needs: [{job: b}]}"), "b"),
    ] {
        let answer = create(json!({ "ref": "main", "definition": definition })).await;
        assert_eq!(answer.status, 400, "{definition}");
        let message = answer.json()["message"].to_string();
        assert!(message.contains(part), "{message}");
    }
    assert!(rest.ids("/projects/1/pipelines").await.is_empty());
}

/// Scopes and pages of the list of jobs.
#[tokio::test]
async fn lists_of_jobs() {
    let server = Server::new();
    let rest = Rest(&server);
    for _ in 0..3 {
        rest.pipeline().await;
    }
    let taken = take(&server).await;
    assert_eq!(rest.ids("/projects/1/jobs").await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(
        rest.ids("/projects/1/jobs?scope[]=running").await,
        [taken.id]
    );
    assert_eq!(
        rest.ids("/projects/1/jobs?scope[]=running&scope[]=pending")
            .await,
        [5, 3, 1]
    );
    assert_eq!(rest.ids("/projects/1/jobs?scope=running").await, [taken.id]);
    let page = rest.get("/projects/1/jobs?per_page=4&page=2").await;
    assert_eq!(page.header("x-total"), "6");
    assert_eq!(page.header("x-total-pages"), "2");
    assert_eq!(page.header("x-prev-page"), "1");
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    let odd = |error: &str| json!({ "error": error });
    rest.get("/projects/1/jobs?scope[]=odd")
        .await
        .is(400, &odd("scope does not have a valid value"));
    rest.get("/projects/1/jobs?per_page=0")
        .await
        .is(400, &odd("per_page has a value not allowed"));
    rest.get("/projects/1/jobs?page=x")
        .await
        .is(400, &odd("page is invalid"));
    let page = rest.get("/projects/1/jobs?page=0&per_page=-1").await;
    assert_eq!(
        (page.header("x-page"), page.header("x-per-page")),
        ("1", "20")
    );
    rest.get("/projects/9/jobs")
        .await
        .is(404, &json!({ "message": "404 Project Not Found" }));
}

/// Artifacts by name, kept, deleted, and for another running job.
#[tokio::test]
async fn artifacts_of_jobs() {
    let server = Server::new();
    let rest = Rest(&server);
    let (_, jobs) = rest.pipeline().await;
    let build = take(&server).await;
    server.upload(&build, "", b"zip").await;
    server.update(&build, "success", json!({})).await;
    let by_name = "/projects/1/jobs/artifacts/main/download?job=build";
    assert_eq!(&*rest.get(by_name).await.body, b"zip");
    let none = rest
        .get("/projects/1/jobs/artifacts/main/download?job=other")
        .await;
    assert_eq!(none.status, 404);
    rest.post(&format!("/projects/1/jobs/{}/play", jobs[1]), json!({}))
        .await;
    let other = server.poll().await.json();
    let path = format!("/projects/1/jobs/{}/artifacts", build.id);
    for (token, status) in [
        (other["token"].as_str().unwrap(), 200),
        (&build.token, 401),
        ("x", 401),
    ] {
        let answer = server.get(&path).header("JOB-TOKEN", token).send().await;
        assert_eq!(answer.status, status);
    }
    let kept = rest.post(&format!("{path}/keep"), Value::Null).await;
    assert_eq!(
        (kept.status, &kept.json()["artifacts_expire_at"]),
        (200, &Value::Null)
    );
    server.pass(365 * 86_400);
    assert_eq!(rest.get(&path).await.status, 200);
    assert_eq!(rest.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(rest.get(&path).await.status, 404);
}

/// Runners: lists, one, change, machines, jobs, delete.
#[tokio::test]
async fn runners() {
    let server = Server::new();
    let rest = Rest(&server);
    let made = rest
        .post(
            "/user/runners",
            json!({ "runner_type": "project_type", "project_id": 1, "description": "mine",
                "tag_list": ["linux"] }),
        )
        .await
        .json();
    let token = made["token"].as_str().unwrap();
    assert_eq!(rest.ids("/runners/all").await, [2, 1]);
    assert_eq!(rest.ids("/runners").await, [2]);
    assert_eq!(rest.ids("/runners/all?type=instance_type").await, [1]);
    assert_eq!(rest.ids("/runners/all?tag_list=linux").await, [2]);
    assert_eq!(
        rest.ids("/runners/all?status=never_contacted").await,
        [2, 1]
    );
    assert_eq!(rest.ids("/projects/1/runners").await, [2, 1]);
    assert_eq!(rest.get("/runners/all?type=odd").await.status, 400);
    let (_, jobs) = rest.pipeline().await;
    let poll = server
        .post("/jobs/request")
        .json(json!({ "token": token, "system_id": "s_9", "info": info() }));
    assert_eq!(poll.await.json()["id"], jobs[0]);
    let shown = rest.get("/runners/2").await.json();
    for (name, value) in [
        ("status", json!("online")),
        ("online", json!(true)),
        ("job_execution_status", json!("active")),
        ("version", json!("19.4.0")),
        ("description", json!("mine")),
        ("tag_list", json!(["linux"])),
        ("is_shared", json!(false)),
        ("run_untagged", json!(true)),
        ("access_level", json!("not_protected")),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(shown["projects"][0]["path_with_namespace"], "root/demo");
    assert!(!shown.to_string().contains(token));
    let managers = rest.get("/runners/2/managers").await.json();
    assert_eq!(managers[0]["system_id"], "s_9");
    assert_eq!(rest.ids("/runners/2/jobs?status=running").await, [jobs[0]]);
    assert!(rest.ids("/runners/2/jobs?status=success").await.is_empty());
    let changed = rest
        .call(
            "PUT",
            "/runners/2",
            json!({ "paused": true, "tag_list": ["a", "b"], "locked": true }),
        )
        .await
        .json();
    assert_eq!(
        (&changed["paused"], &changed["tag_list"]),
        (&json!(true), &json!(["a", "b"]))
    );
    let bad = rest
        .call(
            "PUT",
            "/runners/2",
            json!({ "run_untagged": false, "tag_list": [] }),
        )
        .await;
    bad.is(
        400,
        &json!({ "message": { "tags_list":
            ["can not be empty when runner is not allowed to pick untagged jobs"] } }),
    );
    assert_eq!(
        rest.call("DELETE", "/runners/2", Value::Null).await.status,
        204
    );
    rest.get("/runners/2")
        .await
        .is(404, &json!({ "message": "404 Runner Not Found" }));
}

/// A project runner is lent to another project and taken away again.
#[tokio::test]
async fn runners_of_projects() {
    let server = Server::new();
    let rest = Rest(&server);
    let other = rest
        .post("/projects", json!({ "name": "other" }))
        .await
        .json();
    let other = other["id"].as_i64().unwrap();
    let project_type = json!({ "runner_type": "project_type", "project_id": 1 });
    rest.post("/user/runners", project_type).await;
    let path = format!("/projects/{other}/runners");
    assert_eq!(rest.ids(&path).await, [1]);
    let lent = rest.post(&path, json!({ "runner_id": 2 })).await;
    assert_eq!(lent.status, 201);
    assert_eq!(rest.ids(&path).await, [2, 1]);
    let instance = rest.post(&path, json!({ "runner_id": 1 })).await;
    assert_eq!(instance.status, 403);
    let taken = rest.call("DELETE", &format!("{path}/2"), Value::Null).await;
    assert_eq!(taken.status, 204);
    let last = rest
        .call("DELETE", "/projects/1/runners/2", Value::Null)
        .await;
    assert_eq!(last.status, 403);
}

/// `GET /version`.
#[tokio::test]
async fn version() {
    let server = Server::new();
    let answer = Rest(&server).get("/version").await.json();
    assert_eq!(answer["version"], "19.4.0");
    assert_eq!(answer["enterprise"], false);
}
