//! The engine by itself, and what it does to a router in the same process, in virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt as _;

use super::{
    Call, ConnectionReset, Decision, Endpoint, FaultError, FaultRequest, FaultRule, FaultRules,
    Faulted, Faults, Reset, SlowBody,
};
use crate::http::Now;
use crate::world::{JobDefinition, NewJob, NewProject, NewRunner, Settings, World};

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn request(method: &str, path: &str, runner: Option<i64>) -> FaultRequest {
    let call = Call::of(method, &format!("/api/v4/{path}")).unwrap();
    FaultRequest { call, runner }
}

fn failing(rule: FaultRule) -> FaultRule {
    FaultRule {
        status: Some(500),
        ..rule
    }
}

/// Which of `count` polls get the rule.
fn hits(rules: &mut FaultRules, count: usize) -> Vec<usize> {
    let poll = request("POST", "jobs/request", None);
    (1..=count)
        .filter(|_| rules.decide(NOW, poll).is_some())
        .collect()
}

#[test]
fn calls() {
    for (method, path, expected) in [
        ("POST", "/api/v4/jobs/request", "poll"),
        ("PATCH", "/api/v4/jobs/7/trace", "patch 7"),
        ("PUT", "/api/v4/jobs/7", "update 7"),
        ("POST", "/api/v4/runners", "register"),
        ("POST", "/api/v4/runners/verify", "verify"),
        ("DELETE", "/api/v4/runners", "unregister"),
        ("DELETE", "/api/v4/runners/managers", "unregister_manager"),
        (
            "POST",
            "/api/v4/runners/reset_authentication_token",
            "reset_token",
        ),
        (
            "POST",
            "/api/v4/runners/3/reset_authentication_token",
            "reset_token",
        ),
        ("GET", "/api/v4/runners/router/discovery", "discovery"),
        ("POST", "/api/v4/jobs/7/artifacts", "upload 7"),
        ("POST", "/api/v4/jobs/7/artifacts/authorize", "upload 7"),
        ("GET", "/api/v4/jobs/7/artifacts", "download 7"),
        ("GET", "/api/v4/projects", "other"),
        ("GET", "/group/demo.git/info/refs", "git"),
        ("GET", "/api/mock/v1/faults", "-"),
    ] {
        let said = Call::of(method, path).map_or_else(
            || "-".to_owned(),
            |call| {
                let name = call.endpoint.as_str();
                call.job
                    .map_or_else(|| name.to_owned(), |job| format!("{name} {job}"))
            },
        );
        assert_eq!(said, expected, "{method} {path}");
    }
}

/// `nth`, `times`, two rules at once, and rules that are spent.
#[test]
fn which_requests() {
    let with = |nth, times| {
        failing(FaultRule {
            nth,
            times,
            ..FaultRule::on(Endpoint::Poll)
        })
    };
    for (rules, expected) in [
        (vec![with(None, None)], vec![1]),
        (vec![with(Some(3), None)], vec![3]),
        (vec![with(Some(2), Some(3))], vec![2, 3, 4]),
        (vec![with(Some(7), Some(0))], vec![7, 8]),
        (
            vec![with(Some(2), None), with(Some(2), Some(2))],
            vec![2, 3],
        ),
    ] {
        let mut engine = FaultRules::new(0);
        for rule in &rules {
            engine.add(NOW, rule.clone()).unwrap();
        }
        let mut seen = Vec::new();
        for index in 1..=8 {
            if !hits(&mut engine, 1).is_empty() {
                seen.push(index);
            }
        }
        assert_eq!(seen, expected, "{rules:?}");
        let endless = rules.iter().any(|rule| rule.times == Some(0));
        assert_eq!(engine.is_active(NOW), endless, "{rules:?}");
    }
}

/// Kind, runner and job; a request has to fit them all.
#[test]
fn whose_requests() {
    let mut engine = FaultRules::new(0);
    let rule = FaultRule {
        runner: Some(2),
        job: Some(7),
        times: Some(0),
        ..FaultRule::on(Endpoint::Patch)
    };
    let id = engine.add(NOW, failing(rule)).unwrap();
    for (method, path, runner, expected) in [
        ("PATCH", "jobs/7/trace", Some(2), true),
        ("PATCH", "jobs/7/trace", Some(3), false),
        ("PATCH", "jobs/7/trace", None, false),
        ("PATCH", "jobs/8/trace", Some(2), false),
        ("PUT", "jobs/7", Some(2), false),
    ] {
        let request = request(method, path, runner);
        assert_eq!(
            engine.decide(NOW, request).is_some(),
            expected,
            "{request:?}"
        );
        let asks = engine.asks_for_runner(NOW, request.call);
        assert_eq!(asks, path == "jobs/7/trace");
    }
    let state = &engine.states()[0];
    assert_eq!((state.id, state.seen, state.hits), (id, 1, 1));
    assert!(engine.remove(id) && !engine.remove(id));
}

/// A rule with an end, and a restart.
#[test]
fn for_how_long() {
    let mut engine = FaultRules::new(0);
    let poll = request("POST", "jobs/request", None);
    let rule = FaultRule {
        for_ms: Some(1500),
        ..FaultRule::default()
    };
    engine.add(NOW, failing(rule)).unwrap();
    let after = |ms| NOW + SignedDuration::from_millis(ms);
    assert!(engine.decide(after(0), poll).is_some());
    assert!(engine.decide(after(1499), poll).is_some());
    assert!(engine.decide(after(1500), poll).is_none());
    assert!(!engine.is_active(after(1500)));
    engine.restart(after(2000), Duration::from_secs(5));
    assert_eq!(engine.decide(after(6999), poll), Some(Decision::Down));
    assert_eq!(engine.decide(after(7000), poll), None);
}

/// Chances come from the seed: the same for the same seed, and about as many as asked for.
#[test]
fn chances() {
    let run = |seed| {
        let mut engine = FaultRules::new(seed);
        let rule = FaultRule {
            probability: Some(0.25),
            ..FaultRule::default()
        };
        engine.add(NOW, failing(rule)).unwrap();
        hits(&mut engine, 4000)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    // Six standard deviations.
    assert!((836..=1164).contains(&run(1).len()), "{}", run(1).len());
}

/// Rules that cannot be are refused, with what is wrong.
#[test]
fn rules_that_cannot_be() {
    let base = FaultRule::default;
    for (rule, expected) in [
        (base(), "the rule does nothing"),
        (
            failing(FaultRule {
                nth: Some(0),
                ..base()
            }),
            "nth: is counted from 1",
        ),
        (
            failing(FaultRule {
                probability: Some(0.0),
                ..base()
            }),
            "probability: must be above 0",
        ),
        (
            FaultRule {
                status: Some(199),
                ..base()
            },
            "status: must be from 200",
        ),
        (
            FaultRule {
                body: "x".into(),
                latency_ms: Some(1),
                ..base()
            },
            "body: needs a status",
        ),
        (
            FaultRule {
                slow: Some(SlowBody {
                    bytes: 0,
                    every_ms: 1,
                }),
                ..base()
            },
            "slow: bytes must be",
        ),
        (
            FaultRule {
                headers: BTreeMap::from([("a b".into(), "c".into())]),
                ..base()
            },
            "headers: `a b`",
        ),
        (
            FaultRule {
                content_type: Some("a\nb".into()),
                ..base()
            },
            "headers: `Content-Type`",
        ),
        (
            failing(FaultRule {
                reset: Some(Reset::InBody),
                ..base()
            }),
            "reset and status exclude each other",
        ),
        (
            FaultRule {
                restart_ms: Some(1),
                truncate: Some(1),
                ..base()
            },
            "restart_ms and truncate exclude",
        ),
    ] {
        let error = FaultRules::new(0)
            .add(NOW, rule.clone())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{rule:?}: {error}");
    }
    let mut engine = FaultRules::new(0);
    for _ in 0..1000 {
        engine.add(NOW, failing(base())).unwrap();
    }
    assert_eq!(
        engine.add(NOW, failing(base())),
        Err(FaultError::TooMany(1000))
    );
}

/// Goal: a spent rule costs nothing: bodies are not read for its runner, and it makes room for a new rule,
/// the oldest first.
#[test]
fn spent_rules_are_as_good_as_gone() {
    let mut engine = FaultRules::new(0);
    let once = FaultRule {
        runner: Some(2),
        ..FaultRule::on(Endpoint::Poll)
    };
    let poll = request("POST", "jobs/request", Some(2));
    let first = engine.add(NOW, failing(once.clone())).unwrap();
    let second = engine.add(NOW, failing(once)).unwrap();
    assert!(engine.decide(NOW, poll).is_some());
    assert!(engine.states().iter().all(|state| state.is_spent(NOW)));
    assert!(!engine.asks_for_runner(NOW, poll.call));
    assert!(!engine.is_active(NOW));
    let endless = FaultRule {
        times: Some(0),
        ..FaultRule::on(Endpoint::Poll)
    };
    for _ in 0..998 {
        engine.add(NOW, failing(endless.clone())).unwrap();
    }
    let there = |engine: &FaultRules, id| engine.states().iter().any(|state| state.id == id);
    assert!(there(&engine, first));
    engine.add(NOW, failing(endless.clone())).unwrap();
    assert!(!there(&engine, first) && there(&engine, second));
    engine.add(NOW, failing(endless.clone())).unwrap();
    assert!(!there(&engine, second));
    let full = engine.add(NOW, failing(endless));
    assert_eq!(full, Err(FaultError::TooMany(1000)));
}

/// Goal: rules that went through JSON go on as the ones that they were taken from, chances included, and
/// what cannot be rules is refused.
#[test]
fn rules_are_kept() {
    let mut one = FaultRules::new(5);
    let chance = FaultRule {
        probability: Some(0.5),
        ..FaultRule::default()
    };
    one.add(NOW, failing(chance)).unwrap();
    one.restart(NOW, Duration::from_secs(1));
    let later = NOW + SignedDuration::from_secs(2);
    let poll = request("POST", "jobs/request", None);
    assert_eq!(one.decide(NOW, poll), Some(Decision::Down));
    let take = |rules: &FaultRules| serde_json::to_value(rules.snapshot()).unwrap();
    let read = |value| FaultRules::of_snapshot(serde_json::from_value(value).unwrap());
    let mut two = read(take(&one)).unwrap();
    assert_eq!(take(&two), take(&one));
    assert_eq!(two.decide(NOW, poll), Some(Decision::Down));
    for _ in 0..50 {
        assert_eq!(two.decide(later, poll), one.decide(later, poll));
    }
    assert_eq!(take(&two), take(&one));
    for (place, value) in [
        ("/rules/0/id", serde_json::json!(2)),
        ("/rules/0/id", serde_json::json!(0)),
        ("/rules/0/rule/status", serde_json::json!(42)),
        ("/random/word", serde_json::json!("x")),
    ] {
        let mut bad = take(&one);
        *bad.pointer_mut(place).unwrap() = value;
        assert!(read(bad).is_err(), "{place}");
    }
}

/// A server in the same process: project 1, runner 1, and job 1, which the runner has.
struct Process {
    world: Arc<Mutex<World>>,
    faults: Faults,
    router: axum::Router,
    token: String,
}

impl Process {
    fn new() -> Process {
        let mut world = World::new(Settings::default(), 0);
        world.add_project(NOW, NewProject::default()).unwrap();
        for token in ["glrt-one", "glrt-two"] {
            let runner = NewRunner {
                token: Some(token.to_owned()),
                ..NewRunner::default()
            };
            world.add_runner(NOW, runner).unwrap();
        }
        let job = NewJob::pending(1, Arc::new(JobDefinition::default()));
        world.add_job(NOW, job).unwrap();
        let poll = protocol::JobRequest {
            token: "glrt-one".to_owned(),
            ..protocol::JobRequest::default()
        };
        assert_eq!(world.request_job(NOW, &poll, "127.0.0.1").status(), 201);
        let token = world.job(1).unwrap().token().unwrap().to_owned();
        let world = Arc::new(Mutex::new(world));
        let start = tokio::time::Instant::now();
        let now: Now = Arc::new(move || NOW + SignedDuration::try_from(start.elapsed()).unwrap());
        Process {
            faults: Faults::new(Arc::clone(&world), Arc::clone(&now), 0),
            router: crate::http::Api::new(Arc::clone(&world), now).router(),
            world,
            token,
        }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        let router = self.router.clone();
        let serve = |request| async move {
            let Ok(answer) = router.oneshot(request).await;
            answer
        };
        self.faults.carry_out(request, serve).await
    }

    async fn patch(&self) -> Response {
        let request = Request::patch("/api/v4/jobs/1/trace")
            .header("job-token", &self.token)
            .header("content-range", "0-2");
        self.send(request.body(Body::from("abc")).unwrap()).await
    }

    async fn poll(&self, token: &str, form: bool) -> Response {
        let request = Request::post("/api/v4/jobs/request");
        let request = if form {
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("system_id=s&token={token}").into())
        } else {
            request
                .header("content-type", "application/json")
                .body(format!(r#"{{"token":"{token}"}}"#).into())
        };
        self.send(request.unwrap()).await
    }

    fn stored(&self) -> u64 {
        self.world.lock().unwrap().trace_size(1)
    }
}

fn is_reset(answer: &Response) -> bool {
    answer.extensions().get::<ConnectionReset>().is_some()
}

/// What the server has done by the time of a reset; afterwards it works again.
#[tokio::test(start_paused = true)]
async fn resets_in_process() {
    for (reset, stored) in [
        (Reset::BeforeBody, 0),
        (Reset::InBody, 0),
        (Reset::AfterBody, 0),
        (Reset::AfterAction, 3),
    ] {
        let server = Process::new();
        let rule = FaultRule {
            reset: Some(reset),
            ..FaultRule::on(Endpoint::Patch)
        };
        let id = server.faults.add(rule).unwrap();
        let answer = server.patch().await;
        assert!(is_reset(&answer), "{reset:?}");
        assert_eq!(answer.extensions().get(), Some(&Faulted(Some(id))));
        assert!(answer.into_body().collect().await.is_err());
        assert_eq!(server.stored(), stored, "{reset:?}");
        let answer = server.patch().await;
        assert_eq!(answer.status(), 202, "{reset:?}");
        assert_eq!(server.stored(), 3, "{reset:?}");
        assert_eq!(answer.extensions().get::<Faulted>(), None);
    }
}

/// Everything that an answer can suffer.
#[tokio::test(start_paused = true)]
async fn answers_in_process() {
    let server = Process::new();
    let faults = &server.faults;
    faults
        .add(FaultRule::storm(Endpoint::Patch, 2, 30))
        .unwrap();
    for _ in 0..2 {
        let answer = server.patch().await;
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()["retry-after"], "30");
    }
    assert_eq!(server.stored(), 0);
    let start = tokio::time::Instant::now();
    faults
        .add(FaultRule {
            latency_ms: Some(2500),
            headers: BTreeMap::from([("Job-Status".to_owned(), "canceled".to_owned())]),
            content_type: Some("text/html".to_owned()),
            date_skew_s: Some(-86_400),
            ..FaultRule::default()
        })
        .unwrap();
    let answer = server.patch().await;
    assert_eq!(start.elapsed(), Duration::from_millis(2500));
    assert_eq!(answer.status(), 202);
    for (name, value) in [
        ("job-status", "canceled"),
        ("content-type", "text/html"),
        ("date", "Mon, 13 Nov 2023 22:13:22 GMT"),
        ("range", "0-3"),
    ] {
        assert_eq!(answer.headers()[name], value, "{name}");
    }
    faults
        .add(FaultRule {
            truncate: Some(4),
            slow: Some(SlowBody {
                bytes: 3,
                every_ms: 1000,
            }),
            status: Some(200),
            body: "0123456789".to_owned(),
            ..FaultRule::default()
        })
        .unwrap();
    let mut body = server.patch().await.into_body();
    let start = tokio::time::Instant::now();
    let mut parts = Vec::new();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => parts.push((start.elapsed().as_secs(), frame.into_data().unwrap())),
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(parts, [(1, "012".into()), (2, "3".into())]);
    assert!(error.contains("end of file"), "{error}");
}

/// A rule by runner finds the token in the body, whatever its form, and in the job.
#[tokio::test(start_paused = true)]
async fn runners_in_process() {
    let server = Process::new();
    let rule = FaultRule {
        runner: Some(1),
        times: Some(0),
        ..FaultRule::default()
    };
    server.faults.add(failing(rule)).unwrap();
    for form in [false, true] {
        assert_eq!(server.poll("glrt-one", form).await.status(), 500);
        assert_eq!(server.poll("glrt-two", form).await.status(), 204);
        assert_eq!(server.poll("glrt-none", form).await.status(), 403);
    }
    assert_eq!(server.patch().await.status(), 500);
}

/// A restart resets what is under way, and everything until it is over.
#[tokio::test(start_paused = true)]
async fn a_restart_in_process() {
    let server = Process::new();
    let slow = FaultRule {
        latency_ms: Some(60_000),
        ..FaultRule::on(Endpoint::Poll)
    };
    server.faults.add(slow).unwrap();
    let restart = FaultRule {
        latency_ms: Some(1000),
        restart_ms: Some(5000),
        ..FaultRule::on(Endpoint::Patch)
    };
    server.faults.add(restart).unwrap();
    let start = tokio::time::Instant::now();
    let (poll, patch) = tokio::join!(server.poll("glrt-one", false), server.patch());
    assert!(is_reset(&poll) && is_reset(&patch));
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(4999)).await;
    let answer = server.patch().await;
    assert!(is_reset(&answer));
    assert_eq!(answer.extensions().get(), Some(&Faulted(None)));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(server.patch().await.status(), 202);
}
