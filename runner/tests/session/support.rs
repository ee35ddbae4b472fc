//! A manager as a process with a home of its own, a server that gives it jobs, and a browser's end of a
//! terminal.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

/// Nobody waits so long; it only keeps a broken test from hanging.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("it did not happen: {what}"))
}

/// What the server has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Jobs to give, the last one first.
    pub(crate) jobs: Vec<Value>,
    /// The poll that brought the last job.
    pub(crate) poll: Value,
    /// The job's log.
    pub(crate) log: String,
    /// States of updates.
    pub(crate) updates: Vec<String>,
}

/// A manager and all around it.
pub(crate) struct Stage {
    folder: TempDir,
    _server: MockServer,
    seen: Arc<watch::Sender<Seen>>,
    child: Child,
    log: watch::Receiver<String>,
}

fn answer(seen: &mut Seen, request: &Request) -> ResponseTemplate {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    match request.method.as_str() {
        "POST" => match seen.jobs.pop() {
            Some(job) => {
                seen.poll = body;
                ResponseTemplate::new(201).set_body_json(job)
            }
            None => ResponseTemplate::new(204),
        },
        "PATCH" => {
            seen.log.push_str(&String::from_utf8_lossy(&request.body));
            ResponseTemplate::new(202)
        }
        _ => {
            let state = body["state"].as_str().unwrap_or_default();
            seen.updates.push(state.to_owned());
            ResponseTemplate::new(200)
        }
    }
}

impl Stage {
    /// Starts a manager with `[session_server]` as given. Its first job runs until [`Stage::finish`].
    pub(crate) async fn start(session_server: &str) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let server = MockServer::start().await;
        let wait = format!(
            "until [ -e {} ]; do sleep 0.05; done",
            folder.path().join("finish").display()
        );
        let job = json!({
            "id": 1001, "token": "job-1001",
            "job_info": {"name": "test", "project_id": 1},
            "git_info": {"repo_url": "http://h/g/p.git", "sha": "1111111111111111111111111111111111111111"},
            "runner_info": {"timeout": 3600},
            "variables": [{"key": "GIT_STRATEGY", "value": "none", "public": true, "masked": false},
                {"key": "SECRET_OF_THE_JOB", "value": "hush-hush", "public": false, "masked": false}],
            "steps": [{"name": "script", "script": [wait]}],
            "features": {"trace_sections": true},
        });
        let seen = Arc::new(watch::Sender::new(Seen {
            jobs: vec![job],
            ..Seen::default()
        }));
        let state = Arc::clone(&seen);
        Mock::given(matchers::any())
            .respond_with(move |request: &Request| {
                let mut reply = None;
                state.send_modify(|seen| reply = Some(answer(seen, request)));
                reply.unwrap()
            })
            .mount(&server)
            .await;
        let config = folder.path().join("config.toml");
        let text = format!(
            "concurrent = 1\n[session_server]\n{session_server}\n[[runners]]\nname = 'one'\nurl = '{}'\n\
             token = 'glrt-t3_AbCdEfGhIjKlMnOpQrSt'\nexecutor = 'shell'\n",
            server.uri()
        );
        std::fs::write(&config, text).unwrap();
        // A prompt that is the same on every machine.
        std::fs::write(folder.path().join(".bash_profile"), "PS1='> '\n").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gitlab-runner"))
            .args(["--log-format", "json", "run", "-c"])
            .arg(&config)
            .env_clear()
            .env("HOME", folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = watch::channel(String::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|log| {
                    log.push_str(&line);
                    log.push('\n');
                });
            }
        });
        Stage {
            folder,
            _server: server,
            seen,
            child,
            log,
        }
    }

    /// The folder in which the manager works.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Waits until the server has seen what `condition` asks for; gives all that it has seen.
    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.subscribe();
        soon(what, seen.wait_for(condition)).await.unwrap().clone()
    }

    /// Waits for a record with this message; gives the first one.
    pub(crate) async fn record(&self, message: &str) -> Value {
        let mut log = self.log.clone();
        let find = |log: &str| {
            let mut records = log
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
            records.find(|record| record["msg"] == message)
        };
        let waited = soon(message, log.wait_for(|log| find(log).is_some())).await;
        let log = self.log.borrow().clone();
        assert!(waited.is_ok(), "no {message:?} in\n{log}");
        find(&log).unwrap()
    }

    /// The process log so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits for the job, and knocks at its session.
    pub(crate) async fn door(&self) -> Door {
        self.record("Added job to processing list").await;
        let seen = self.until("a job", |seen| !seen.poll.is_null()).await;
        let listening = self.record("Session server listening").await;
        let address = listening["address"].as_str().unwrap().to_owned();
        Door::new(&seen.poll["session"], &address)
    }

    /// Lets the job's script end.
    pub(crate) fn finish(&self) {
        std::fs::write(self.folder.path().join("finish"), "").unwrap();
    }

    /// Waits for the final update; gives state and log.
    pub(crate) async fn end_of_job(&self) -> (String, String) {
        let seen = self
            .until("the final update", |seen| seen.updates.len() > 1)
            .await;
        (seen.updates.last().unwrap().clone(), seen.log)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().unwrap().try_into().unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Waits for the end of the process; gives the exit code.
    pub(crate) async fn code(&mut self) -> Option<i32> {
        let status = soon("the end of the manager", self.child.wait()).await;
        status.unwrap().code()
    }
}

/// A session as GitLab knows it.
#[derive(Clone)]
pub(crate) struct Door {
    /// Where the server listens: the advertised name need not be one of this machine.
    address: String,
    name: ServerName<'static>,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) token: String,
    tls: TlsConnector,
}

impl Door {
    fn new(session: &Value, address: &str) -> Door {
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let url = text("url");
        let (host, path) = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once('/'))
            .unwrap();
        // Nobody is trusted but who shows this certificate.
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(text("certificate").as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = host.rsplit_once(':').unwrap().0.to_owned();
        Door {
            address: address.to_owned(),
            name: ServerName::try_from(name).unwrap(),
            host: host.to_owned(),
            path: format!("/{path}"),
            token: text("authorization"),
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        self.tls.connect(self.name.clone(), stream).await.unwrap()
    }

    /// A plain request; the whole answer but for the line `Date: …`.
    pub(crate) async fn get(&self, path: &str, more: &str) -> String {
        let mut stream = self.connect().await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n",
            self.host
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an answer", stream.read_to_string(&mut answer))
            .await
            .unwrap();
        let lines = answer.split_inclusive('\n');
        lines.filter(|line| !line.starts_with("Date: ")).collect()
    }

    /// A terminal; else the status of the refusal.
    pub(crate) async fn terminal(&self, subprotocol: &str) -> Result<Browser, u16> {
        let url = format!("wss://{}{}/exec", self.host, self.path);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", self.token.parse().unwrap());
        if !subprotocol.is_empty() {
            headers.insert("sec-websocket-protocol", subprotocol.parse().unwrap());
        }
        // Both are large futures.
        let stream = Box::pin(self.connect()).await;
        let connected = Box::pin(tokio_tungstenite::client_async(request, stream));
        match soon("a terminal", connected).await {
            Ok((socket, answer)) => {
                let agreed = answer.headers().get("sec-websocket-protocol");
                let agreed = agreed.map_or("", |name| name.to_str().unwrap());
                assert_eq!(agreed, subprotocol);
                Ok(Browser {
                    socket,
                    base64: subprotocol.starts_with("base64"),
                })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Who sits at a terminal.
pub(crate) struct Browser {
    pub(crate) socket: WebSocketStream<TlsStream<TcpStream>>,
    base64: bool,
}

impl Browser {
    pub(crate) async fn type_line(&mut self, line: &str) {
        let line = format!("{line}\n");
        let message = if self.base64 {
            Message::Text(STANDARD.encode(line).into())
        } else {
            Message::Binary(line.into_bytes().into())
        };
        self.socket.send(message).await.unwrap();
    }

    /// Reads until a line has `text` behind `mark`; gives the rest of that line. What is typed is shown
    /// too, so a mark must be one that is only printed.
    pub(crate) async fn shown(&mut self, mark: &str) -> String {
        let mut all = String::new();
        let read = async {
            loop {
                let message = self.socket.next().await.unwrap().unwrap();
                let bytes = match &message {
                    Message::Binary(bytes) if !self.base64 => bytes.to_vec(),
                    Message::Text(text) if self.base64 => STANDARD.decode(text.as_str()).unwrap(),
                    Message::Ping(_) => continue,
                    other => panic!("{other:?} in place of output, after {all:?}"),
                };
                all.push_str(&String::from_utf8_lossy(&bytes));
                let found = all
                    .split_once(mark)
                    .and_then(|(_, rest)| rest.split_once("\r\n"));
                if let Some((rest, _)) = found {
                    return rest.to_owned();
                }
            }
        };
        soon(mark, read).await
    }

    /// Types a command; gives what it prints, one line.
    pub(crate) async fn run(&mut self, command: &str) -> String {
        // The mark as typed has a quote in it.
        self.type_line(&format!("echo MA''RK $({command}) END"))
            .await;
        let shown = self.shown("MARK ").await;
        shown
            .trim_end_matches(" END")
            .trim_end_matches("END")
            .trim()
            .to_owned()
    }

    /// The processes of the terminal: its shell, one in the background, one that ignores the hang-up.
    pub(crate) async fn processes(&mut self) -> Vec<i32> {
        self.type_line("sleep 1000 & nohup sleep 1001 & true").await;
        let processes = self.run("echo $$ $(jobs -p)").await;
        let processes: Vec<i32> = processes
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        assert_eq!(processes.len(), 3);
        assert!(processes.iter().all(|process| lives(*process)));
        processes
    }

    /// Waits for the closing frame; gives its code.
    pub(crate) async fn closed(&mut self) -> u16 {
        let read = async {
            loop {
                let message = self.socket.next().await.unwrap().unwrap();
                if let Message::Close(frame) = message {
                    return u16::from(frame.unwrap().code);
                }
            }
        };
        soon("a closing frame", read).await
    }
}

/// Whether a process is there and has not ended.
pub(crate) fn lives(process: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

/// Waits until all of them have ended.
pub(crate) async fn gone(processes: &[i32]) {
    let wait = async {
        while processes.iter().any(|process| lives(*process)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the end of the terminal's processes", wait).await;
}

impl Stage {
    /// Waits until the process log has this text.
    pub(crate) async fn until_log(&self, text: &str) {
        let mut log = self.log.clone();
        let _ = soon(text, log.wait_for(|log| log.contains(text)))
            .await
            .unwrap();
    }
}
