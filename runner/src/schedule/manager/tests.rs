//! Order and time of a manager on a paused clock: a scripted server answers, scripted executors work.

mod metrics;
mod stops;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use protocol::{Features, JobPayload};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Manager, ManagerOptions, SpoolKind};
use crate::client::transport::BoxFuture;
use crate::client::{Transport, TransportError};
use crate::clock::TokioClock;
use crate::executor::Executor;
use crate::executor::scripted::{ScriptedExecutor, ScriptedJob};
use crate::host::Host;
use crate::logging::Log;
use crate::random::Random;
use crate::schedule::{
    ExecutorInfo, ExecutorProvider, ExecutorRequest, ExitReason, MemoryConfig, Signal,
    TransportFactory, TransportTarget,
};

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// Tenths of a second since the start.
    pub(super) at: u64,
    method: Method,
    pub(super) path: String,
    pub(super) body: Value,
}

/// Answers polls from a list, and everything else well.
#[derive(Clone, Debug)]
pub(super) struct Server {
    start: Instant,
    polls: Arc<Mutex<Vec<(u16, Value)>>>,
    /// How long a poll takes.
    hold: Duration,
    /// Answers to token resets, in order; then 403.
    pub(super) resets: Arc<Mutex<Vec<(u16, Value)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(super) fn new(polls: Vec<(u16, Value)>) -> Server {
        Server {
            start: Instant::now(),
            polls: Arc::new(Mutex::new(polls)),
            hold: Duration::ZERO,
            resets: Arc::default(),
            seen: Arc::default(),
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Times of polls by token.
    pub(super) fn polls(&self) -> BTreeMap<String, Vec<u64>> {
        let mut polls: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for seen in self.seen() {
            if seen.path.ends_with("/jobs/request") {
                let token = seen.body["token"].as_str().unwrap_or_default().to_owned();
                polls.entry(token).or_default().push(seen.at);
            }
        }
        polls
    }

    /// Updates of jobs: time, path, state, reason.
    pub(super) fn updates(&self) -> Vec<(u64, String, String)> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.method == Method::PUT)
            .map(|seen| {
                let text = |name: &str| seen.body[name].as_str().unwrap_or_default().to_owned();
                let id = seen.path.rsplit('/').next().unwrap_or_default().to_owned();
                (
                    seen.at,
                    id,
                    format!("{} {}", text("state"), text("failure_reason"))
                        .trim()
                        .to_owned(),
                )
            })
            .collect()
    }
}

impl Transport for Server {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            self.seen.lock().unwrap().push(Seen {
                at: (self.start.elapsed().as_millis() / 100) as u64,
                method: request.method().clone(),
                path: path.clone(),
                body: serde_json::from_slice(request.body()).unwrap_or(Value::Null),
            });
            let (status, body) = if path.ends_with("/jobs/request") {
                tokio::time::sleep(self.hold).await;
                let mut polls = self.polls.lock().unwrap();
                if polls.is_empty() {
                    (204, Value::Null)
                } else {
                    polls.remove(0)
                }
            } else if path.ends_with("/reset_authentication_token") {
                let mut resets = self.resets.lock().unwrap();
                if resets.is_empty() {
                    (403, Value::Null)
                } else {
                    resets.remove(0)
                }
            } else if request.method() == Method::PATCH {
                (202, Value::Null)
            } else {
                (200, json!("200"))
            };
            let bytes = if body.is_null() {
                Bytes::new()
            } else {
                body.to_string().into()
            };
            Ok(Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(bytes)
                .unwrap())
        })
    }
}

impl TransportFactory for Server {
    fn transport(&self, _: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError> {
        Ok(Arc::new(self.clone()))
    }
}

/// Every job lasts the seconds that its name says.
#[derive(Debug)]
struct Scripted;

impl ExecutorProvider for Scripted {
    fn info(&self, name: &str) -> Option<ExecutorInfo> {
        (name == "shell").then(|| ExecutorInfo {
            features: Features::shell_executor(),
            default_shell: "bash",
        })
    }

    fn executor(&self, request: ExecutorRequest<'_>) -> Option<Box<dyn Executor>> {
        let payload: &JobPayload = request.payload;
        let name = payload.job_info.get().name.get();
        if let Some(delay) = name.strip_prefix("stubborn ") {
            let job = stubborn(Duration::from_secs(delay.parse().unwrap_or(1)));
            return Some(Box::new(ScriptedExecutor::new(job)));
        }
        if name == "fails" || request.entry.name == "broken" {
            return Some(Box::new(ScriptedExecutor::new(metrics::failing())));
        }
        let seconds = name.parse().unwrap_or(1.0);
        let job = ScriptedJob::lasting(Duration::from_secs_f64(seconds), 0);
        Some(Box::new(ScriptedExecutor::new(job)))
    }
}

/// A long job that takes so long to stop when it is told to.
fn stubborn(stop_delay: Duration) -> ScriptedJob {
    let mut job = ScriptedJob::lasting(Duration::from_hours(1), 0);
    for stage in job.stages.values_mut().flatten() {
        stage.stop_delay = stop_delay;
    }
    job
}

pub(super) fn job(id: i64, seconds: &str) -> (u16, Value) {
    let payload = json!({
        "id": id, "token": format!("job-{id}"),
        "job_info": {"name": seconds, "project_id": 1},
        "git_info": {"repo_url": "http://h/g/p.git", "sha": "1111111111111111111111111111111111111111"},
        "runner_info": {"timeout": 3600},
        "variables": [{"key": "GIT_STRATEGY", "value": "none", "public": true, "masked": false}],
        "steps": [{"name": "script", "script": ["true"]}],
        "features": {"trace_sections": true, "failure_reasons": ["runner_interrupted", "runner_system_failure"]},
    });
    (201, payload)
}

pub(super) struct Run {
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) config: MemoryConfig,
    pub(super) end: tokio::task::JoinHandle<ExitReason>,
}

pub(super) fn options(server: &Server) -> ManagerOptions {
    let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
    ManagerOptions {
        config: Arc::new(MemoryConfig::new("")),
        transports: Arc::new(server.clone()),
        executors: Arc::new(Scripted),
        clock: clock.clone(),
        random: Random::from_seed(7),
        host: Host {
            hostname: "vm".to_owned(),
            platform: "linux",
            architecture: "amd64",
            working_directory: "/srv".into(),
            executable: "/usr/bin/gitlab-runner".into(),
            system_id: "s_0123456789ab".to_owned(),
        },
        spool: SpoolKind::Memory,
        log: Log::new(Arc::new(Mutex::new(std::io::sink())), clock),
    }
}

pub(super) fn start(server: &Server, config: &str) -> Run {
    let (signals, receiver) = mpsc::channel(4);
    let config = MemoryConfig::new(config);
    let options = ManagerOptions {
        config: Arc::new(config.clone()),
        ..options(server)
    };
    Run {
        signals,
        config,
        end: tokio::spawn(Manager::new(options, receiver).run()),
    }
}

impl Run {
    /// Lets `seconds` pass, sends `signal`, waits for the end.
    pub(super) async fn after(self, seconds: u64, signal: Signal) -> ExitReason {
        self.after_tenths(seconds * 10, signal).await
    }

    async fn after_tenths(self, tenths: u64, signal: Signal) -> ExitReason {
        tokio::time::sleep(Duration::from_millis(tenths * 100)).await;
        self.signals.send(signal).await.unwrap();
        self.end.await.unwrap()
    }
}

pub(super) fn entries(count: usize, more: &str) -> String {
    let entries: Vec<String> = (0..count)
        .map(|i| {
            format!(
                "[[runners]]\nname='r{i}'\nurl='http://h'\ntoken='t{i}'\nexecutor='shell'\n{more}\n"
            )
        })
        .collect();
    entries.concat()
}

/// Each entry is polled once in a check interval, the pause between entries is interval / entries.
///
/// Proves RUN-SCH-03.
#[tokio::test(start_paused = true)]
async fn polls_are_spread_over_the_interval() {
    for (count, expected) in [
        (1, vec![vec![0, 30, 60, 90]]),
        (2, vec![vec![0, 30, 60, 90], vec![15, 45, 75]]),
        (
            3,
            vec![vec![0, 30, 60, 90], vec![10, 40, 70], vec![20, 50, 80]],
        ),
    ] {
        let server = Server::new(Vec::new());
        let run = start(&server, &format!("concurrent = 4\n{}", entries(count, "")));
        assert_eq!(
            run.after_tenths(95, Signal::Quit).await,
            ExitReason::Finished
        );
        assert_eq!(
            server.polls().into_values().collect::<Vec<_>>(),
            expected,
            "{count} entries"
        );
    }
}

/// With one worker, a running job stops all polls, and its end lets the blocked feeder go on at once.
///
/// Proves RUN-SCH-01, RUN-SCH-04.
#[tokio::test(start_paused = true)]
async fn no_poll_while_all_workers_are_busy() {
    let server = Server::new(vec![job(1, "10"), job(2, "1")]);
    let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
    assert_eq!(run.after(20, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(server.polls()["t0"], [0, 100, 130, 160, 190]);
}

/// A job that came makes the entry poll again at once if a worker is idle, unless the entry says no.
///
/// Proves RUN-SCH-06.
#[tokio::test(start_paused = true)]
async fn a_job_is_followed_by_a_poll_at_once() {
    let jobs = || (1..=3).map(|id| job(id, "30")).collect();
    let server = Server::new(jobs());
    let run = start(&server, &format!("concurrent = 4\n{}", entries(1, "")));
    assert_eq!(run.after(7, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(server.polls()["t0"], [0, 0, 0, 0, 30, 60]);

    let server = Server::new(jobs());
    let strict = entries(1, "strict_check_interval = true");
    let run = start(&server, &format!("concurrent = 4\n{strict}"));
    assert_eq!(run.after(7, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(server.polls()["t0"], [0, 30, 60]);
}

/// `limit` counts jobs and pending requests.
///
/// Proves RUN-SCH-02.
#[tokio::test(start_paused = true)]
async fn the_limit_of_an_entry_holds() {
    let server = Server::new((1..=3).map(|id| job(id, "10")).collect());
    let run = start(
        &server,
        &format!("concurrent = 4\n{}", entries(1, "limit = 1")),
    );
    assert_eq!(run.after(13, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(server.polls()["t0"], [0, 120]);
}

/// Three 403 disable an entry; after `unhealthy_interval` as many requests follow.
///
/// Proves RUN-SCH-09, RUN-SCH-16.
#[tokio::test(start_paused = true)]
async fn an_unhealthy_entry_is_left_alone() {
    let server = Server::new(
        (0..99)
            .map(|_| (403, json!({"message": "403 Forbidden"})))
            .collect(),
    );
    let config = entries(1, "unhealthy_interval = '8s'");
    let run = start(&server, &format!("concurrent = 1\n{config}"));
    assert_eq!(run.after(25, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(
        server.polls()["t0"],
        [0, 30, 60, 90, 120, 150, 180, 210, 240]
    );
}

/// Answers that are the server's trouble, not the token's, keep an entry healthy.
///
/// Proves RUN-SCH-10.
#[tokio::test(start_paused = true)]
async fn trouble_of_the_server_is_not_unhealthy() {
    let server = Server::new(
        [404, 401, 409, 422, 501, 400, 410]
            .map(|status| (status, json!({})))
            .to_vec(),
    );
    let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
    assert_eq!(run.after(19, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(server.polls()["t0"], [0, 30, 60, 90, 120, 150, 180]);
}

/// The first update comes before anything else of a job, and a canceling answer ends it unrun.
///
/// Proves RUN-SCH-13, WIRE-PAY-15.
#[tokio::test(start_paused = true)]
async fn a_job_with_odd_options_is_refused() {
    let (status, mut payload) = job(1, "5");
    payload["image"] =
        json!({"name": "x", "executor_opts": {"podman": {}, "docker": {"bogus": 1, "user": 5}}});
    let server = Server::new(vec![(status, payload)]);
    let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
    assert_eq!(run.after(2, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(
        server.updates(),
        [(0, "1".to_owned(), "failed runner_system_failure".to_owned())]
    );
    let update = server
        .seen()
        .into_iter()
        .find(|seen| seen.method == Method::PUT)
        .unwrap();
    assert_eq!(update.body["exit_code"], 3);
    // The recorded log of such a job has 197 bytes.
    assert_eq!(update.body["output"]["bytesize"], 197);
}

/// A 201 that cannot be read but shows its job ends that job for the server.
#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_read_is_failed() {
    let (status, mut payload) = job(1, "5");
    payload["image"] = json!({"name": "x", "entrypoint": "text"});
    let server = Server::new(vec![(status, payload)]);
    let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
    assert_eq!(run.after(2, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(
        server.updates(),
        [(0, "1".to_owned(), "failed runner_system_failure".to_owned())]
    );
}

/// A changed file is in force within 3 s, a broken one is not, and jobs do not notice.
///
/// Proves RUN-CFG-07, RUN-CFG-09, RUN-SCH-11.
#[tokio::test(start_paused = true)]
async fn a_changed_file_is_read() {
    let server = Server::new(vec![job(1, "20")]);
    let run = start(&server, &format!("concurrent = 2\n{}", entries(1, "")));
    tokio::time::sleep(Duration::from_secs(4)).await;
    run.config.set(Some("concurrent = ".to_owned()));
    tokio::time::sleep(Duration::from_secs(4)).await;
    run.config
        .set(Some(format!("concurrent = 2\n{}", entries(2, ""))));
    assert_eq!(run.after(14, Signal::Quit).await, ExitReason::Finished);
    let polls = server.polls();
    // One entry every 3 s; from the reload at 9 s on two of them.
    assert_eq!(polls["t0"], [0, 0, 30, 60, 90, 120, 150, 180, 210]);
    assert_eq!(polls["t1"], [135, 165, 195]);
    assert_eq!(server.updates().last().map(|update| update.0), Some(200));
}

/// A level of the process log that does not exist makes a reload fail, but not for the entries of the file
/// (runner.md 4.4).
#[tokio::test(start_paused = true)]
async fn a_bad_log_level_keeps_no_entry_out() {
    let server = Server::new(Vec::new());
    let run = start(&server, &format!("concurrent = 2\n{}", entries(1, "")));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let text = format!("log_level = 'bogus'\nconcurrent = 2\n{}", entries(2, ""));
    run.config.set(Some(text));
    assert_eq!(run.after(9, Signal::Quit).await, ExitReason::Finished);
    let polls = server.polls();
    assert_eq!(polls["t0"], [0, 30, 60, 90, 120]);
    assert_eq!(polls["t1"], [105]);
}

/// Proves RUN-CFG-05.
#[tokio::test(start_paused = true)]
async fn concurrent_below_one_ends_the_run() {
    let server = Server::new(Vec::new());
    let run = start(&server, &format!("concurrent = 0\n{}", entries(1, "")));
    assert_eq!(run.end.await.unwrap(), ExitReason::NoConcurrency);
}

/// So does a reload with it (recording `reload-odd`); a job that runs is ended and reported.
///
/// Proves RUN-CFG-05.
#[tokio::test(start_paused = true)]
async fn a_reload_with_concurrent_below_one_ends_the_run() {
    for with_job in [false, true] {
        let server = Server::new(if with_job {
            vec![job(1, "600")]
        } else {
            Vec::new()
        });
        let run = start(&server, &format!("concurrent = 1\n{}", entries(1, "")));
        tokio::time::sleep(Duration::from_secs(4)).await;
        run.config.set(Some("concurrent = 0".to_owned()));
        let begin = Instant::now();
        let end = tokio::time::timeout(Duration::from_mins(1), run.end).await;
        assert_eq!(end.expect("ends").unwrap(), ExitReason::NoConcurrency);
        assert!(begin.elapsed() < Duration::from_secs(10));
        let last = server.updates().pop().map(|update| update.2);
        let failed = with_job.then(|| "failed runner_interrupted".to_owned());
        assert_eq!(last, failed);
    }
}

/// Proves RUN-CFG-17.
#[tokio::test(start_paused = true)]
async fn an_entry_without_token_is_not_polled() {
    let server = Server::new(Vec::new());
    let config = "concurrent = 2\n[[runners]]\nurl='http://h'\ntoken=' '\nexecutor='shell'\n[[runners]]\nurl='http://h'\ntoken='t'\nexecutor='shell'\n";
    let run = start(&server, config);
    assert_eq!(run.after(5, Signal::Quit).await, ExitReason::Finished);
    assert_eq!(
        server.polls().into_iter().collect::<Vec<_>>(),
        [("t".to_owned(), vec![15, 45])]
    );
}

/// `run-single`: one job at a time, until a limit; the next poll comes 3 s after an empty answer.
///
/// Proves RUN-CLI-24.
#[tokio::test(start_paused = true)]
async fn a_single_runner_ends_by_itself() {
    use super::{Single, SingleLimits};
    let single = |server: &Server, limits| {
        let config = crate::config::Config::parse_with(&entries(1, ""), &|_| None).unwrap();
        let (signals, receiver) = mpsc::channel(4);
        let run = tokio::spawn(Single::new(options(server), config, limits, receiver).run());
        (signals, run)
    };
    let server = Server::new(vec![job(1, "2"), job(2, "2"), job(3, "2")]);
    let limits = SingleLimits {
        max_builds: 2,
        wait_timeout_s: 0,
    };
    let (_signals, run) = single(&server, limits);
    assert_eq!(run.await.unwrap(), ExitReason::Finished);
    assert_eq!(server.polls()["t0"], [0, 20]);

    let server = Server::new(Vec::new());
    let limits = SingleLimits {
        max_builds: 0,
        wait_timeout_s: 4,
    };
    let (_signals, run) = single(&server, limits);
    assert_eq!(run.await.unwrap(), ExitReason::Finished);
    // As recorded: with a limit of 4 s it ends after 6.
    assert_eq!(server.polls()["t0"], [0, 30]);

    let server = Server::new(vec![job(1, "600")]);
    let (signals, run) = single(&server, SingleLimits::default());
    tokio::time::sleep(Duration::from_secs(5)).await;
    signals.send(Signal::Terminate).await.unwrap();
    assert_eq!(run.await.unwrap(), ExitReason::Finished);
    let last = server.updates().pop();
    assert_eq!(
        last,
        Some((50, "1".to_owned(), "failed runner_interrupted".to_owned()))
    );
}
