//! What every request looks like (wire.md 1.2), seen by a real server.

use std::collections::BTreeSet;

use http::HeaderMap;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::memory::{Memory, Reply};
use super::support::{Api, JOB, PERSONAL, REGISTRATION, RUNNER, logged, poll, real_client};

/// What is special about the requests of a call.
struct Row {
    api: Api,
    line: &'static str,
    /// The header that carries a token, and the token.
    token: Option<(&'static str, &'static str)>,
    /// `token` of the body.
    body_token: Option<&'static str>,
    accept: bool,
}

const TOKEN_HEADERS: [&str; 3] = ["runner-token", "job-token", "private-token"];

fn rows() -> Vec<Row> {
    let runner = Some(("runner-token", RUNNER));
    let job = Some(("job-token", JOB));
    let row = |api, line, token, body_token, accept| Row {
        api,
        line,
        token,
        body_token,
        accept,
    };
    vec![
        row(
            Api::Register,
            "POST /api/v4/runners",
            Some(("runner-token", REGISTRATION)),
            Some(REGISTRATION),
            true,
        ),
        row(
            Api::Verify,
            "POST /api/v4/runners/verify",
            runner,
            Some(RUNNER),
            true,
        ),
        row(
            Api::Unregister,
            "DELETE /api/v4/runners",
            runner,
            Some(RUNNER),
            false,
        ),
        row(
            Api::UnregisterManager,
            "DELETE /api/v4/runners/managers",
            runner,
            Some(RUNNER),
            false,
        ),
        row(
            Api::ResetToken,
            "POST /api/v4/runners/reset_authentication_token",
            None,
            Some(RUNNER),
            true,
        ),
        row(
            Api::ResetById,
            "POST /api/v4/runners/17/reset_authentication_token",
            Some(("private-token", PERSONAL)),
            None,
            true,
        ),
        row(
            Api::Poll,
            "POST /api/v4/jobs/request",
            runner,
            Some(RUNNER),
            true,
        ),
        row(Api::Update, "PUT /api/v4/jobs/1001", job, Some(JOB), false),
        row(
            Api::Patch,
            "PATCH /api/v4/jobs/1001/trace?debug_trace=false",
            job,
            None,
            false,
        ),
    ]
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn is_request_id(id: &str) -> bool {
    id.len() == 32
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `gitlab-runner <ver> (<branch>; <build>; <os>/<arch>)`.
fn is_user_agent(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("gitlab-runner ") else {
        return false;
    };
    let Some((version, rest)) = rest.split_once(" (") else {
        return false;
    };
    let parts: Vec<&str> = rest.trim_end_matches(')').split("; ").collect();
    let [branch, build, system] = parts[..] else {
        return false;
    };
    rest.ends_with(')')
        && [version, branch, build]
            .iter()
            .all(|part| !part.is_empty() && !part.contains(' '))
        && system.split('/').count() == 2
}

/// Every call once, against a server that refuses everything for good.
///
/// Goal: the table of wire.md 1.2. `Accept: */*` on the calls that have no `Accept` there is a
/// difference on purpose (`docs/differences.md`).
///
/// Proves WIRE-CON-03, WIRE-CON-04, WIRE-CON-05, WIRE-CON-08, WIRE-CON-09, WIRE-REG-11, WIRE-TRC-01.
#[tokio::test]
async fn headers_of_every_call() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400))
        .mount(&server)
        .await;
    let client = real_client(&server.uri());
    let rows = rows();
    assert_eq!(rows.len(), Api::ALL.len());
    for row in &rows {
        row.api.call(&client).await;
    }
    let seen = server.received_requests().await.unwrap();
    assert_eq!(seen.len(), rows.len(), "one request for each call");
    let mut ids = BTreeSet::new();
    for (row, request) in rows.iter().zip(seen) {
        let api = row.api;
        let query = request.url.query().map(|query| format!("?{query}"));
        let line = format!(
            "{} {}{}",
            request.method,
            request.url.path(),
            query.unwrap_or_default()
        );
        assert_eq!(line, row.line);
        let agent = header(&request.headers, "user-agent").unwrap();
        assert!(is_user_agent(agent), "{api:?}: {agent}");
        for name in TOKEN_HEADERS {
            let expected = row.token.filter(|(used, _)| *used == name);
            assert_eq!(
                header(&request.headers, name),
                expected.map(|(_, token)| token),
                "{name} of {api:?}"
            );
        }
        let accept = header(&request.headers, "accept") == Some("application/json");
        assert_eq!(accept, row.accept, "Accept of {api:?}");
        let length = request.body.len().to_string();
        assert_eq!(
            header(&request.headers, "content-length"),
            Some(length.as_str())
        );
        assert_eq!(header(&request.headers, "transfer-encoding"), None);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(json!("not JSON"));
        if api == Api::Patch {
            assert_eq!(header(&request.headers, "content-type"), Some("text/plain"));
            assert_eq!(request.body, b"log of the job\n");
            // 15 bytes from offset 5, both ends inclusive.
            assert_eq!(header(&request.headers, "content-range"), Some("5-19"));
        } else {
            let kind = header(&request.headers, "content-type");
            assert_eq!(kind, Some("application/json"), "{api:?}");
            assert_eq!(header(&request.headers, "content-range"), None);
            assert_eq!(
                body.get("token").and_then(Value::as_str),
                row.body_token,
                "{api:?}"
            );
        }
        if api == Api::ResetById {
            assert_eq!(request.body, b"null");
        }
        assert_eq!(header(&request.headers, "accept-encoding"), Some("gzip"));
        let id = header(&request.headers, "x-request-id").unwrap();
        assert!(is_request_id(id), "{api:?}: {id}");
        assert!(ids.insert(id.to_owned()), "{api:?} repeats an id");
    }
}

/// An empty token leaves out header and member.
#[tokio::test(start_paused = true)]
async fn an_empty_token_is_left_out() {
    let server = Memory::list(vec![Reply::status(400)]);
    let client = server.client();
    let _ = client.unregister_runner("").await;
    let seen = server.seen();
    assert_eq!(seen[0].header("runner-token"), "");
    assert_eq!(seen[0].json(), json!({}));
}

/// The id is new for each call, the same in its retries, and the answer's own id stands in its place
/// afterwards: in the outcome, and in the log.
///
/// Proves WIRE-CON-06.
#[tokio::test(start_paused = true)]
async fn one_id_for_each_call() {
    for answers_id in ["", "answer-of-the-server"] {
        let mut replies = vec![
            Reply::status(503),
            Reply::status(503),
            Reply::status(403),
            Reply::status(403),
        ];
        if !answers_id.is_empty() {
            replies = replies
                .into_iter()
                .map(|reply| reply.header("x-request-id", answers_id))
                .collect();
        }
        let server = Memory::list(replies);
        let client = server.client();
        let (first, log) = logged(poll(&client)).await;
        let second = poll(&client).await;
        let seen = server.seen();
        let ids: Vec<&str> = seen
            .iter()
            .map(|seen| seen.header("x-request-id"))
            .collect();
        assert!(ids.iter().all(|id| is_request_id(id)), "{ids:?}");
        assert_eq!(ids.len(), 4);
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids[0], ids[2]);
        assert_ne!(ids[0], ids[3]);
        let (expected, expected_second) = match answers_id {
            "" => (ids[0], ids[3]),
            id => (id, id),
        };
        assert_eq!(first.correlation_id, expected);
        assert_eq!(second.correlation_id, expected_second);
        let line = log.lines().find(|line| line.contains("forbidden"));
        let line: Value = serde_json::from_str(line.unwrap()).unwrap();
        assert_eq!(line["correlation_id"], expected);
    }
}

/// Debug logs of a job are marked in the URL of each patch, and other logs are marked as such too.
///
/// Proves WIRE-TRC-02.
#[tokio::test(start_paused = true)]
async fn debug_trace_is_always_said() {
    let server = Memory::list(vec![Reply::status(202)]);
    let client = server.client();
    for debug in [true, false] {
        client
            .patch_trace(&super::support::credentials(), "x".into(), 0, debug)
            .await;
    }
    let urls: Vec<String> = server.seen().into_iter().map(|seen| seen.url).collect();
    assert_eq!(
        urls,
        [
            "http://gitlab.test/api/v4/jobs/1001/trace?debug_trace=true",
            "http://gitlab.test/api/v4/jobs/1001/trace?debug_trace=false",
        ]
    );
}
