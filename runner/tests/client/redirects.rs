//! Redirects (wire.md 1.6).

use http::{HeaderMap, Method};
use runner::client::JobRequestResult;
use serde_json::{Value, json};
use wiremock::matchers::path_regex;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::memory::{Memory, Reply};
use super::support::{Api, logged, poll, real_client};

const HERE: &str = "http://gitlab.test";

fn redirect(status: u16, location: &str) -> Reply {
    Reply::status(status).header("location", location)
}

/// 307 and 308 repeat method, headers and body, over real connections, for every call.
///
/// Proves WIRE-CON-13.
#[tokio::test]
async fn repeated_as_it_was() {
    let server = MockServer::start().await;
    let client = real_client(&server.uri());
    for status in [307, 308] {
        for api in Api::ALL {
            server.reset().await;
            let to = ResponseTemplate::new(status).insert_header("location", "/moved?to=here");
            Mock::given(path_regex("^/api/"))
                .respond_with(to)
                .mount(&server)
                .await;
            Mock::given(path_regex("^/moved$"))
                .respond_with(ResponseTemplate::new(400))
                .mount(&server)
                .await;
            api.call(&client).await;
            let seen = server.received_requests().await.unwrap();
            assert_eq!(seen.len(), 2, "{api:?}");
            assert_eq!(seen[1].url.path(), "/moved");
            assert_eq!(seen[1].url.query(), Some("to=here"));
            assert_eq!(seen[0].method, seen[1].method);
            assert_eq!(seen[0].body, seen[1].body);
            let without_referer = |headers: &HeaderMap| {
                let mut headers = headers.clone();
                headers.remove("referer");
                headers
            };
            assert_eq!(
                without_referer(&seen[0].headers),
                without_referer(&seen[1].headers)
            );
            let query = seen[0].url.query().map(|query| format!("?{query}"));
            let path = seen[0].url.path();
            let referer = format!("{}{path}{}", server.uri(), query.unwrap_or_default());
            assert_eq!(seen[1].headers["referer"], referer.as_str());
        }
    }
}

/// 301, 302 and 303 turn a POST into a GET without body, and the answer to that counts. At most ten
/// requests. Without `Location` the answer stands. On PATCH, PUT and DELETE the answer stands too, and is
/// a failure, where the official runner loses what it sent (`docs/differences.md`).
#[tokio::test(start_paused = true)]
async fn turned_into_a_get() {
    for status in [301, 302, 303] {
        for (target, expected) in [
            (Reply::status(204), "NoJob"),
            (
                Reply::status(201).json(&json!({"id": 9, "token": "t"})),
                "Job(",
            ),
            (Reply::status(403), "Forbidden"),
            (Reply::status(400), "Failed"),
        ] {
            let mut replies = vec![redirect(status, "/moved/a"), target];
            let server = Memory::new(move |_| replies.remove(0));
            let seen = Api::Poll.call(&server.client()).await;
            assert!(seen.starts_with(expected), "{status}: {seen}");
            let requests = server.seen();
            assert_eq!(requests.len(), 2);
            let (first, second) = (&requests[0], &requests[1]);
            assert_eq!(second.method, Method::GET);
            assert_eq!(second.url, "http://gitlab.test/moved/a");
            assert!(second.body.is_empty());
            assert_eq!(second.header("content-type"), "");
            assert_eq!(
                second.header("referer"),
                "http://gitlab.test/api/v4/jobs/request"
            );
            for name in ["accept", "runner-token", "x-request-id", "user-agent"] {
                assert_eq!(first.header(name), second.header(name), "{name}");
                assert_ne!(first.header(name), "", "{name}");
            }
        }
        for api in [
            Api::Update,
            Api::Patch,
            Api::Unregister,
            Api::UnregisterManager,
        ] {
            let server = Memory::new(move |seen| {
                if seen.url.contains("/moved") {
                    Reply::status(if api == Api::Patch { 202 } else { 204 })
                } else {
                    redirect(status, "/moved")
                }
            });
            let seen = api.call(&server.client()).await;
            assert!(seen.contains("Failed"), "{api:?} {status}: {seen}");
            assert_eq!(server.seen().len(), 1, "{api:?}");
        }
    }
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        for api in Api::ALL {
            let server = Memory::list(vec![Reply::status(status)]);
            let seen = api.call(&server.client()).await;
            assert!(seen.contains("Failed"), "{api:?} {status}: {seen}");
            assert_eq!(server.seen().len(), 1, "{api:?} {status}");
        }
    }
}

/// Ten requests, then no answer; nine hops are fine. That is no reason for another attempt.
#[tokio::test(start_paused = true)]
async fn at_most_ten_requests() {
    for (hops, expected) in [(9, "NoJob"), (10, "Failed"), (50, "Failed")] {
        for status in [302, 307] {
            let mut left = hops;
            let server = Memory::new(move |_| {
                left -= 1;
                if left < 0 {
                    return Reply::status(204);
                }
                redirect(status, "/loop")
            });
            let (seen, log) = logged(Api::Poll.call(&server.client())).await;
            assert!(seen.starts_with(expected), "{hops} {status}: {seen}");
            assert_eq!(server.seen().len(), 10);
            if hops > 9 {
                let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
                // As recorded in `redir-poll`.
                assert_eq!(
                    line["status"],
                    "execute JSON request: execute request: couldn't execute POST against \
                     http://gitlab.test/api/v4/jobs/request: Post \"/loop\": stopped after 10 redirects"
                );
            }
        }
    }
}

/// Tokens stay with the host. They come back neither when the way leads back, nor in the headers of a
/// later hop. A body that names a token is not repeated elsewhere either, except those of polls and updates
/// (see the test after this one).
///
/// Proves WIRE-CON-14.
#[tokio::test(start_paused = true)]
async fn tokens_stay_with_the_host() {
    // Their bodies hold no token, or are recorded to be repeated.
    for api in [Api::ResetById, Api::Poll, Api::Update, Api::Patch] {
        for (target, stay) in [
            ("/moved", true),
            ("http://gitlab.test/moved", true),
            ("http://gitlab.test:80/moved", true),
            ("https://gitlab.test/moved", true),
            ("http://gitlab.test:8080/moved", false),
            ("http://other.test/moved", false),
            ("http://sub.gitlab.test/moved", false),
            ("http://gitlab.test.evil.test/moved", false),
            ("//other.test/moved", false),
        ] {
            let server = Memory::new(move |seen| {
                if seen.url.ends_with("/moved") {
                    redirect(308, "http://gitlab.test/back")
                } else if seen.url.ends_with("/back") {
                    Reply::status(400)
                } else {
                    redirect(307, target)
                }
            });
            api.call(&server.client()).await;
            let requests = server.seen();
            if target.starts_with("https") && matches!(api, Api::Poll | Api::Update) {
                assert_eq!(requests.len(), 2, "{api:?} {target}");
                continue;
            }
            assert_eq!(requests.len(), 3, "{api:?} {target}");
            let tokens = |index: usize| {
                ["runner-token", "job-token", "private-token"]
                    .map(|name| requests[index].header(name).to_owned())
                    .concat()
            };
            assert!(!tokens(0).is_empty());
            let expected = if stay { tokens(0) } else { String::new() };
            assert_eq!(tokens(1), expected, "{api:?} {target}");
            // From `https` back to `http` they do not go, nor does a body with one.
            let back = if target.starts_with("https") {
                String::new()
            } else {
                expected
            };
            assert_eq!(tokens(2), back, "{api:?} {target}");
        }
    }
}

/// A body that names a token is not sent to another host, and the log says what to do. The official runner
/// sends it (`docs/differences.md`).
///
/// Proves WIRE-CON-14.
#[tokio::test(start_paused = true)]
async fn bodies_with_tokens_stay_with_the_host() {
    for api in [
        Api::Register,
        Api::Verify,
        Api::Unregister,
        Api::UnregisterManager,
        Api::ResetToken,
    ] {
        for (target, stays) in [
            ("/moved", true),
            ("https://gitlab.test/moved", true),
            ("http://gitlab.test:8080/moved", false),
            ("http://name:secret@other.test/moved", false),
            ("//gitlab.test.evil.test/moved", false),
        ] {
            let server = Memory::new(move |seen| {
                if seen.url.ends_with("/moved") {
                    Reply::status(400)
                } else {
                    redirect(307, target)
                }
            });
            let (outcome, log) = logged(api.call(&server.client())).await;
            assert!(outcome.contains("Failed"), "{api:?} {target}: {outcome}");
            let requests = server.seen();
            let moved = requests.iter().filter(|seen| seen.url.ends_with("/moved"));
            assert_eq!(moved.count(), usize::from(stays), "{api:?} {target}");
            for part in ["the server redirects to http", "use its address as `url`"] {
                assert_eq!(log.contains(part), !stays, "{api:?} {target}: {log}");
            }
            assert!(!log.contains("secret"), "{log}");
        }
    }
}

/// User and password of the configured URL stay with the host as well.
#[tokio::test(start_paused = true)]
async fn passwords_stay_with_the_host() {
    let server = Memory::new(|seen| match seen.url.as_str() {
        "http://gitlab.test/api/v4/jobs/request" => redirect(307, "/a"),
        "http://gitlab.test/a" => redirect(307, "http://other.test/b"),
        _ => Reply::status(204),
    });
    let client = server.client_of("http://user:p%40ss@gitlab.test/ci/");
    poll(&client).await;
    let sent: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").to_owned())
        .collect();
    // `user:p@ss`.
    assert_eq!(sent, ["Basic dXNlcjpwQHNz", "Basic dXNlcjpwQHNz", ""]);
    let seen = server.seen();
    assert!(seen.iter().all(|seen| !seen.url.contains("ss@")));
    assert_eq!(seen[2].header("referer"), "http://gitlab.test/a");
}

/// A `Location` that leads nowhere is no answer.
#[tokio::test(start_paused = true)]
async fn broken_locations() {
    for location in ["ftp://gitlab.test/", "http://[", "mailto:somebody"] {
        let location = location.to_owned();
        let server = Memory::new(move |_| redirect(307, &location));
        let outcome = poll(&server.client()).await;
        assert!(matches!(outcome.result, JobRequestResult::Failed));
        assert!(!outcome.is_unhealthy());
        assert_eq!(server.seen().len(), 1);
        assert!(server.seen()[0].url.starts_with(HERE));
    }
}
