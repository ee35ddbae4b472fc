//! `POST /jobs/request` without its payload (wire.md 3.7).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use mock_gitlab::clock::ServerClock;
use mock_gitlab::http::Api;
use mock_gitlab::world::{JobDefinition, NewJob, NewProject, NewRunner, Settings, World};
use protocol::JobStatus;
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::support::{PEER, RUNNER, Server, info};

/// Proves WIRE-REQ-04.
#[tokio::test]
async fn only_an_empty_answer_carries_last_update() {
    let server = Server::new();
    let none = server.poll().await;
    assert_eq!((none.status, none.body.len()), (204, 0));
    let value = none.header("x-gitlab-last-update").to_owned();
    assert!(!value.is_empty());
    let same = server
        .post("/jobs/request")
        .json(json!({ "token": RUNNER, "last_update": value }))
        .await;
    assert_eq!(
        (same.status, same.header("x-gitlab-last-update")),
        (204, &*value)
    );
    server.pipeline(vec![JobDefinition::default()]);
    let job = server.poll().await;
    assert_eq!(
        (job.status, job.header("content-type")),
        (201, "application/json")
    );
    assert_eq!(job.header("x-gitlab-last-update"), "");
    // The next job is being examined by another poll, so this one is told to come again.
    let next = server.pipeline(vec![JobDefinition::default()])[0];
    let now = server.now();
    let request = protocol::JobRequest {
        token: RUNNER.to_owned(),
        ..protocol::JobRequest::default()
    };
    let first = server.world().begin_request(now, &request, PEER);
    assert_eq!(server.poll().await.json()["id"], next);
    let second = server.world().finish_request(now, first);
    assert_eq!(second.status(), 409);
}

/// Proves WIRE-REQ-05.
#[tokio::test]
async fn who_may_poll() {
    let server = Server::new();
    server
        .post("/jobs/request")
        .json(json!({ "info": info() }))
        .await
        .is(400, &json!({ "error": "token is missing" }));
    server
        .post("/jobs/request")
        .json(json!({ "token": "glrt-unknown" }))
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
}

/// Proves WIRE-REQ-06.
#[tokio::test]
async fn a_machine_is_remembered() {
    let server = Server::new();
    server.poll().await;
    let world = server.world();
    let machine = &world.runner(1).unwrap().managers["s_1"];
    assert_eq!(
        [
            &machine.version,
            &machine.revision,
            &machine.platform,
            &machine.architecture,
            &machine.executor,
            &machine.gpus,
            &machine.ip_address,
        ],
        ["19.4.0", "d79f3e7b", "linux", "amd64", "shell", "all", PEER]
    );
    assert_eq!(machine.labels["zone"], "eu-1");
    assert!(machine.features.cancel_gracefully && !machine.features.terminal);
    assert!(
        !serde_json::to_string(machine)
            .unwrap()
            .contains("not stored")
    );
}

/// A poll with the current value is held until there may be a job, and answered 204 without a value; the
/// next one gets the job (queueing.md 7).
#[tokio::test(start_paused = true)]
async fn long_polling() {
    let server = Server::with(Settings {
        api_ci_long_polling_duration_s: 50,
        ..Settings::default()
    });
    let none = server.poll().await;
    let value = none.header("x-gitlab-last-update").to_owned();
    let poll = |last_update: &str| {
        server
            .post("/jobs/request")
            .json(json!({ "token": RUNNER, "last_update": last_update }))
    };
    let heard = server.world().runner(1).unwrap().contacted_at;
    server.pass(10);
    let start = Instant::now();
    // The time is up.
    let held = poll(&value).await;
    assert_eq!(
        (held.status, held.header("x-gitlab-last-update")),
        (204, "")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(50));
    assert_eq!(server.world().runner(1).unwrap().contacted_at, heard);
    // A job comes; a job that the runner cannot take does not count.
    let start = Instant::now();
    let (held, ()) = tokio::join!(poll(&value), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.pipeline(vec![JobDefinition {
            tags: vec!["other".to_owned()],
            ..JobDefinition::default()
        }]);
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.pipeline(vec![JobDefinition::default()]);
    });
    assert_eq!(
        (held.status, held.header("x-gitlab-last-update")),
        (204, "")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert_eq!(poll(&value).await.status, 201);
    // Another value, none at all, or a form: not held.
    let start = Instant::now();
    assert_eq!(poll("other").await.status, 204);
    assert_eq!(server.poll().await.status, 204);
    let current = server
        .poll()
        .await
        .header("x-gitlab-last-update")
        .to_owned();
    let form = format!("token={RUNNER}&last_update={current}");
    let form = server.post("/jobs/request").form(&form).await;
    assert_eq!(
        (form.status, form.header("x-gitlab-last-update")),
        (204, &*current)
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Goal: a held poll goes by the server's clock: it is answered at once when the clock passes its end, and when
/// the clock brings a job. Nothing is waited for by the machine's clock, which stands still here.
#[tokio::test(start_paused = true)]
async fn held_polls_go_by_the_clock() {
    let clock = ServerClock::default();
    let settings = Settings {
        api_ci_long_polling_duration_s: 50,
        ..Settings::default()
    };
    let mut world = World::new(settings, 7);
    let project = world.add_project(clock.now(), NewProject::default());
    let project = project.unwrap();
    let runner = NewRunner {
        token: Some(RUNNER.to_owned()),
        ..NewRunner::default()
    };
    world.add_runner(clock.now(), runner).unwrap();
    let world = Arc::new(Mutex::new(world));
    let time = clock.clone();
    let router = Api::new(Arc::clone(&world), Arc::new(move || time.now()))
        .clock(clock.clone())
        .router();
    let poll = async |last_update: &str| {
        let body = json!({ "token": RUNNER, "last_update": last_update }).to_string();
        let request = Request::post("/api/v4/jobs/request")
            .header("content-type", "application/json")
            .body(Body::from(body));
        let Ok(answer) = router.clone().oneshot(request.unwrap()).await;
        let value = answer.headers().get("x-gitlab-last-update").cloned();
        let value = value.map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), value)
    };
    let (_, value) = poll("").await;
    let value = value.unwrap();
    let start = Instant::now();
    let (answer, ()) = tokio::join!(poll(&value), async {
        for seconds in [20, 20, 10] {
            assert!(clock.advance(Duration::from_secs(seconds)));
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(answer, (204, None));
    assert!(start.elapsed() < Duration::from_secs(1));
    // A clock that goes back does not make a poll longer.
    let (answer, ()) = tokio::join!(poll(&value), async { clock.reset() });
    assert_eq!(answer, (204, None));
    let held = start.elapsed();
    let about = Duration::from_secs(50)..Duration::from_secs(51);
    assert!(about.contains(&held), "{held:?}");
    let definition = Arc::new(JobDefinition {
        start_in: 30,
        ..JobDefinition::default()
    });
    let new = NewJob {
        status: JobStatus::Scheduled,
        ..NewJob::pending(project, definition)
    };
    let job = world.lock().unwrap().add_job(clock.now(), new).unwrap();
    let start = Instant::now();
    let (answer, ()) = tokio::join!(poll(&value), async {
        assert!(clock.advance(Duration::from_secs(31)));
        world.lock().unwrap().tick(clock.now());
    });
    assert_eq!(answer, (204, None));
    assert!(start.elapsed() < Duration::from_secs(1));
    let status = world.lock().unwrap().job(job).unwrap().status;
    assert_eq!(status, JobStatus::Pending);
    assert_eq!(poll(&value).await.0, 201);
}
