//! The library as a test of a runner uses it; the runner here is a few calls of an HTTP client.

use protocol::JobStatus;
use serde_json::{Value, json};

use super::{MockError, MockGitlab};

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_certs_only([])
        .build()
        .expect("client")
}

async fn poll(gitlab: &MockGitlab, token: &str) -> (u16, Value) {
    let answer = client()
        .post(format!("{}/api/v4/jobs/request", gitlab.url()))
        .header("content-type", "application/json")
        .body(json!({ "token": token }).to_string())
        .send()
        .await
        .expect("answer");
    let status = answer.status().as_u16();
    let body = answer.bytes().await.expect("body");
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// A job goes its way, seen through the handles; the clock of the test stands still all the time.
///
/// Proves WIRE-REQ-04, WIRE-TRC-12, WIRE-UPD-11.
#[tokio::test(start_paused = true)]
async fn a_job_goes_its_way() {
    let gitlab = MockGitlab::start().unwrap();
    let project = gitlab
        .project("group/sub/demo")
        .file("README.md", "hi\n")
        .create()
        .unwrap();
    assert_eq!(project.full_path(), "group/sub/demo");
    let runner = gitlab.runner().create().unwrap();
    let job = project.job("test").script(["true"]).create().unwrap();
    assert_eq!(job.status(), JobStatus::Pending);

    let (status, payload) = poll(&gitlab, &runner.token()).await;
    assert_eq!(status, 201);
    assert_eq!(payload["git_info"]["sha"], project.sha());
    let refspecs = payload["git_info"]["refspecs"].to_string();
    assert!(refspecs.contains("refs/pipelines/"), "{refspecs}");
    job.wait_for(JobStatus::Running).await.unwrap();

    let url = format!("{}/api/v4/jobs/{}", gitlab.url(), job.id());
    let token = payload["token"].as_str().unwrap();
    let patch = client()
        .patch(format!("{url}/trace?debug_trace=false"))
        .header("job-token", token)
        .header("content-range", "0-4")
        .body("hello")
        .send()
        .await
        .unwrap();
    let header = |name: &str| patch.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(patch.status(), 202);
    assert_eq!(
        (header("range"), header("job-status")),
        ("0-5".into(), "running".into())
    );
    assert_eq!(header("x-gitlab-trace-update-interval"), "60");
    job.wait_for_trace("hello").await.unwrap();

    let put = client()
        .put(&url)
        .header("content-type", "application/json")
        .body(json!({ "token": token, "state": "success" }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 200);
    assert_eq!(put.headers()["job-status"], "success");
    assert!(
        put.headers()
            .get("x-gitlab-trace-update-interval")
            .is_none()
    );
    assert_eq!(put.text().await.unwrap(), "\"200\"");
    assert_eq!(job.wait_for_end().await.unwrap(), JobStatus::Success);

    let answer = client()
        .post(format!("{}/api/v4/jobs/request", gitlab.url()))
        .body(format!("token={}", runner.token()))
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 204);
    assert!(answer.headers().get("x-gitlab-last-update").is_some());
    let statuses: Vec<u16> = gitlab
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [201, 202, 200, 204]);
}

/// Unknown jobs and tokens, missing and broken parameters: an answer with GitLab's body, never a crash.
///
/// Proves WIRE-CON-19, WIRE-REQ-05, WIRE-CON-18.
#[tokio::test]
async fn bad_requests_are_answered() {
    let gitlab = MockGitlab::start().unwrap();
    let json_type = "application/json";
    for (method, path, content_type, body, status, expected) in [
        (
            "POST",
            "jobs/request",
            json_type,
            "{}",
            400,
            json!({"error": "token is missing"}),
        ),
        (
            "POST",
            "jobs/request",
            json_type,
            r#"{"token":"x"}"#,
            403,
            json!({"message": "403 Forbidden"}),
        ),
        (
            "POST",
            "jobs/request",
            json_type,
            "{",
            400,
            json!({"error": "The request body is not valid JSON"}),
        ),
        (
            "POST",
            "jobs/request",
            json_type,
            "[1]",
            400,
            json!({"error": "token is missing"}),
        ),
        (
            "PUT",
            "jobs/1",
            json_type,
            r#"{"token":"x","state":"running"}"#,
            403,
            json!({"message": "403 Forbidden"}),
        ),
        (
            "PUT",
            "jobs/1",
            json_type,
            "{}",
            400,
            json!({"error": "token is missing"}),
        ),
        (
            "PUT",
            "jobs/x",
            json_type,
            "{}",
            404,
            json!({"message": "404 Not Found"}),
        ),
        (
            "PATCH",
            "jobs/1/trace",
            "text/plain",
            "abc",
            403,
            json!({"message": "403 Forbidden"}),
        ),
        (
            "POST",
            "runners/verify",
            json_type,
            r#"{"token":"x"}"#,
            403,
            json!({"message": "403 Forbidden"}),
        ),
        (
            "POST",
            "runners",
            json_type,
            r#"{"token":"x"}"#,
            403,
            json!({"message": "403 Forbidden - invalid token supplied"}),
        ),
        (
            "DELETE",
            "runners",
            json_type,
            "{}",
            400,
            json!({"error": "token is missing"}),
        ),
        (
            "GET",
            "nowhere",
            json_type,
            "",
            404,
            json!({"error": "404 Not Found"}),
        ),
        (
            "POST",
            "runners/verify/",
            json_type,
            r#"{"token":"x"}"#,
            403,
            json!({"message": "403 Forbidden"}),
        ),
        (
            "GET",
            "nowhere/",
            json_type,
            "",
            404,
            json!({"error": "404 Not Found"}),
        ),
        (
            "DELETE",
            "jobs/request",
            json_type,
            "",
            405,
            json!({"error": "405 Not Allowed"}),
        ),
    ] {
        let url = format!("{}/api/v4/{path}", gitlab.url());
        let answer = client()
            .request(method.parse().unwrap(), url)
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .unwrap();
        let seen = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(seen, status, "{method} {path} {body}: {text}");
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        assert_eq!(value, expected, "{method} {path} {body}");
    }
}

/// A body of a poll above 32 KiB is refused, as workhorse does.
#[tokio::test]
async fn long_polls_are_refused() {
    let gitlab = MockGitlab::start().unwrap();
    let runner = gitlab.runner().create().unwrap();
    let body = json!({ "token": runner.token(), "padding": "x".repeat(33 * 1024) });
    let answer = client()
        .post(format!("{}/api/v4/jobs/request", gitlab.url()))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 413);
}

/// Two servers share nothing, and a taken port is named.
#[tokio::test]
async fn servers_are_apart() {
    let (one, two) = (MockGitlab::start().unwrap(), MockGitlab::start().unwrap());
    assert_ne!(one.url(), two.url());
    let runner = one.runner().create().unwrap();
    assert_eq!(poll(&one, &runner.token()).await.0, 204);
    assert_eq!(poll(&two, "glrt-unknown").await.0, 403);
    let address = one.url().trim_start_matches("http://").parse().unwrap();
    let error = MockGitlab::builder().address(address).start().unwrap_err();
    assert!(matches!(error, MockError::InUse { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("address {address} is in use"))
    );
}

/// Cancel, play and retry, as a user does them.
#[tokio::test]
async fn a_user_acts() {
    let gitlab = MockGitlab::start().unwrap();
    let project = gitlab.project("demo").create().unwrap();
    let job = project.job("a").create().unwrap();
    assert_eq!(job.cancel().unwrap(), JobStatus::Canceled);
    assert!(job.play().is_err());
    let again = job.retry().unwrap();
    assert!(again.id() > job.id());
    assert_eq!(again.status(), JobStatus::Pending);
}

/// An answer that is given before the whole body came still arrives (wire.md 6.1), though the sender is
/// in the middle of 64 MiB, and a file that was taken comes back from the disk as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn large_uploads() {
    let gitlab = MockGitlab::start().unwrap();
    gitlab.act(|world, _| world.change_settings(|settings| settings.max_artifacts_size_mib = 4));
    let project = gitlab.project("demo").create().unwrap();
    let runner = gitlab.runner().create().unwrap();
    let job = project.job("a").create().unwrap();
    let (_, payload) = poll(&gitlab, &runner.token()).await;
    let token = payload["token"].as_str().unwrap().to_owned();
    let url = format!("{}/api/v4/jobs/{}/artifacts", gitlab.url(), job.id());
    let upload = |token: &str, mebibytes: usize| {
        let chunk = bytes::Bytes::from(vec![b'x'; 1024 * 1024]);
        let head =
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n";
        let chunks = std::iter::once(bytes::Bytes::from(head))
            .chain(std::iter::repeat_n(chunk, mebibytes))
            .chain(std::iter::once(bytes::Bytes::from("\r\n--b--\r\n")))
            .map(Ok::<_, std::io::Error>);
        client()
            .post(&url)
            .header("job-token", token)
            .header("content-type", "multipart/form-data; boundary=b")
            .body(reqwest::Body::wrap_stream(futures_util::stream::iter(
                chunks,
            )))
            .send()
    };
    for _ in 0..10 {
        assert_eq!(upload(&token, 64).await.unwrap().status(), 413);
        assert_eq!(upload("wrong", 64).await.unwrap().status(), 403);
    }
    assert_eq!(upload(&token, 3).await.unwrap().status(), 201);
    let file = client()
        .get(&url)
        .header("job-token", &token)
        .send()
        .await
        .unwrap();
    assert_eq!(file.headers()["content-length"], "3145728");
    let bytes = file.bytes().await.unwrap();
    assert!(bytes.len() == 3 * 1024 * 1024 && bytes.iter().all(|byte| *byte == b'x'));
}

/// A server that stops answers the polls that it holds.
#[test]
fn held_polls_end_with_the_server() {
    use std::io::{Read as _, Write as _};
    let gitlab = MockGitlab::builder()
        .settings(crate::world::Settings {
            api_ci_long_polling_duration_s: 600,
            ..crate::world::Settings::default()
        })
        .start()
        .unwrap();
    let token = gitlab.runner().create().unwrap().token();
    let value = gitlab.act(|world, now| world.queue_value(now, &token).unwrap().to_string());
    let body = json!({ "token": token, "last_update": value }).to_string();
    let address = gitlab.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /api/v4/jobs/request HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so the call has begun.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    let start = std::time::Instant::now();
    drop(gitlab);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(start.elapsed() < std::time::Duration::from_mins(1));
}

/// Goal: how tokens are hashed is of no seed: two servers with one seed have other keys, and a reset leaves the
/// server's.
#[test]
fn nobody_can_know_how_tokens_are_hashed() {
    let start = || MockGitlab::builder().seed(7).start().unwrap();
    let key = |gitlab: &MockGitlab| gitlab.act(|world, _| world.token_hash_key());
    let (one, other) = (start(), start());
    assert_eq!(one.admin_token(), other.admin_token());
    assert_ne!(key(&one), key(&other));
    let before = key(&one);
    one.act(|world, _| {
        let again = crate::world::World::of_snapshot(world.snapshot()).unwrap();
        world.replace(again);
    });
    assert_eq!(key(&one), before);
}
