//! How answers are judged (wire.md 1.7 and 9).

use std::io::Write as _;

use http::StatusCode;
use runner::client::{JobRequestResult, VerifyOutcome};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::memory::{Memory, Reply};
use super::raw::RawServer;
use super::support::{Api, poll, real_client, verify};

fn payload() -> Value {
    json!({"id": 1001, "token": "glcbt-64_x", "job_info": {"name": "test"}})
}

fn kind(result: &JobRequestResult) -> &'static str {
    match result {
        JobRequestResult::Job(_) => "job",
        JobRequestResult::Undecodable { job: Some(_), .. } => "undecodable, seen",
        JobRequestResult::Undecodable { job: None, .. } => "undecodable",
        JobRequestResult::NoJob => "no job",
        JobRequestResult::Forbidden => "forbidden",
        JobRequestResult::Unavailable => "unavailable",
        JobRequestResult::Failed => "failed",
        JobRequestResult::ClientError => "client error",
        JobRequestResult::Cancelled => "cancelled",
    }
}

/// What a poll brings for each status, and which of them count against the entry: the first rows of
/// wire.md 9.
///
/// Proves WIRE-REQ-07.
#[tokio::test(start_paused = true)]
async fn statuses_of_polls() {
    for status in (200..600).filter(|status| StatusCode::from_u16(*status).is_ok()) {
        let server = Memory::list(vec![Reply::status(status).json(&payload())]);
        let outcome = poll(&server.client()).await;
        let expected = match status {
            201 => "job",
            204 => "no job",
            403 => "forbidden",
            503 => "unavailable",
            _ => "failed",
        };
        assert_eq!(kind(&outcome.result), expected, "{status}");
        assert_eq!(outcome.is_unhealthy(), status == 403, "{status}");
        let retried = matches!(status, 408 | 429 | 500 | 502 | 503 | 504 | 512..);
        assert_eq!(outcome.back_pressured, retried, "{status}");
    }
    let server = Memory::list(vec![Reply::broken("connection reset by peer")]);
    let outcome = poll(&server.client()).await;
    assert_eq!(kind(&outcome.result), "failed");
    assert!(!outcome.is_unhealthy());
}

/// The success code with a body that cannot be used, over real HTTP.
///
/// Proves WIRE-CON-15.
#[tokio::test]
async fn types_of_bodies() {
    let server = MockServer::start().await;
    let client = real_client(&server.uri());
    for (content_type, accepted) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("application/json;charset=UTF-8", true),
        ("Application/JSON", true),
        ("application/json ; a=b; c=d", true),
        ("text/plain", false),
        ("text/json", false),
        ("application/problem+json", false),
        ("application/jsonp", false),
        ("text/html; application/json", false),
    ] {
        for (api, status, body) in [
            (Api::Poll, 201, payload()),
            (Api::Register, 201, json!({"id": 1, "token": "glrtr-x"})),
            (Api::ResetToken, 201, json!({"token": "glrt-x"})),
            (Api::ResetById, 201, json!({"token": "glrt-x"})),
        ] {
            server.reset().await;
            let answer = ResponseTemplate::new(status).set_body_raw(body.to_string(), content_type);
            Mock::given(any()).respond_with(answer).mount(&server).await;
            let seen = api.call(&client).await;
            let good = seen.starts_with("Ok(") || seen.starts_with("Job(");
            assert_eq!(good, accepted, "{api:?} {content_type}: {seen}");
        }
    }
    // No type at all.
    server.reset().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(201))
        .mount(&server)
        .await;
    assert_eq!(kind(&poll(&client).await.result), "undecodable");
}

/// A body is read only with the one success code of its call.
///
/// Proves WIRE-REQ-10.
#[tokio::test]
async fn bodies_of_polls() {
    let server = MockServer::start().await;
    let client = real_client(&server.uri());
    let body = payload().to_string();
    for status in [200, 202, 203, 205, 206, 207, 226] {
        server.reset().await;
        let answer = ResponseTemplate::new(status).set_body_raw(body.clone(), "application/json");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let outcome = poll(&client).await;
        assert_eq!(kind(&outcome.result), "failed", "{status}");
        assert!(!outcome.is_unhealthy(), "{status}");
    }
    for (trailing, expected) in [
        ("", "job"),
        ("\n", "job"),
        ("{\"id\":2}", "job"),
        ("garbage \u{0}", "job"),
    ] {
        server.reset().await;
        let answer = ResponseTemplate::new(201)
            .set_body_raw(format!("{body}{trailing}"), "application/json");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        assert_eq!(kind(&poll(&client).await.result), expected, "{trailing:?}");
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(body.as_bytes()).unwrap();
    let zipped = gzip.finish().unwrap();
    let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n";
    let chunked = |bytes: &[u8]| {
        let mut out = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in bytes.chunks(7) {
            out.extend(format!("{:x}\r\n", piece.len()).as_bytes());
            out.extend(piece);
            out.extend(b"\r\n");
        }
        out.extend(b"0\r\n\r\n");
        out
    };
    let sized = |bytes: &[u8]| {
        let mut out = format!("Content-Length: {}\r\n\r\n", bytes.len()).into_bytes();
        out.extend(bytes);
        out
    };
    for (encoding, rest) in [
        ("", chunked(body.as_bytes())),
        ("Content-Encoding: gzip\r\n", chunked(&zipped)),
        ("Content-Encoding: gzip\r\n", sized(&zipped)),
    ] {
        let answer = [head.as_bytes(), encoding.as_bytes(), &rest].concat();
        let server = RawServer::start(move |_| answer.clone()).await;
        let outcome = poll(&real_client(&server.url())).await;
        let JobRequestResult::Job(job) = outcome.result else {
            panic!("{encoding:?}: {:?}", outcome.result);
        };
        assert_eq!(job.payload.id.get(), 1001);
        assert_eq!(job.payload.token.get(), "glcbt-64_x");
    }
}

/// A 201 that cannot be decoded brings no job, and nothing is sent about it, unless id and token can be
/// seen: then the caller is told, and fails the job (`docs/differences.md`).
#[tokio::test(start_paused = true)]
async fn jobs_that_cannot_be_read() {
    for (body, expected) in [
        ("", "undecodable"),
        ("{", "undecodable"),
        ("[]", "undecodable"),
        ("\"job\"", "undecodable"),
        (r#"{"id":"1","token":"t"}"#, "undecodable"),
        (r#"{"id":1,"token":"t","steps":{}}"#, "undecodable, seen"),
        (
            r#"{"id":1,"token":"t","allow_git_fetch":1}"#,
            "undecodable, seen",
        ),
        ("null", "job"),
        ("{}", "job"),
    ] {
        let reply = Reply::status(201).body(body);
        let server = Memory::list(vec![reply.header("content-type", "application/json")]);
        let outcome = poll(&server.client()).await;
        assert_eq!(kind(&outcome.result), expected, "{body}");
        assert!(!outcome.is_unhealthy(), "{body}");
        assert_eq!(server.seen().len(), 1, "{body}");
    }
}

/// `last_update` is the newest value that this client saw on a JSON call that did not end in -1.
///
/// Proves WIRE-REQ-02.
#[tokio::test(start_paused = true)]
async fn last_update_is_the_newest() {
    // Call, status, body type, body, whether its header counts (wire.md 1.7).
    let json = "application/json";
    for (api, status, content_type, body, counts) in [
        (Api::Poll, 204, "", "", true),
        (Api::Poll, 201, json, r#"{"id":1,"token":"t"}"#, true),
        (Api::Poll, 201, json, "{", false),
        (Api::Poll, 201, "text/plain", "{}", false),
        (Api::Poll, 409, json, "{}", true),
        (Api::Poll, 403, "", "", true),
        (Api::Poll, 503, "", "", true),
        (Api::Update, 200, json, "\"200\"", true),
        (Api::Update, 403, json, "{}", true),
        (Api::Update, 202, "", "", true),
        (Api::Patch, 202, "", "", false),
        (Api::Patch, 416, "", "", false),
        (Api::Verify, 403, "", "", true),
        (Api::Verify, 200, json, r#"{"id":1}"#, true),
        (Api::Register, 403, "", "", true),
        (Api::Register, 201, json, "[]", false),
        (Api::Unregister, 204, "", "", true),
        (Api::ResetToken, 201, json, "{}", true),
    ] {
        let reply = Reply::status(status)
            .header("x-gitlab-last-update", "newest")
            .header("content-type", content_type)
            .body(body);
        let server = Memory::list(vec![
            Reply::status(204),
            Reply::status(204).header("x-gitlab-last-update", "old"),
            Reply::status(204).header("x-gitlab-last-update", ""),
            reply,
        ]);
        let client = server.client();
        let case = format!("{api:?} {status} {content_type} {body}");
        for (number, expected) in [None, None, Some("old")].into_iter().enumerate() {
            poll(&client).await;
            let sent = server.seen()[number].json();
            assert_eq!(sent.get("last_update").and_then(Value::as_str), expected);
        }
        api.call(&client).await;
        poll(&client).await;
        let sent = server.seen().last().unwrap().json();
        let expected = if counts { "newest" } else { "old" };
        assert_eq!(sent["last_update"], expected, "{case}");
    }
    let server = Memory::new(|seen| {
        if seen.method == http::Method::PUT {
            return Reply::broken("reset");
        }
        Reply::status(204).header("x-gitlab-last-update", "old")
    });
    let client = server.client();
    poll(&client).await;
    Api::Update.call(&client).await;
    assert_eq!(*client.last_update(), *"old");
}

/// Verify: one repetition, under the same id, when no answer can be read; only 403 says invalid.
///
/// Proves WIRE-REG-07.
#[tokio::test(start_paused = true)]
async fn verify_is_repeated_once() {
    let good = || Reply::status(200).json(&json!({"id": 17, "token": "ignored"}));
    let plain = || {
        Reply::status(200)
            .body("200")
            .header("content-type", "text/plain")
    };
    let broken = || Reply::broken("connection reset by peer");
    for (replies, requests, expected) in [
        (vec![good()], 1, "valid 17"),
        (vec![Reply::status(403)], 1, "invalid"),
        (vec![Reply::status(400)], 1, "failed"),
        (vec![Reply::status(404)], 1, "failed"),
        (vec![Reply::status(422)], 1, "failed"),
        (vec![Reply::status(201)], 1, "failed"),
        (vec![plain(), plain()], 2, "valid 0"),
        (vec![plain(), good()], 2, "valid 0"),
        (vec![plain(), Reply::status(403)], 2, "invalid"),
        (vec![plain(), broken()], 2, "failed"),
        (vec![broken(), good()], 2, "valid 0"),
        (vec![broken(), plain()], 2, "valid 0"),
        (vec![broken(), Reply::status(403)], 2, "invalid"),
        (vec![broken(), broken()], 2, "failed"),
    ] {
        let case = format!("{replies:?}");
        let server = Memory::list(replies);
        let seen = match verify(&server.client()).await {
            VerifyOutcome::Valid(credentials) => format!("valid {}", credentials.id),
            VerifyOutcome::Invalid => "invalid".to_owned(),
            VerifyOutcome::Failed(_) => "failed".to_owned(),
        };
        assert_eq!(seen, expected, "{case}");
        let requests_seen = server.seen();
        assert_eq!(requests_seen.len(), requests, "{case}");
        assert!(requests_seen.iter().all(|seen| {
            seen.header("x-request-id") == requests_seen[0].header("x-request-id")
                && seen.body == requests_seen[0].body
        }));
    }
}

/// Only 204 says that a runner or manager is gone; a token is new only with 201.
///
/// Proves WIRE-REG-09.
#[tokio::test(start_paused = true)]
async fn one_success_code_for_each_call() {
    let answer = json!({"id": 1, "token": "glrt-x", "token_expires_at": null});
    for (api, success) in [
        (Api::Unregister, 204),
        (Api::UnregisterManager, 204),
        (Api::Register, 201),
        (Api::ResetToken, 201),
        (Api::ResetById, 201),
    ] {
        for status in [
            200, 201, 202, 204, 302, 400, 401, 403, 404, 405, 410, 422, 500, 503,
        ] {
            let server = Memory::list(vec![Reply::status(status).json(&answer)]);
            let seen = api.call(&server.client()).await;
            let expected = match status {
                _ if status == success => "Ok(",
                403 => "Err(Forbidden",
                _ => "Err(Failed",
            };
            assert!(seen.starts_with(expected), "{api:?} {status}: {seen}");
            if matches!(api, Api::Unregister | Api::UnregisterManager) {
                let request = &server.seen()[0];
                assert_eq!(request.header("content-type"), "application/json");
                assert!(request.json()["token"].is_string());
            }
        }
        let server = Memory::list(vec![Reply::broken("reset")]);
        let seen = api.call(&server.client()).await;
        assert!(seen.starts_with("Err(Failed"), "{api:?}: {seen}");
    }
}
