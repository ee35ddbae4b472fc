//! A manager that takes one job after the other, in virtual time: what its memory does over many of them.
//!
//! The server is a function that keeps nothing but counts, so what grows is the runner's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use protocol::Features;
use runner::client::transport::BoxFuture;
use runner::client::{Transport, TransportError};
use runner::clock::{SystemClock, TokioClock};
use runner::executor::scripted::{ScriptedExecutor, ScriptedJob, ScriptedStage, StageEnd};
use runner::executor::{Executor, ExecutorError};
use runner::host::{self, Host};
use runner::logging::Log;
use runner::random::Random;
use runner::schedule::{
    ExecutorInfo, ExecutorProvider, ExecutorRequest, Manager, ManagerOptions, MemoryConfig, Signal,
    SpoolKind, TransportFactory, TransportTarget,
};
use serde_json::json;
use tokio::sync::mpsc;
use tracing::instrument::WithSubscriber as _;

use crate::load::LoadError;
use crate::process::own_resident_bytes;

/// Jobs that run at the same time.
const CONCURRENT: usize = 8;
/// Projects that the jobs belong to, by turns.
const PROJECTS: i64 = 1000;

/// Resident memory of this process, early and late; `None` where it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// After a tenth.
    pub early: u64,
    /// At the end.
    pub late: u64,
}

impl Growth {
    /// How much more it is at the end.
    pub fn bytes(self) -> u64 {
        self.late.saturating_sub(self.early)
    }
}

#[derive(Debug, Default)]
struct Counts {
    given: i64,
    ended: i64,
    /// Bytes of log that came.
    log_bytes: u64,
    early: Option<u64>,
    late: Option<u64>,
}

/// The server.
#[derive(Clone)]
struct Stream {
    jobs: i64,
    counts: Arc<Mutex<Counts>>,
    stop: mpsc::Sender<Signal>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Stream {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, http::Error> {
        let body = request.body();
        match *request.method() {
            Method::POST => self.poll(),
            Method::PATCH => {
                self.counts().log_bytes += body.len() as u64;
                Response::builder().status(202).body(Bytes::new())
            }
            _ => {
                let update: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                if update["state"] != "running" {
                    self.ended();
                }
                Response::builder().status(200).body(Bytes::new())
            }
        }
    }

    fn poll(&self) -> Result<Response<Bytes>, http::Error> {
        let mut counts = self.counts();
        if counts.given == self.jobs {
            return Response::builder().status(204).body(Bytes::new());
        }
        counts.given += 1;
        Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .body(payload(counts.given).into())
    }

    fn ended(&self) {
        let mut counts = self.counts();
        counts.ended += 1;
        if counts.ended == self.jobs / 10 {
            counts.early = own_resident_bytes();
        }
        if counts.ended == self.jobs {
            counts.late = own_resident_bytes();
            // It listens until it ends.
            let _ = self.stop.try_send(Signal::Quit);
        }
    }
}

/// Jobs that differ in all that a runner could keep.
fn payload(id: i64) -> String {
    let variables: Vec<_> = (0..5)
        .map(|n| json!({"key": format!("KEY_{n}"), "value": format!("value {n} of job {id}"), "masked": n == 0}))
        .collect();
    let payload = json!({
        "id": id,
        "token": format!("glcbt-64_{id:020}"),
        "job_info": {
            "name": format!("job {id}"),
            "project_id": id % PROJECTS,
            "project_name": format!("project {}", id % PROJECTS),
        },
        "git_info": {"repo_url": format!("http://gitlab.test/group/{id}.git"), "sha": format!("{id:040x}")},
        "runner_info": {"timeout": 3600},
        "variables": variables,
        "steps": [{"name": "script", "script": [format!("make {id}")]}],
        "features": {"trace_sections": true},
    });
    payload.to_string()
}

impl Transport for Stream {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            self.answer(&request).map_err(|error| TransportError {
                message: error.to_string(),
            })
        })
    }
}

impl TransportFactory for Stream {
    fn transport(&self, _: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError> {
        Ok(Arc::new(self.clone()))
    }
}

/// Plays jobs: most go well, some fail by their script, some because of the machine.
#[derive(Debug)]
struct Plays;

impl ExecutorProvider for Plays {
    fn info(&self, name: &str) -> Option<ExecutorInfo> {
        (name == "shell").then(|| ExecutorInfo {
            features: Features::shell_executor(),
            default_shell: "bash",
        })
    }

    fn executor(&self, request: ExecutorRequest<'_>) -> Option<Box<dyn Executor>> {
        let id = request.payload.id.get();
        let duration = Duration::from_secs(5);
        let end = match id % 10 {
            3 => StageEnd::After {
                duration,
                exit_code: 1,
            },
            7 => StageEnd::Error {
                duration,
                error: ExecutorError::system(format!("the machine of job {id} is gone")),
            },
            _ => StageEnd::After {
                duration,
                exit_code: 0,
            },
        };
        let stage = ScriptedStage {
            end,
            ..ScriptedStage::default()
        };
        let stage = (0..10).fold(stage, |stage, line| {
            stage.with_line(
                Duration::from_millis(400 * line),
                "a line of the job's output",
            )
        });
        let plan = ScriptedJob::default().with_stage("step_script", stage);
        Some(Box::new(ScriptedExecutor::new(plan)))
    }
}

/// Lets a manager take `jobs` jobs, and gives its memory; `None` where it cannot be read.
///
/// # Errors
///
/// When the manager does not end well, or jobs got lost.
pub fn play(jobs: i64) -> Result<Option<Growth>, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let (stop, signals) = mpsc::channel(4);
        let stream = Stream {
            jobs,
            counts: Arc::default(),
            stop,
        };
        let log = Log::new(
            Arc::new(Mutex::new(std::io::sink())),
            Arc::new(SystemClock),
        );
        let dispatch = log.dispatch();
        let config = format!(
            "concurrent = {CONCURRENT}\n[[runners]]\nname = \"main\"\nurl = \"http://gitlab.test\"\ntoken = \"glrt-t3_AbCdEfGhIjKlMnOpQrSt\"\nexecutor = \"shell\"\nrequest_concurrency = {CONCURRENT}\n"
        );
        let manager = Manager::new(
            ManagerOptions {
                config: Arc::new(MemoryConfig::new(config)),
                transports: Arc::new(stream.clone()),
                executors: Arc::new(Plays),
                clock: Arc::new(TokioClock::starting_at("2026-01-01T00:00:00Z".parse()?)),
                random: Random::from_seed(1),
                host: Host {
                    hostname: "bench".to_owned(),
                    platform: host::platform(),
                    architecture: host::architecture(),
                    working_directory: "/srv".into(),
                    executable: "/usr/bin/gitlab-runner".into(),
                    system_id: "s_0123456789ab".to_owned(),
                },
                spool: SpoolKind::File,
                log,
            },
            signals,
        );
        let end = manager.run().with_subscriber(dispatch).await;
        let counts = stream.counts();
        let seen = BTreeMap::from([("given", counts.given), ("ended", counts.ended)]);
        if end.code() != 0 || seen.values().any(|count| *count != jobs) {
            return Err(format!("exit code {}, of {jobs} jobs {seen:?}", end.code()).into());
        }
        // Ten lines each, with the lines of the runner.
        if counts.log_bytes < jobs as u64 * 1000 {
            return Err(format!("only {} bytes of {jobs} logs", counts.log_bytes).into());
        }
        let growth = counts.early.zip(counts.late);
        Ok(growth.map(|(early, late)| Growth { early, late }))
    })
}
