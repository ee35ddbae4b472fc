//! A desk for one test: a folder with a home and a `config.toml`, a server, and the program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// An authentication token as the recordings use it.
pub(crate) const TOKEN: &str = "glrt-t3_AbCdEfGhIjKlMnOpQrSt";

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// As written, with colours.
    pub(crate) stderr: String,
}

impl Ran {
    /// stderr without colours and without the spaces that pad a message.
    pub(crate) fn log(&self) -> String {
        plain(&self.stderr)
    }

    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Fails unless a line of the log is `line` or starts with it and a field.
    #[track_caller]
    pub(crate) fn says(self, line: &str) -> Ran {
        let found = self.log().lines().any(|written| {
            written
                .strip_prefix(line)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("  "))
        });
        assert!(found, "no line {line:?} in\n{}", self.log());
        self
    }

    /// Fails if the log has this text anywhere.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Ran {
        assert!(!self.log().contains(text), "{text:?} in\n{}", self.log());
        self
    }
}

/// Log text without colours and padding: `message  key=value`.
pub(crate) fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    for colour in ["\x1b[37;1m", "\x1b[0;33m", "\x1b[31;1m", "\x1b[0;m"] {
        text = text.replace(colour, "\x1b");
    }
    let lines = text.lines().map(|line| {
        let line = line.strip_prefix('\x1b').unwrap_or(line);
        match line.split_once('\x1b') {
            Some((message, fields)) => {
                let fields = fields.replace('\x1b', "");
                let line = format!("{}{}", message.trim_end(), fields.trim_end());
                line.trim_end().to_owned()
            }
            None => line.trim_end().to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) server: MockServer,
}

impl Desk {
    pub(crate) async fn new() -> Desk {
        Desk {
            folder: tempfile::tempdir().unwrap(),
            server: MockServer::start().await,
        }
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of `config.toml`.
    pub(crate) fn config(&self) -> String {
        self.path("config.toml").display().to_string()
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// Writes a file; `URL` becomes the server's.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text.replace("URL", &self.url())).unwrap();
        path.display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The file with volatile parts as they are in recordings.
    pub(crate) fn saved(&self, name: &str) -> String {
        steady(
            &self
                .read(name)
                .replace(&self.url(), "http://gitlab.example.com"),
        )
    }

    /// The program with a home of its own and nothing else of our environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gitlab-runner"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[], "")
    }

    /// With variables and typed input.
    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)], typed: &str) -> Ran {
        let mut child = self
            .command(args)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that asks nothing may be gone already.
        let _ = stdin.write_all(typed.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `register -n` with file, URL and `TOKEN`, and more options.
    pub(crate) fn register(&self, more: &[&str]) -> Ran {
        let (config, url) = (self.config(), self.url());
        let mut args = vec![
            "register", "-n", "-c", &config, "--url", &url, "--token", TOKEN,
        ];
        args.extend(more);
        self.run(&args)
    }

    /// Answers every request for `path` below `/api/v4`.
    pub(crate) async fn answer(&self, verb: &str, at: &str, status: u16, body: Value) {
        Mock::given(method(verb))
            .and(path(format!("/api/v4{at}")))
            .respond_with(template(status, &body))
            .mount(&self.server)
            .await;
    }

    /// Answers requests for `path` below `/api/v4` whose body carries `token`.
    pub(crate) async fn answer_token(
        &self,
        verb: &str,
        at: &str,
        token: &str,
        status: u16,
        body: Value,
    ) {
        Mock::given(method(verb))
            .and(path(format!("/api/v4{at}")))
            .and(body_partial_json(json!({ "token": token })))
            .respond_with(template(status, &body))
            .mount(&self.server)
            .await;
    }

    /// Every token is valid and may be unregistered.
    pub(crate) async fn welcoming(&self) {
        let credentials = json!({"id": 12345, "token": TOKEN, "token_expires_at": null});
        self.answer("POST", "/runners/verify", 200, credentials)
            .await;
        self.answer("DELETE", "/runners/managers", 204, Value::Null)
            .await;
        self.answer("DELETE", "/runners", 204, Value::Null).await;
    }

    /// Requests so far: `POST /runners/verify` and the body.
    pub(crate) async fn seen(&self) -> Vec<(String, Value)> {
        let requests = self.server.received_requests().await.unwrap_or_default();
        let seen = requests.iter().map(|request| {
            let path = request.url.path();
            let path = path.strip_prefix("/api/v4").unwrap_or(path);
            let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            (format!("{} {path}", request.method), body)
        });
        seen.collect()
    }
}

fn template(status: u16, body: &Value) -> ResponseTemplate {
    let template = ResponseTemplate::new(status);
    if body.is_null() {
        template
    } else {
        template.set_body_json(body)
    }
}

/// A saved file with the host name and the time of registration as `HOST` and `NOW`.
pub(crate) fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let key = line.trim_start();
        let indent = &line[..line.len() - key.len()];
        if key.starts_with("token_obtained_at = 2") {
            format!("{indent}token_obtained_at = NOW\n")
        } else {
            format!("{line}\n")
        }
    });
    lines.collect()
}

/// An entry for `config.toml`.
pub(crate) fn entry(name: &str, token: &str) -> String {
    format!(
        "[[runners]]\n  name = \"{name}\"\n  url = \"URL\"\n  token = \"{token}\"\n  executor = \"shell\"\n"
    )
}

/// A program that runs until it is told to end.
pub(crate) struct Running {
    child: Child,
    _stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
    /// Log so far, without colours.
    pub(crate) log: String,
}

impl Desk {
    /// Starts a command and follows its log.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_typing(args, "")
    }

    /// The same, with input; what it reads never ends.
    pub(crate) fn start_typing(&self, args: &[&str], typed: &str) -> Running {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(typed.as_bytes()).unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running {
            child,
            _stdin: stdin,
            lines,
            log: String::new(),
        }
    }
}

impl Running {
    /// Waits for a line that has `text`, which later waits do not see again.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        // Nobody waits so long; it only keeps a broken test from hanging.
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let line = plain(&line);
                    self.log.push_str(&line);
                    self.log.push('\n');
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("{error}: no {text:?} in\n{}", self.log),
            }
        }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
    }

    /// Waits for the end; gives the exit code.
    pub(crate) fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// SIGQUIT, and the end with exit code 0; gives the whole log.
    #[track_caller]
    pub(crate) fn quit(mut self) -> String {
        self.signal(nix::sys::signal::Signal::SIGQUIT);
        self.wait_for("Can exit now!");
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.log);
        std::mem::take(&mut self.log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a failed test gets here with a program that still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
