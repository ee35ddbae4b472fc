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
