//! The levers of the mock, called over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use mock_gitlab::MockGitlab;
use mock_gitlab::world::NewUser;
use protocol::JobStatus;
use serde_json::{Value, json};

pub(crate) struct Caller {
    pub(crate) gitlab: MockGitlab,
    pub(crate) client: reqwest::Client,
}

impl Caller {
    pub(crate) fn new() -> Caller {
        Caller::of(MockGitlab::start().unwrap())
    }

    pub(crate) fn of(gitlab: MockGitlab) -> Caller {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Caller {
            gitlab,
            client: reqwest::Client::builder()
                .tls_certs_only([])
                .build()
                .unwrap(),
        }
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let url = format!("{}/api/mock/v1{path}", self.gitlab.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !token.is_empty() {
            request = request.header("private-token", token);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(method, path, self.gitlab.admin_token(), &body)
            .await
    }

    pub(crate) async fn poll(&self, token: &str) -> u16 {
        let url = format!("{}/api/v4/jobs/request", self.gitlab.url());
        let body = json!({ "token": token }).to_string();
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json");
        request.body(body).send().await.unwrap().status().as_u16()
    }
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every call of the document is there and wants an administrator's token, and no path of it has a method
/// that the document does not know.
#[tokio::test]
async fn the_document_says_what_there_is() {
    let caller = Caller::new();
    let (status, document) = caller.send("GET", "/openapi.json", "", "").await;
    assert_eq!(status, 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(document["servers"][0]["url"], "/api/mock/v1");
    let user = caller.gitlab.act(|world, _| {
        let user = NewUser {
            username: "dev".to_owned(),
            ..NewUser::default()
        };
        let user = world.add_user(user).unwrap();
        world
            .add_personal_access_token(user, None)
            .unwrap()
            .to_string()
    });
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 8, "{paths:?}");
    for (path, methods) in paths {
        let methods = methods.as_object().unwrap();
        let call = path.replace("{id}", "1");
        for method in METHODS {
            let name = method.to_uppercase();
            if methods.contains_key(method) {
                let open = path == "/openapi.json";
                for (token, expected) in [("", 401), ("wrong", 401), (user.as_str(), 403)] {
                    let (status, body) = caller.send(&name, &call, token, "").await;
                    assert_eq!(status, if open { 200 } else { expected }, "{name} {path}");
                    assert!(open || body["message"].is_string(), "{name} {path}");
                }
            } else {
                let (status, _) = caller.call(&name, &call, Value::Null).await;
                assert_eq!(status, 405, "{name} {path} is served and not described");
            }
        }
    }
    // Every schema that is referred to is there.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
    assert_eq!(caller.call("GET", "/nowhere", Value::Null).await.0, 404);
}

/// A delayed job becomes pending when the clock is put forward.
#[tokio::test]
async fn the_clock() {
    let caller = Caller::new();
    let project = caller.gitlab.project("demo").create().unwrap();
    let job = project.job("later").with(|job| {
        job.when = mock_gitlab::world::definition::When::Delayed;
        job.start_in = 3600;
    });
    let job = job.create().unwrap();
    assert_eq!(job.status(), JobStatus::Scheduled);
    let (_, before) = caller.call("GET", "/clock", Value::Null).await;
    assert_eq!(before["ahead_ms"], 0);
    assert!(before["next_deadline"].is_string(), "{before}");
    let hour = json!({ "ms": 3_600_000 });
    let (status, after) = caller.call("POST", "/clock/advance", hour).await;
    assert_eq!((status, &after["ahead_ms"]), (200, &json!(3_600_000)));
    assert_eq!(job.status(), JobStatus::Pending);
    assert!(caller.gitlab.advance(Duration::from_secs(1)));
    for body in [
        json!({ "ms": u64::MAX }),
        json!({ "ms": -1 }),
        json!({ "s": 1 }),
        Value::Null,
    ] {
        let (status, answer) = caller.call("POST", "/clock/advance", body).await;
        assert_eq!(status, 400);
        assert!(answer["message"].is_string(), "{answer}");
    }
    let (_, after) = caller.call("GET", "/clock", Value::Null).await;
    assert_eq!(after["ahead_ms"], 3_601_000);
}

/// Rules are made, do their work, are read and taken back; the mock API itself never fails on purpose.
#[tokio::test]
async fn faults() {
    let caller = Caller::new();
    let runner = caller.gitlab.runner().create().unwrap();
    let rule = json!({ "runner": runner.id(), "times": 2, "status": 503 });
    let (status, made) = caller.call("POST", "/faults", rule.clone()).await;
    assert_eq!((status, &made["rule"]), (201, &rule));
    let everything = json!({ "times": 0, "latency_ms": 1 });
    assert_eq!(caller.call("POST", "/faults", everything).await.0, 201);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(caller.poll(&runner.token()).await);
    }
    assert_eq!(statuses, [503, 503, 204]);
    let path = format!("/faults/{}", made["id"]);
    let (_, state) = caller.call("GET", &path, Value::Null).await;
    assert_eq!((&state["seen"], &state["hits"]), (&json!(2), &json!(2)));
    let (_, list) = caller.call("GET", "/faults", Value::Null).await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[1]["hits"], 1, "the first rule had the other two");
    assert_eq!(caller.call("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(caller.call("DELETE", &path, Value::Null).await.0, 404);
    assert_eq!(caller.call("DELETE", "/faults", Value::Null).await.0, 204);
    for (rule, expected) in [
        (json!({}), "the rule does nothing"),
        (json!({ "status": 42 }), "status: must be from 200"),
        (
            json!({ "on": "pol", "status": 500 }),
            "unknown variant `pol`",
        ),
        (json!({ "statsu": 500 }), "unknown field `statsu`"),
    ] {
        let (status, answer) = caller.call("POST", "/faults", rule).await;
        assert_eq!(status, 400);
        assert!(
            answer["message"].as_str().unwrap().contains(expected),
            "{answer}"
        );
    }
    let (status, _) = caller
        .call("POST", "/restart", json!({ "down_ms": 600_000 }))
        .await;
    assert_eq!(status, 202);
    let url = format!("{}/api/v4/version", caller.gitlab.url());
    while caller.client.get(&url).send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The connections of the client went too; the lever works meanwhile.
    let cleared = caller.call("DELETE", "/faults", Value::Null).await;
    assert_eq!(cleared.0, 204);
    assert!(caller.client.get(&url).send().await.is_ok());
}

/// Why a job is not picked, and that nothing keeps it when nothing does.
#[tokio::test]
async fn why_not() {
    let caller = Caller::new();
    let runner = caller.gitlab.runner().create().unwrap();
    let project = caller.gitlab.project("demo").create().unwrap();
    let plain = project.job("plain").create().unwrap();
    let tagged = project.job("tagged").tag("gpu").create().unwrap();
    let (status, rows) = caller.call("GET", "/why-not", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(
        rows,
        json!([
            { "job": plain.id(), "runner": runner.id(), "text": "the next poll gets it" },
            { "job": tagged.id(), "runner": runner.id(),
              "why_not": { "reason": "missing_tags", "tags": ["gpu"] },
              "text": "the runner lacks the tag `gpu`" },
        ])
    );
    assert_eq!(caller.poll(&runner.token()).await, 201);
    let path = format!("/why-not?job={}", plain.id());
    let (_, rows) = caller.call("GET", &path, Value::Null).await;
    assert_eq!(
        rows[0]["why_not"],
        json!({ "reason": "not_waiting", "status": "running" })
    );
    for (path, expected) in [
        ("/why-not?job=99", 404),
        ("/why-not?runner=99", 404),
        ("/why-not?limit=0", 400),
        ("/why-not?limit=x", 400),
        ("/why-not?jbo=1", 400),
    ] {
        assert_eq!(
            caller.call("GET", path, Value::Null).await.0,
            expected,
            "{path}"
        );
    }
}

/// The list and the stream say the same, the stream goes on as things happen, and it goes on where another
/// one ended.
#[tokio::test]
async fn events() {
    let caller = Caller::new();
    let project = caller.gitlab.project("demo").create().unwrap();
    let job = project.job("a").create().unwrap();
    let (_, list) = caller.call("GET", "/events", Value::Null).await;
    let known = list["events"].as_array().unwrap().clone();
    assert!(known.len() >= 2 && list["forgotten"] == 0, "{list}");
    let open = |headers: &str| {
        let address = caller.gitlab.url().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        let token = caller.gitlab.admin_token();
        let head = format!(
            "GET /api/mock/v1/events/stream HTTP/1.1\r\nHost: x\r\nPrivate-Token: {token}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        BufReader::new(stream)
    };
    // Lines of the events, whatever the chunks.
    let next = |reader: &mut BufReader<TcpStream>| -> (u64, Value) {
        let (mut id, mut data) = (None, None);
        while id.is_none() || data.is_none() {
            let mut line = String::new();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0);
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.trim().parse().ok();
            } else if let Some(text) = line.strip_prefix("data: ") {
                data = serde_json::from_str(text.trim()).ok();
            }
        }
        (id.unwrap(), data.unwrap())
    };
    let mut first = open("");
    for event in &known {
        let (id, data) = next(&mut first);
        assert_eq!((json!(id), &data), (event["seq"].clone(), event));
    }
    job.cancel().unwrap();
    let (id, canceled) = next(&mut first);
    assert_eq!(
        (&canceled["event"], &canceled["to"]),
        (&json!("job_status"), &json!("canceled"))
    );
    let mut second = open(&format!("Last-Event-ID: {}\r\n", id - 1));
    assert_eq!(next(&mut second), (id, canceled));
    // What is forgotten is told.
    caller
        .gitlab
        .act(|world, _| world.change_settings(|settings| settings.event_capacity = 1));
    let (_, list) = caller.call("GET", "/events?after=1", Value::Null).await;
    let newest = list["events"][0]["seq"].as_u64().unwrap();
    assert_eq!(list["forgotten"], newest - 2);
}

/// A gap is told of once, also where nothing has come since, as after a reset.
#[tokio::test]
async fn a_gap_is_told_of_once() {
    let caller = Caller::new();
    let project = caller.gitlab.project("demo").create().unwrap();
    project.job("a").create().unwrap().cancel().unwrap();
    let (status, _) = caller.call("POST", "/reset", Value::Null).await;
    assert_eq!(status, 204);
    let address = caller.gitlab.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let token = caller.gitlab.admin_token();
    let head = format!(
        "GET /api/mock/v1/events/stream HTTP/1.1\r\nHost: x\r\nPrivate-Token: {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "event: forgotten"));
    let project = caller.gitlab.project("other").create().unwrap();
    project.job("b").create().unwrap().cancel().unwrap();
    // The next event is a real one.
    let next = lines.find(|line| line.starts_with("event: ")).unwrap();
    assert_ne!(next, "event: forgotten");
}

/// Goal: a poll that is held goes by the server's clock: it is answered when the clock passes its end. (polling.rs
/// has the rest, in one process.)
#[tokio::test]
async fn held_polls_go_by_the_clock() {
    let caller = Caller::new();
    let day_s = 86_400;
    caller.gitlab.change_settings(|settings| {
        settings.api_ci_long_polling_duration_s = day_s;
        settings.last_update_ttl_s = 30 * 86_400;
    });
    let runner = caller.gitlab.runner().create().unwrap();
    let url = format!("{}/api/v4/jobs/request", caller.gitlab.url());
    let poll = async |last_update: &str| {
        let body = json!({ "token": runner.token(), "last_update": last_update });
        let request = caller
            .client
            .post(&url)
            .header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    };
    let value = async || {
        let answer = poll("").await;
        answer.headers()["x-gitlab-last-update"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    // A poll, and steps of the clock until it is answered: when it arrives on the way does not matter.
    let held = async |last_update: &str, step: Value| {
        let done = std::cell::Cell::new(false);
        let poll = async {
            let answer = poll(last_update).await;
            done.set(true);
            answer
        };
        let advance = async {
            while !done.get() {
                let (status, _) = caller.call("POST", "/clock/advance", step.clone()).await;
                assert_eq!(status, 200);
            }
        };
        tokio::join!(poll, advance).0
    };
    let current = value().await;
    let start = caller.gitlab.act(|_, now| now);
    let answer = held(&current, json!({ "ms": 3_600_000 })).await;
    assert_eq!(answer.status(), 204);
    assert!(!answer.headers().contains_key("x-gitlab-last-update"));
    let passed = caller
        .gitlab
        .act(|_, now| now.duration_since(start))
        .as_hours();
    assert!(passed >= 24, "{passed} h");
}
