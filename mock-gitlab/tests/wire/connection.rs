//! What holds for every call (wire.md 1).

use mock_gitlab::world::JobDefinition;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::support::{REGISTRATION, RUNNER, Server};

/// Sends bytes as they are and reads to the end.
async fn raw(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Proves WIRE-CON-16.
#[tokio::test]
async fn header_names_in_any_case_and_bodies_in_two_forms() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(mock_gitlab::server::serve(
        listener,
        server.router(),
        stop.clone(),
    ));
    for (token, range, start) in [
        ("jOb-ToKeN", "cOnTeNt-RaNgE", 0),
        ("JOB-TOKEN", "CONTENT-RANGE", 3),
        ("job-token", "content-range", 6),
    ] {
        let request = format!(
            "PATCH /api/v4/jobs/{}/trace HTTP/1.1\r\nhost: x\r\n{token}: {}\r\n{range}: {start}-{}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            job.id,
            job.token,
            start + 2
        );
        let answer = raw(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }
    stop.cancel();
    serving.await.unwrap();
    let form = format!("token={REGISTRATION}&tag_list=a%2Cb&run_untagged=false&info[name]=x");
    assert_eq!(server.post("/runners").form(&form).await.status, 201);
    let form = format!("token={}&state=running", job.token);
    assert_eq!(server.put(&job).form(&form).await.status, 200);
    let form = format!("token={RUNNER}&system_id=s_1");
    assert_eq!(server.post("/jobs/request").form(&form).await.status, 204);
}

/// Proves WIRE-CON-17.
#[tokio::test]
async fn unknown_members_are_ignored() {
    let server = Server::new();
    let odd = json!({ "unknown": [1, { "a": null }], "info": { "name": "x", "unknown": 7,
        "features": { "unknown": true }, "config": { "unknown": {} } } });
    let with = |token: &str| {
        let mut body = odd.clone();
        body["token"] = json!(token);
        body
    };
    let register = server.post("/runners").json(with(REGISTRATION)).await;
    assert_eq!(register.status, 201);
    let verify = server.post("/runners/verify").json(with(RUNNER)).await;
    assert_eq!(verify.status, 200);
    server.pipeline(vec![JobDefinition::default()]);
    let poll = server.post("/jobs/request").json(with(RUNNER)).await;
    assert_eq!(poll.status, 201);
    let job = super::support::Job {
        id: poll.json()["id"].as_i64().unwrap(),
        token: poll.json()["token"].as_str().unwrap().to_owned(),
    };
    let trace = server
        .call("PATCH", &format!("/jobs/{}/trace?unknown=1", job.id))
        .header("JOB-TOKEN", &job.token)
        .header("Content-Range", "0-0")
        .bytes("text/plain", b"x")
        .await;
    assert_eq!(trace.status, 202);
    assert_eq!(
        server.update(&job, "success", odd.clone()).await.status,
        200
    );
    let reset = server
        .post("/runners/reset_authentication_token")
        .json(with(RUNNER))
        .await;
    assert_eq!(reset.status, 201);
}

/// Endpoints of wire.md 2 that want the token in the body do not take it from a header; the others do.
///
/// Proves WIRE-CON-18.
#[tokio::test]
async fn where_the_token_stands() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    for (method, path) in [
        ("POST", "/runners"),
        ("POST", "/runners/verify"),
        ("DELETE", "/runners"),
        ("DELETE", "/runners/managers"),
        ("POST", "/runners/reset_authentication_token"),
        ("POST", "/jobs/request"),
        ("PUT", "/jobs/1"),
    ] {
        let answer = server
            .call(method, path)
            .header("RUNNER-TOKEN", RUNNER)
            .header("JOB-TOKEN", &job.token)
            .header("PRIVATE-TOKEN", super::support::PAT)
            .json(json!({ "system_id": "s_1", "state": "running" }))
            .await;
        answer.is(400, &json!({ "error": "token is missing" }));
    }
    assert_eq!(server.patch(&job, "0-0", b"x").await.status, 202);
    let authorize = server.post(&format!("/jobs/{}/artifacts/authorize", job.id));
    let authorize = authorize
        .header("JOB-TOKEN", &job.token)
        .header("Gitlab-Workhorse-Api-Request", &super::artifacts::signed());
    assert_eq!(authorize.send().await.status, 200);
    assert_eq!(server.upload(&job, "", b"zip").await.status, 201);
    let download = server
        .get(&format!("/jobs/{}/artifacts", job.id))
        .header("JOB-TOKEN", &job.token);
    assert_eq!(download.send().await.status, 200);
}

/// Every kind of error of wire.md 1.8 that the application itself answers, each once.
///
/// Proves WIRE-CON-19.
#[tokio::test]
async fn error_bodies() {
    let server = Server::new();
    let job = server.running(JobDefinition::default()).await;
    let with = |method: &str, path: &str, body: serde_json::Value| {
        server
            .call(method, path)
            .header("PRIVATE-TOKEN", "glpat-unknown")
            .json(body)
    };
    let runner = json!({ "token": RUNNER, "system_id": "s_none" });
    for (answer, status, body) in [
        (
            with("POST", "/runners/verify", json!({})).await,
            400,
            json!({ "error": "token is missing" }),
        ),
        (
            with("POST", "/runners/verify", json!({ "token": "x" })).await,
            403,
            json!({ "message": "403 Forbidden" }),
        ),
        (
            with("POST", "/runners", json!({ "token": "x" })).await,
            403,
            json!({ "message": "403 Forbidden - invalid token supplied" }),
        ),
        (
            with("POST", "/runners/1/reset_authentication_token", json!({})).await,
            401,
            json!({ "message": "401 Unauthorized" }),
        ),
        (
            with("DELETE", "/runners/managers", runner).await,
            404,
            json!({ "message": "404 Runner manager not found Not Found" }),
        ),
        (
            server
                .get("/jobs/1/artifacts")
                .header("JOB-TOKEN", &job.token)
                .send()
                .await,
            404,
            json!({ "message": "404 Not Found" }),
        ),
        (
            with(
                "POST",
                "/runners",
                json!({ "token": REGISTRATION, "maximum_timeout": 1 }),
            )
            .await,
            400,
            json!({ "message": { "maximum_timeout": ["needs to be at least 10 minutes"] } }),
        ),
        (
            server.patch(&job, "9-9", b"x").await,
            416,
            json!({ "error": "416 Range Not Satisfiable" }),
        ),
        (
            server
                .call("PATCH", "/jobs/1/trace")
                .header("JOB-TOKEN", &job.token)
                .send()
                .await,
            400,
            json!({ "error": "400 Missing header Content-Range" }),
        ),
    ] {
        answer.is(status, &body);
    }
    server.world().lock_trace(job.id, true).unwrap();
    server
        .patch(&job, "0-0", b"x")
        .await
        .is(409, &json!({ "message": "409 Conflict" }));
    server.world().change_settings(|settings| {
        settings.allow_registration_tokens = false;
        settings.artifacts_enabled = false;
        settings.ci_jobs_trace_size_limit_mib = 1;
        settings.runner_jobs_request_api_limit = 1;
    });
    with("POST", "/runners", json!({ "token": REGISTRATION }))
        .await
        .is(
            410,
            &json!({ "message": "410 Gone - runner registration disallowed" }),
        );
    server
        .upload(&job, "", b"zip")
        .await
        .is(405, &json!({ "message": "405 Method Not Allowed" }));
    server.poll().await;
    server.poll().await.is(
        429,
        &json!({ "message": { "error":
            "This endpoint has been requested too many times. Try again later." } }),
    );
    server
        .patch(&job, "0-", &vec![b'x'; 1024 * 1024])
        .await
        .is(403, &json!({ "error": "403 Forbidden" }));
    server
        .world()
        .change_settings(|settings| settings.migrations_running = true);
    server.poll().await.is(
        429,
        &json!({ "message": "Executing database migrations. Please retry later." }),
    );
}

/// Nothing but a GET is ever redirected.
///
/// Proves WIRE-CON-21.
#[tokio::test]
async fn only_get_is_redirected() {
    let server = Server::with(mock_gitlab::world::Settings {
        artifacts_object_storage: true,
        ..mock_gitlab::world::Settings::default()
    });
    let job = server.running(JobDefinition::default()).await;
    assert_eq!(server.upload(&job, "", b"zip").await.status, 201);
    let mut redirected = Vec::new();
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        for path in [
            "/runners",
            "/runners/",
            "/runners/verify",
            "/runners/managers",
            "/runners/reset_authentication_token",
            "/runners/1/reset_authentication_token",
            "/runners/router/discovery",
            "/user/runners",
            "/jobs/request",
            "//jobs/request",
            "/jobs/1",
            "/jobs/1/trace",
            "/jobs/1/artifacts",
            "/jobs/1/artifacts?direct_download=true",
            "/jobs/1/artifacts/authorize",
        ] {
            let answer = server
                .call(method, path)
                .header("JOB-TOKEN", &job.token)
                .header("RUNNER-TOKEN", RUNNER)
                .send()
                .await;
            if (300..400).contains(&answer.status) {
                redirected.push((method, path));
            }
        }
    }
    let direct = "/jobs/1/artifacts?direct_download=true";
    assert_eq!(redirected, [("GET", direct), ("HEAD", direct)]);
}

/// A path that is no endpoint, a method that it does not have, an id that is none.
#[tokio::test]
async fn what_is_not_there() {
    let server = Server::new();
    server
        .get("/no/such/thing")
        .send()
        .await
        .is(404, &json!({ "error": "404 Not Found" }));
    server
        .call("PATCH", "/runners")
        .send()
        .await
        .is(405, &json!({ "error": "405 Not Allowed" }));
    let odd = server
        .call("PUT", "/jobs/seven")
        .json(json!({ "token": "x" }))
        .await;
    assert_eq!(odd.status, 404);
}
