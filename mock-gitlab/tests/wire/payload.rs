//! The job as a runner gets it (wire.md 3.8).

use mock_gitlab::world::{JobDefinition, JobId, NewArtifact, NewPipeline, NewRunner, Settings};
use serde_json::{Value, json};

use super::support::{Server, info};

/// A definition from its JSON form.
fn definition(json: Value) -> JobDefinition {
    serde_json::from_value(json).expect("a valid definition")
}

/// Gives the next job to the runner; the payload.
async fn payload(server: &Server) -> Value {
    let answer = server.poll().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Leaves an archive of 13 bytes as the job would.
fn archive(server: &Server, job: JobId, token: &str) {
    let now = server.now();
    let new = NewArtifact {
        filename: "artifacts.zip",
        size: 13,
        sha256: "00",
        ..NewArtifact::default()
    };
    server
        .world()
        .add_artifact(now, job, Some(token), new)
        .expect("the job is running");
}

fn members(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A job with everything is sent as the example of wire.md 3.8: each object has exactly the members of
/// the example, in its types. Not there: `policy_options` (EE, policy jobs) and `suspend_options` (in no
/// server that was read).
///
/// Proves WIRE-PAY-01, WIRE-PAY-03, WIRE-PAY-06, WIRE-PAY-07, WIRE-PAY-08.
#[tokio::test]
async fn a_job_with_everything() {
    let server = Server::with(Settings {
        registry: Some("registry.example.com:5005".to_owned()),
        ..Settings::default()
    });
    let jobs = server.pipeline(vec![
        definition(json!({ "name": "build", "stage": "build" })),
        definition(json!({ "name": "bare", "stage": "build" })),
        definition(json!({
            "name": "test",
            "needs": [{ "job": "build" }, { "job": "bare" }],
            "before_script": ["make"], "script": ["make test"], "after_script": ["make clean"],
            "release": ["release-cli create"],
            "hooks": [{ "name": "pre_get_sources_script", "script": ["echo hi"] }],
            "inputs": [{ "key": "target", "value": { "type": "string", "content": "prod" } }],
            "image": { "name": "ruby:3.3", "entrypoint": ["/bin/sh"],
                "executor_opts": { "docker": { "platform": "linux/arm64", "user": "1000" } },
                "pull_policy": ["if-not-present"] },
            "services": [
                { "name": "postgres:16", "alias": "db", "command": ["-c", "fsync=off"],
                  "variables": [{ "key": "POSTGRES_PASSWORD", "value": "x" }] },
                { "name": "redis:7" },
            ],
            "artifacts": { "name": "out", "paths": ["out/"], "exclude": ["out/tmp/**/*"],
                "when": "on_success", "expire_in": "7 days", "reports": { "junit": ["r.xml"] } },
            "cache": [{ "key": "gems", "paths": ["vendor/"] }],
            "secrets": { "DB": { "vault": { "server": { "url": "https://vault", "namespace": null,
                "auth": { "name": "jwt", "path": "jwt", "data": { "jwt": "$ID_TOKEN", "role": "ci" } } },
                "engine": { "name": "kv-v2", "path": "kv" }, "path": "db", "field": "pw" },
                "file": false } },
        })),
    ]);
    for job in &jobs[..2] {
        let payload = payload(&server).await;
        assert_eq!(payload["id"], *job);
        let token = payload["token"].as_str().unwrap();
        if *job == jobs[0] {
            archive(&server, *job, token);
        }
        let now = server.now();
        server.world().finish_job(now, *job, None).unwrap();
    }
    server.pass(4);
    let payload = payload(&server).await;
    let token = payload["token"].clone();
    let uuid = payload["job_info"]["instance_uuid"].clone();
    assert!(token.is_string() && uuid.is_string());
    let mut rest = payload.clone();
    // Looked at elsewhere.
    let variables = rest["variables"].take();
    assert!(variables.is_array());
    let reasons = rest["features"]["failure_reasons"].take();
    assert!(
        reasons
            .as_array()
            .unwrap()
            .contains(&json!("script_failure"))
    );
    let step = |name: &str, script: Value, when: &str, allow_failure: bool| {
        json!({ "name": name, "script": script, "timeout": 3600, "when": when,
            "allow_failure": allow_failure })
    };
    assert_eq!(
        rest,
        json!({
            "id": jobs[2], "token": token, "allow_git_fetch": true,
            "job_info": { "id": jobs[2], "name": "test", "stage": "test", "pipeline_id": 1,
                "project_id": 1, "project_name": "demo", "project_full_path": "root/demo",
                "namespace_id": 1, "root_namespace_id": 1, "organization_id": 1,
                "instance_id": uuid, "instance_uuid": uuid, "user_id": 1, "scoped_user_id": null,
                "time_in_queue_seconds": 4,
                "project_jobs_running_on_instance_runners_count": "0",
                "queue_size": payload["job_info"]["queue_size"], "queue_depth": 1 },
            "git_info": { "repo_url": format!("http://gitlab-ci-token:{}@gitlab.example.com/root/demo.git",
                    token.as_str().unwrap()),
                "repo_object_format": "sha1", "ref": "main", "sha": payload["git_info"]["sha"],
                "before_sha": "0000000000000000000000000000000000000000", "ref_type": "branch",
                "refspecs": ["+refs/pipelines/1:refs/pipelines/1", "+refs/heads/main:refs/remotes/origin/main"],
                "depth": 20, "protected": true },
            "runner_info": { "timeout": 3600, "runner_session_url": null },
            "inputs": [{ "key": "target", "value": { "type": "string", "content": "prod" } }],
            "variables": null,
            "steps": [
                step("script", json!(["make", "make test"]), "on_success", false),
                step("release", json!(["release-cli create"]), "on_success", false),
                step("after_script", json!(["make clean"]), "always", true),
            ],
            "hooks": [{ "name": "pre_get_sources_script", "script": ["echo hi"] }],
            "image": { "name": "ruby:3.3", "entrypoint": ["/bin/sh"], "ports": [],
                "executor_opts": { "docker": { "platform": "linux/arm64", "user": "1000" } },
                "pull_policy": ["if-not-present"] },
            "services": [
                { "name": "postgres:16", "entrypoint": null, "ports": [], "executor_opts": {},
                  "pull_policy": null, "alias": "db", "command": ["-c", "fsync=off"],
                  "variables": [{ "key": "POSTGRES_PASSWORD", "value": "x" }] },
                { "name": "redis:7", "entrypoint": null, "ports": [], "executor_opts": {},
                  "pull_policy": null, "alias": null, "command": null, "variables": null },
            ],
            "artifacts": [
                { "name": "out", "untracked": false, "paths": ["out/"], "exclude": ["out/tmp/**/*"],
                  "when": "on_success", "expire_in": "7 days", "artifact_type": "archive",
                  "artifact_format": "zip" },
                { "name": "junit.xml", "paths": ["r.xml"], "when": "always", "expire_in": "7 days",
                  "artifact_type": "junit", "artifact_format": "gzip" },
            ],
            "cache": [{ "key": "gems-protected", "untracked": false, "paths": ["vendor/"],
                "policy": "pull-push", "when": "on_success", "fallback_keys": [] }],
            "credentials": [{ "type": "registry", "url": "registry.example.com:5005",
                "username": "gitlab-ci-token", "password": token }],
            "dependencies": [
                { "id": jobs[0], "name": "build", "token": token,
                  "artifacts_file": { "filename": "artifacts.zip", "size": 13 } },
                { "id": jobs[1], "name": "bare", "token": token },
            ],
            "features": { "trace_sections": true, "failure_reasons": null },
            "secrets": { "DB": { "vault": { "server": { "url": "https://vault", "namespace": null,
                "auth": { "name": "jwt", "path": "jwt", "data": { "jwt": "$ID_TOKEN", "role": "ci" } } },
                "engine": { "name": "kv-v2", "path": "kv" }, "path": "db", "field": "pw" },
                "file": false } },
        })
    );
}

/// What a job with nothing has instead, and `run` beside no `steps`.
///
/// Proves WIRE-PAY-01, WIRE-PAY-03, WIRE-PAY-06.
#[tokio::test]
async fn a_job_with_nothing() {
    let server = Server::new();
    server.pipeline(vec![JobDefinition::default()]);
    let plain = payload(&server).await;
    assert_eq!(
        members(&plain),
        [
            "allow_git_fetch",
            "artifacts",
            "cache",
            "credentials",
            "dependencies",
            "features",
            "git_info",
            "hooks",
            "id",
            "image",
            "inputs",
            "job_info",
            "runner_info",
            "services",
            "steps",
            "token",
            "variables",
        ]
    );
    for (name, empty) in [
        ("artifacts", Value::Null),
        ("image", Value::Null),
        ("cache", json!([])),
        ("credentials", json!([])),
        ("dependencies", json!([])),
        ("hooks", json!([])),
        ("inputs", json!([])),
        ("services", json!([])),
    ] {
        assert_eq!(plain[name], empty, "{name}");
    }
    assert_eq!(plain["steps"].as_array().unwrap().len(), 1);
    let run = r#"[{"name":"hi","script":"echo hi"}]"#;
    server.pipeline(vec![definition(
        json!({ "run": run, "image": { "name": "ruby" } }),
    )]);
    let stepped = payload(&server).await;
    assert_eq!(stepped["run"], run);
    assert!(stepped.get("steps").is_none());
    assert_eq!(
        stepped["image"],
        json!({ "name": "ruby", "entrypoint": null, "ports": [], "executor_opts": {},
            "pull_policy": null })
    );
}

/// Proves WIRE-PAY-02.
#[tokio::test]
async fn members_of_variables() {
    let server = Server::new();
    server.pipeline(vec![definition(json!({ "variables": [
        { "key": "PLAIN", "value": "a" },
        { "key": "SECRET", "value": "s3cr3tvalue", "public": false, "masked": true },
        { "key": "CONF", "value": "a=1\n", "public": false, "file": true, "raw": true },
        { "key": "NEITHER", "value": "b", "file": false, "raw": false },
    ] }))]);
    let payload = payload(&server).await;
    let variables = payload["variables"].as_array().unwrap();
    for variable in variables {
        let key = &variable["key"];
        assert!(variable["value"].is_string(), "{key}");
        assert!(variable["public"].is_boolean() && variable["masked"].is_boolean());
        for only_true in ["file", "raw"] {
            let member = variable.get(only_true);
            assert!(member.is_none_or(|member| *member == true), "{key}");
        }
    }
    let named = |key: &str| {
        let found = variables.iter().rev().find(|v| v["key"] == key);
        found.cloned().unwrap_or_default()
    };
    assert_eq!(
        named("SECRET"),
        json!({ "key": "SECRET", "value": "s3cr3tvalue", "public": false, "masked": true })
    );
    assert_eq!(
        named("CONF"),
        json!({ "key": "CONF", "value": "a=1\n", "public": false, "masked": false,
            "file": true, "raw": true })
    );
    assert_eq!(
        members(&named("NEITHER")),
        ["key", "masked", "public", "value"]
    );
}

/// Proves WIRE-PAY-04, WIRE-PAY-05.
#[tokio::test]
async fn what_to_fetch() {
    let pipeline_ref = "+refs/pipelines/1:refs/pipelines/1";
    let table = [
        (
            "main",
            false,
            None,
            20,
            vec!["+refs/heads/main:refs/remotes/origin/main"],
        ),
        (
            "v1.0",
            true,
            None,
            20,
            vec!["+refs/tags/v1.0:refs/tags/v1.0"],
        ),
        ("refs/merge-requests/3/head", false, None, 20, vec![]),
        (
            "main",
            false,
            Some("5"),
            5,
            vec!["+refs/heads/main:refs/remotes/origin/main"],
        ),
        (
            "main",
            false,
            Some("0"),
            0,
            vec![
                "+refs/heads/*:refs/remotes/origin/*",
                "+refs/tags/*:refs/tags/*",
            ],
        ),
    ];
    for (ref_, tag, depth, sent, more) in table {
        let server = Server::new();
        let job = definition(match depth {
            None => json!({}),
            Some(depth) => json!({ "variables": [{ "key": "GIT_DEPTH", "value": depth }] }),
        });
        let (now, project) = (server.now(), server.project);
        server
            .world()
            .add_pipeline(
                now,
                NewPipeline {
                    project,
                    ref_: ref_.to_owned(),
                    tag,
                    jobs: vec![mock_gitlab::world::NewPipelineJob {
                        id: None,
                        definition: std::sync::Arc::new(job),
                    }],
                    ..NewPipeline::default()
                },
            )
            .unwrap();
        let payload = payload(&server).await;
        let git = &payload["git_info"];
        let refspecs: Vec<&str> = std::iter::once(pipeline_ref).chain(more).collect();
        assert_eq!(git["refspecs"], json!(refspecs), "{ref_}");
        assert_eq!((&git["depth"], &git["ref"]), (&json!(sent), &json!(ref_)));
        assert_eq!(git["ref_type"], if tag { "tag" } else { "branch" });
        let token = payload["token"].as_str().unwrap();
        assert_eq!(
            git["repo_url"],
            format!("http://gitlab-ci-token:{token}@gitlab.example.com/root/demo.git")
        );
    }
}

/// Proves WIRE-PAY-09.
#[tokio::test]
async fn the_timeout_that_holds() {
    for (own, maximum, effective) in [
        (None, None, 3600),
        (Some(7200), None, 7200),
        (Some(7200), Some(900), 900),
        (None, Some(900), 900),
        (Some(600), Some(900), 600),
    ] {
        let server = Server::new();
        let now = server.now();
        server
            .world()
            .add_runner(
                now,
                NewRunner {
                    token: Some("glrt-short".to_owned()),
                    maximum_timeout: maximum,
                    ..NewRunner::default()
                },
            )
            .unwrap();
        server.pipeline(vec![definition(
            json!({ "timeout": own, "after_script": ["true"] }),
        )]);
        let payload = server
            .post("/jobs/request")
            .json(json!({ "token": "glrt-short", "info": info() }))
            .await
            .json();
        assert_eq!(payload["runner_info"]["timeout"], effective);
        for step in payload["steps"].as_array().unwrap() {
            assert_eq!(step["timeout"], effective);
        }
    }
}
