//! Sessions in polls, in virtual time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use protocol::Features;
use runner::client::transport::BoxFuture;
use runner::client::{Transport, TransportError};
use runner::clock::TokioClock;
use runner::executor::Executor;
use runner::executor::scripted::{ScriptedExecutor, ScriptedJob};
use runner::host::Host;
use runner::logging::Log;
use runner::random::Random;
use runner::schedule::{
    ExecutorInfo, ExecutorProvider, ExecutorRequest, ExitReason, Manager, ManagerOptions,
    MemoryConfig, Signal, SpoolKind, TransportFactory, TransportTarget,
};
use serde_json::{Value, json};

/// Answers polls from a list of statuses, then 204; each after so many seconds.
#[derive(Clone, Debug)]
struct Server {
    answers: Arc<Mutex<Vec<u16>>>,
    hold: Duration,
    polls: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    fn new(answers: &[u16], hold_s: u64) -> Server {
        Server {
            answers: Arc::new(Mutex::new(answers.iter().rev().copied().collect())),
            hold: Duration::from_secs(hold_s),
            polls: Arc::default(),
        }
    }

    /// The session of each poll: the last four digits of its id, or nothing.
    fn sessions(&self) -> Vec<String> {
        let polls = self.polls.lock().unwrap();
        let url = |poll: &Value| {
            let url = poll["session"]["url"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            url[url.len().saturating_sub(4)..].to_owned()
        };
        polls.iter().map(url).collect()
    }

    /// Which session each poll has, as numbers in the order in which they appear.
    fn pattern(&self) -> Vec<usize> {
        let sessions = self.sessions();
        let mut known: Vec<&String> = Vec::new();
        let mut number = |session| {
            let at = known.iter().position(|known| *known == session);
            at.unwrap_or_else(|| {
                known.push(session);
                known.len() - 1
            })
        };
        sessions.iter().map(&mut number).collect()
    }
}

impl Transport for Server {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let response = Response::builder().header("content-type", "application/json");
            if !request.uri().path().ends_with("/jobs/request") {
                let status = if request.method() == "PATCH" {
                    202
                } else {
                    200
                };
                return Ok(response.status(status).body(Bytes::new()).unwrap());
            }
            let status = {
                let mut polls = self.polls.lock().unwrap();
                polls.push(serde_json::from_slice(request.body()).unwrap());
                self.answers.lock().unwrap().pop().unwrap_or(204)
            };
            tokio::time::sleep(self.hold).await;
            if status == 0 {
                return Err(TransportError {
                    message: "the answer was lost".to_owned(),
                });
            }
            let job = json!({
                "id": 1, "token": "job", "job_info": {"name": "test", "project_id": 1},
                "git_info": {"repo_url": "http://h/g/p.git", "sha": "1111111111111111111111111111111111111111"},
                "steps": [{"name": "script", "script": ["true"]}],
            });
            let body = if status == 201 {
                job.to_string()
            } else {
                String::new()
            };
            Ok(response.status(status).body(body.into()).unwrap())
        })
    }
}

impl TransportFactory for Server {
    fn transport(&self, _: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError> {
        Ok(Arc::new(self.clone()))
    }
}

/// Two executors, of which `plain` has no sessions. Every job takes a second.
#[derive(Debug)]
struct Executors;

impl ExecutorProvider for Executors {
    fn info(&self, name: &str) -> Option<ExecutorInfo> {
        let features = match name {
            "shell" => Features::shell_executor(),
            "plain" => Features::always(),
            _ => return None,
        };
        Some(ExecutorInfo {
            features,
            default_shell: "bash",
        })
    }

    fn executor(&self, _: ExecutorRequest<'_>) -> Option<Box<dyn Executor>> {
        let job = ScriptedJob::lasting(Duration::from_secs(1), 0);
        Some(Box::new(ScriptedExecutor::new(job)))
    }
}

const SESSION_SERVER: &str = "[session_server]\nlisten_address = '127.0.0.1:0'\nadvertise_address = 'runner.example.com:8093'";

/// Runs a manager for so many seconds of virtual time.
async fn run(server: &Server, sessions: &str, entry: &str, seconds: u64) {
    let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
    let config = format!(
        "concurrent = 4\n{sessions}\n[[runners]]\nname = 'one'\nurl = 'http://h'\ntoken = 't'\n{entry}\n"
    );
    let (signals, receiver) = tokio::sync::mpsc::channel(1);
    let options = ManagerOptions {
        config: Arc::new(MemoryConfig::new(&config)),
        transports: Arc::new(server.clone()),
        executors: Arc::new(Executors),
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
    };
    let manager = Manager::new(options, receiver).serving(None).run();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        signals.send(Signal::Quit).await.unwrap();
    };
    let (reason, ()) = tokio::join!(manager, stop);
    assert_eq!(reason, ExitReason::Finished);
}

/// A poll offers a session where there is a session server and the executor can have one, and only
/// there: URL, certificate and token in the recorded form.
///
/// Proves WIRE-REQ-03.
#[tokio::test(start_paused = true)]
async fn who_offers_a_session() {
    for (sessions, executor, offered) in [
        (SESSION_SERVER, "shell", true),
        (SESSION_SERVER, "plain", false),
        ("", "shell", false),
        (
            "[session_server]\nadvertise_address = 'h:1'",
            "shell",
            false,
        ),
    ] {
        let server = Server::new(&[], 0);
        run(&server, sessions, &format!("executor = '{executor}'"), 1).await;
        let poll = server.polls.lock().unwrap()[0].clone();
        let Some(session) = poll.get("session") else {
            assert!(!offered, "{sessions} {executor}");
            continue;
        };
        assert!(offered, "{sessions} {executor}");
        assert_eq!(session.as_object().unwrap().len(), 3);
        let text = |name: &str| session[name].as_str().unwrap();
        let hex = |text: &str| {
            text.len() == 64
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let id = text("url").strip_prefix("https://runner.example.com:8093/session/");
        assert!(hex(id.unwrap()) && hex(text("authorization")), "{session}");
        assert_ne!(id.unwrap(), text("authorization"));
        let certificate = text("certificate");
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----\nMII"));
        assert!(certificate.ends_with("\n-----END CERTIFICATE-----\n"));
    }
}

/// A session is offered until a job takes it, and never again after it, or after an answer that may have
/// been a job; polls that are under way at once offer sessions of their own.
#[tokio::test(start_paused = true)]
async fn a_session_belongs_to_one_job() {
    let single = "executor = 'shell'\nstrict_check_interval = true";
    for (answers, expected) in [
        (vec![204, 204, 201, 204, 204], vec![0, 0, 0, 1, 1]),
        // Lost, or refused on the way back.
        (vec![204, 0, 204, 204], vec![0, 0, 1, 1]),
        (vec![409, 204, 409, 204], vec![0, 1, 1, 2]),
    ] {
        let server = Server::new(&answers, 0);
        let seconds = 3 * answers.len() as u64 - 1;
        run(&server, SESSION_SERVER, single, seconds).await;
        let pattern = server.pattern();
        assert_eq!(pattern[..expected.len()], expected, "{answers:?}");
    }

    // Four polls are held at a time, then each brings a job.
    let server = Server::new(&[201; 4], 10);
    let several = "executor = 'shell'\nrequest_concurrency = 4\n[runners.feature_flags]\n\
        FF_USE_ADAPTIVE_REQUEST_CONCURRENCY = false";
    run(&server, SESSION_SERVER, several, 25).await;
    let sessions = server.sessions();
    let first: BTreeSet<&String> = sessions[..4].iter().collect();
    assert_eq!(first.len(), 4, "{sessions:?}");
    assert!(sessions.len() > 4);
    assert!(!sessions[4..].iter().any(|session| first.contains(session)));
}

/// Idle polls are the same bytes again and again, and an idle entry has no more sessions than polls at
/// once.
#[tokio::test(start_paused = true)]
async fn sessions_of_idle_polls_do_not_pile_up() {
    let server = Server::new(&[], 0);
    run(&server, SESSION_SERVER, "executor = 'shell'", 3000).await;
    let pattern = server.pattern();
    assert!(pattern.len() > 900);
    assert!(pattern.iter().all(|session| *session == 0));
}
