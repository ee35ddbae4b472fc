//! A server to call: its world, its time, and requests as functions.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use mock_gitlab::http::{Api, Peer};
use mock_gitlab::world::{
    JobDefinition, JobId, NewPipeline, NewPipelineJob, NewProject, NewRunner, ProjectId, Settings,
    World,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Token of the runner that every server has.
pub(crate) const RUNNER: &str = "glrt-t1_aBcDeFgHiJkLmNoPqRsT";
/// Token of the administrator.
pub(crate) const PAT: &str = "glpat-aBcDeFgHiJkLmNoPqRsT";
/// Registration token of the instance.
pub(crate) const REGISTRATION: &str = "GR1348941aBcDeFgHiJkLmNoPqRs";
/// What workhorse signs with.
pub(crate) const WORKHORSE_SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Address that calls come from.
pub(crate) const PEER: &str = "192.0.2.7";

/// A server with the project `root/demo` (1), an instance runner (1) and an administrator's token.
pub(crate) struct Server {
    world: Arc<Mutex<World>>,
    now: Arc<Mutex<Timestamp>>,
    router: Router,
    pub(crate) project: ProjectId,
}

impl Server {
    pub(crate) fn new() -> Server {
        Server::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Server {
        let start = Timestamp::constant(1_700_000_040, 0);
        let mut world = World::new(settings, 7);
        world.set_instance_registration_token(REGISTRATION);
        world
            .add_personal_access_token(1, Some(PAT))
            .expect("root is there");
        let project = world
            .add_project(start, NewProject::default())
            .expect("a fresh world has room");
        world
            .add_runner(
                start,
                NewRunner {
                    token: Some(RUNNER.to_owned()),
                    ..NewRunner::default()
                },
            )
            .expect("the runner is valid");
        let world = Arc::new(Mutex::new(world));
        let now = Arc::new(Mutex::new(start));
        let clock = Arc::clone(&now);
        let router = Api::new(
            Arc::clone(&world),
            Arc::new(move || *clock.lock().expect("the clock")),
        )
        .workhorse_secret(WORKHORSE_SECRET)
        .router();
        Server {
            world,
            now,
            router,
            project,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test panics in the world")
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().expect("the clock")
    }

    /// Lets `seconds` pass.
    pub(crate) fn pass(&self, seconds: i64) {
        let mut now = self.now.lock().expect("the clock");
        *now += SignedDuration::from_secs(seconds);
    }

    /// Adds a pipeline of jobs, in the order of their ids.
    pub(crate) fn pipeline(&self, jobs: Vec<JobDefinition>) -> Vec<JobId> {
        let now = self.now();
        let mut world = self.world();
        let id = world
            .add_pipeline(
                now,
                NewPipeline {
                    project: self.project,
                    jobs: jobs
                        .into_iter()
                        .map(|definition| NewPipelineJob {
                            id: None,
                            definition: Arc::new(definition),
                        })
                        .collect(),
                    ..NewPipeline::default()
                },
            )
            .expect("the jobs are valid");
        world.pipeline(id).expect("just made").jobs.clone()
    }

    /// Adds a job and gives it to the runner; its id and token.
    pub(crate) async fn running(&self, definition: JobDefinition) -> Job {
        self.pipeline(vec![definition]);
        let answer = self.poll().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let payload = answer.json();
        Job {
            id: payload["id"].as_i64().expect("an id"),
            token: payload["token"].as_str().expect("a token").to_owned(),
        }
    }

    /// A poll of a runner that can do everything.
    pub(crate) async fn poll(&self) -> Answer {
        self.post("/jobs/request")
            .json(json!({ "token": RUNNER, "system_id": "s_1", "info": info() }))
            .await
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call {
            router: self.router(),
            method: method.to_owned(),
            path: format!("/api/v4{path}"),
            headers: Vec::new(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    pub(crate) fn put(&self, job: &Job) -> Call {
        self.call("PUT", &format!("/jobs/{}", job.id))
    }

    /// A trace patch with the job's token.
    pub(crate) async fn patch(&self, job: &Job, range: &str, body: &[u8]) -> Answer {
        self.call("PATCH", &format!("/jobs/{}/trace", job.id))
            .header("JOB-TOKEN", &job.token)
            .header("Content-Range", range)
            .bytes("text/plain", body)
            .await
    }

    /// Uploads one file, as a runner does.
    pub(crate) async fn upload(&self, job: &Job, query: &str, file: &[u8]) -> Answer {
        self.post(&format!("/jobs/{}/artifacts?{query}", job.id))
            .header("JOB-TOKEN", &job.token)
            .bytes(
                &format!("multipart/form-data; boundary={BOUNDARY}"),
                &form("file", Some("artifacts.zip"), file),
            )
            .await
    }

    /// `PUT` with a state and whatever else.
    pub(crate) async fn update(&self, job: &Job, state: &str, more: Value) -> Answer {
        let mut body = more;
        body["token"] = Value::from(job.token.as_str());
        body["state"] = Value::from(state);
        self.put(job).json(body).await
    }
}

/// Boundary of the forms here.
pub(crate) const BOUNDARY: &str = "0f1e2d3c4b5a";

/// A form of one field, the bytes of wire.md 6.1.
pub(crate) fn form(name: &str, filename: Option<&str>, content: &[u8]) -> Vec<u8> {
    let filename = filename.map_or_else(String::new, |name| format!("; filename=\"{name}\""));
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// What a job of a runner is.
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) token: String,
}

/// `info` of a runner that can do everything.
pub(crate) fn info() -> Value {
    json!({
        "name": "gitlab-runner", "version": "19.4.0", "revision": "d79f3e7b",
        "platform": "linux", "architecture": "amd64", "executor": "shell", "shell": "bash",
        "features": {
            "variables": true, "artifacts": true, "cache": true, "upload_multiple_artifacts": true,
            "upload_raw_artifacts": true, "refspecs": true, "artifacts_exclude": true,
            "multi_build_steps": true, "return_exit_code": true, "fallback_cache_keys": true,
            "cancelable": true, "cancel_gracefully": true, "two_phase_job_commit": true,
        },
        "config": { "gpus": "all", "other": "not stored" },
        "labels": { "zone": "eu-1" },
    })
}

/// A request in the making.
pub(crate) struct Call {
    router: Router,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Goes to this path instead, which is not below `/api/v4`.
    pub(crate) fn outside_of_the_api(mut self, path: &str) -> Call {
        path.clone_into(&mut self.path);
        self
    }

    /// Sends it without a body.
    pub(crate) async fn send(self) -> Answer {
        self.with(Body::empty()).await
    }

    pub(crate) async fn json(self, body: Value) -> Answer {
        let body = Body::from(body.to_string());
        self.header("Content-Type", "application/json")
            .with(body)
            .await
    }

    pub(crate) async fn form(self, body: &str) -> Answer {
        let body = Body::from(body.to_owned());
        self.header("Content-Type", "application/x-www-form-urlencoded")
            .with(body)
            .await
    }

    pub(crate) fn bytes(
        self,
        content_type: &str,
        body: &[u8],
    ) -> impl Future<Output = Answer> + use<> {
        let body = Body::from(body.to_vec());
        self.header("Content-Type", content_type).with(body)
    }

    async fn with(self, body: Body) -> Answer {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(body).expect("a valid request");
        request.extensions_mut().insert(Peer::new(PEER));
        let Ok(response) = self.router.oneshot(request).await;
        let (head, body) = response.into_parts();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a text"))
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Status and body at once, for tables.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &Value) {
        assert_eq!((self.status, &self.json()), (status, body));
    }
}
