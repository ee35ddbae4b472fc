//! A job in a test: its payload, its log, and what its executor was asked to do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use protocol::JobPayload;
use runner::client::transport::BoxFuture;
use runner::executor::scripted::{ScriptedExecutor, ScriptedJob};
use runner::executor::shell::{ShellExecutor, ShellOptions, Watchdog};
use runner::executor::{
    Environment, Executor, ExecutorError, ManagerLines, StageCommand, StageOutput,
};
use runner::host::Host;
use runner::job::{JobConfig, JobIds, JobOutcome, JobRun, JobSignals, JobTls, LogSink};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Keeps a log as plain text: lines of the manager, sections as `[name` and `name]`, output as it comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestLog(Arc<Mutex<Vec<u8>>>);

impl TestLog {
    fn add(&self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(b"\n");
    }

    fn bytes(&self, bytes: &[u8]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
    }

    /// All of it, without colours.
    pub(crate) fn text(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from_utf8_lossy(&all).into_owned();
        for colour in ["\x1b[32;1m", "\x1b[0;33m", "\x1b[31;1m", "\x1b[0;m"] {
            text = text.replace(colour, "");
        }
        text
    }

    /// Names of the sections, in order.
    pub(crate) fn sections(&self) -> Vec<String> {
        let text = self.text();
        let names = text.lines().filter_map(|line| line.strip_prefix('['));
        names.map(str::to_owned).collect()
    }
}

impl ManagerLines for TestLog {
    fn println(&self, text: &str) {
        self.add(text);
    }
    fn infoln(&self, text: &str) {
        self.add(text);
    }
    fn warningln(&self, text: &str) {
        self.add(&format!("WARNING: {text}"));
    }
    fn errorln(&self, text: &str) {
        self.add(&format!("ERROR: {text}"));
    }
}

impl LogSink for TestLog {
    fn attempt_failed(&self, text: &str, _: &dyn std::fmt::Display) {
        self.add(&format!("WARNING: {text}"));
    }
    fn title(&self, text: &str) {
        self.add(&format!("# {text}"));
    }
    fn section_start(&self, name: &str) {
        self.add(&format!("[{name}"));
    }
    fn section_end(&self, name: &str) {
        self.add(&format!("{name}]"));
    }
    fn stage_output(&self) -> StageOutput {
        let sink = || {
            let log = self.clone();
            Box::new(move |bytes: &[u8]| log.bytes(bytes))
        };
        StageOutput {
            out: sink(),
            err: sink(),
        }
    }
    fn result_success(&self, text: &str) {
        self.add(text);
    }
    fn result_failure(&self, text: &str) {
        self.add(&format!("ERROR: {text}"));
    }
}

/// What an executor was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Since the start of the job, s.
    pub(crate) at: u64,
    /// `prepare`, `finish`, `cleanup`, or the name of a stage.
    pub(crate) what: String,
    /// Whether the stage runs in the helper environment.
    pub(crate) predefined: bool,
    /// Its script.
    pub(crate) script: String,
}

/// Notes what the job asks of its executor.
#[derive(Debug)]
pub(crate) struct Spy {
    inner: Box<dyn Executor>,
    start: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
    /// Instead of the inner executor's.
    environment: Option<Environment>,
}

impl Spy {
    fn note(&self, what: &str, predefined: bool, script: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Call {
            at: self.start.elapsed().as_secs(),
            what: what.to_owned(),
            predefined,
            script: script.to_owned(),
        });
    }
}

impl Executor for Spy {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn environment(&self) -> Environment {
        let own = || self.inner.environment();
        self.environment.clone().unwrap_or_else(own)
    }
    fn prepare<'a>(
        &'a mut self,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.note("prepare", false, "");
        self.inner.prepare(lines, cancel)
    }
    fn run<'a>(
        &'a mut self,
        command: StageCommand,
        output: StageOutput,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        let stage = command.stage.clone();
        self.note(&stage.name(), stage.is_predefined(), &command.script);
        self.inner.run(command, output, lines, cancel)
    }
    fn finish(&mut self) -> BoxFuture<'_, ()> {
        self.note("finish", false, "");
        self.inner.finish()
    }
    fn cleanup(&mut self) -> BoxFuture<'_, ()> {
        self.note("cleanup", false, "");
        self.inner.cleanup()
    }
}

/// A job to run.
pub(crate) struct TestJob {
    pub(crate) payload: Value,
    pub(crate) config: JobConfig,
    pub(crate) signals: JobSignals,
    pub(crate) environment: Option<Environment>,
    pub(crate) log: TestLog,
    pub(crate) correlation_id: String,
}

/// What became of it.
pub(crate) struct Ran {
    pub(crate) outcome: JobOutcome,
    pub(crate) calls: Vec<Call>,
    pub(crate) log: TestLog,
    /// How long it took, s.
    pub(crate) took: u64,
}

impl TestJob {
    /// A job with one command, without sources.
    pub(crate) fn new() -> TestJob {
        TestJob {
            payload: json!({
                "id": 7,
                "token": "glcbt-64_secret",
                "allow_git_fetch": true,
                "job_info": {"id": 7, "name": "test", "project_id": 42},
                "git_info": {"repo_url": "http://h/group/demo.git", "ref": "main", "sha": "0123456789abcdef",
                    "refspecs": ["+refs/heads/*:refs/remotes/origin/*"], "depth": 20},
                "runner_info": {"timeout": 3600},
                "variables": [{"key": "GIT_STRATEGY", "value": "none"}],
                "steps": [{"name": "script", "script": ["true"]}],
                "features": {"trace_sections": true, "failure_reasons": []},
            }),
            config: JobConfig {
                name: "r".to_owned(),
                url: "http://h".to_owned(),
                token: "glrt-AbCdEfGhIjKl".to_owned(),
                ..JobConfig::default()
            },
            signals: JobSignals::default(),
            environment: None,
            log: TestLog::default(),
            correlation_id: "0123".to_owned(),
        }
    }

    /// Sets a member of the payload.
    pub(crate) fn with(mut self, member: &str, value: Value) -> TestJob {
        self.payload[member] = value;
        self
    }

    /// Commands of its one step.
    pub(crate) fn script(self, commands: &[&str]) -> TestJob {
        self.with("steps", json!([{"name": "script", "script": commands}]))
    }

    /// Adds an `after_script`.
    pub(crate) fn after_script(mut self, commands: &[&str]) -> TestJob {
        if let Some(steps) = self.payload["steps"].as_array_mut() {
            steps.push(json!({"name": "after_script", "script": commands, "when": "always"}));
        }
        self
    }

    /// Adds a variable; a later one wins.
    pub(crate) fn variable(mut self, key: &str, value: &str) -> TestJob {
        if let Some(variables) = self.payload["variables"].as_array_mut() {
            variables.push(json!({"key": key, "value": value}));
        }
        self
    }

    /// Something to do for every stage.
    pub(crate) fn with_caches_and_artifacts(self) -> TestJob {
        self.with(
            "cache",
            json!([{"key": "k", "paths": ["x"], "policy": "pull-push", "when": "always"}]),
        )
        .with("artifacts", json!([{"paths": ["x"], "when": "always"}]))
        .with(
            "dependencies",
            json!([{"id": 1, "name": "a", "token": "t", "artifacts_file": {"filename": "a.zip", "size": 1}}]),
        )
    }

    /// Runs it with an executor that does what `script` says.
    pub(crate) async fn scripted(self, script: ScriptedJob) -> Ran {
        self.run(Box::new(ScriptedExecutor::new(script))).await
    }

    /// Runs it with a real bash in `folder`, whose user has no profile.
    pub(crate) async fn in_bash(self, folder: &Path) -> Ran {
        static EMPTY: OnceLock<tempfile::TempDir> = OnceLock::new();
        let home = EMPTY.get_or_init(|| tempfile::tempdir().expect("temp"));
        self.in_bash_of(home.path(), folder).await
    }

    /// Runs it with a real bash in `folder`, whose user has the home directory `home`. Never the home of
    /// whoever runs the tests: its profile may print, take long, or leave a lock behind when its shell is
    /// killed, which holds up every later login (pyenv's does, for a minute each).
    pub(crate) async fn in_bash_of(self, home: &Path, folder: &Path) -> Ran {
        let executor = ShellExecutor::new(
            ShellOptions {
                working_directory: folder.to_owned(),
                ..ShellOptions::default()
            },
            Watchdog::new(),
        );
        let home = format!("HOME={}", home.display());
        let executor = executor.with_program(&["env", &home, "bash", "-l"]);
        self.run(Box::new(executor)).await
    }

    /// Runs it.
    pub(crate) async fn run(self, inner: Box<dyn Executor>) -> Ran {
        let payload: JobPayload =
            protocol::go_json::from_slice(self.payload.to_string().as_bytes()).expect("payload");
        let start = Instant::now();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let outcome = runner::job::run(JobRun {
            payload: Arc::new(payload),
            config: self.config,
            host: Host {
                hostname: "box".to_owned(),
                platform: "linux",
                architecture: "amd64",
                working_directory: PathBuf::from("/srv"),
                executable: PathBuf::from("/usr/bin/gitlab-runner"),
                system_id: "s_0123456789ab".to_owned(),
            },
            ids: JobIds::default(),
            log: Arc::new(self.log.clone()),
            signals: self.signals,
            executor: Box::new(Spy {
                inner,
                start,
                calls: Arc::clone(&calls),
                environment: self.environment,
            }),
            correlation_id: self.correlation_id,
            tls: JobTls::default(),
            session: None,
        })
        .await;
        let took = start.elapsed().as_secs();
        let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ran {
            outcome,
            calls,
            log: self.log,
            took,
        }
    }
}

impl Ran {
    /// Stages that ran, in order.
    pub(crate) fn stages(&self) -> Vec<&str> {
        let stages = self.calls.iter().map(|call| call.what.as_str());
        stages
            .filter(|what| !matches!(*what, "prepare" | "finish" | "cleanup"))
            .collect()
    }

    /// When each stage of this name began, s.
    pub(crate) fn times(&self, what: &str) -> Vec<u64> {
        let calls = self.calls.iter().filter(|call| call.what == what);
        calls.map(|call| call.at).collect()
    }

    /// Script of the first stage of this name.
    pub(crate) fn script(&self, what: &str) -> &str {
        let call = self.calls.iter().find(|call| call.what == what);
        call.map_or("", |call| &call.script)
    }

    /// Message, reason and exit code of a failure.
    pub(crate) fn failure(&self) -> (&str, &str, i32) {
        let failure = self.outcome.failure.as_ref().expect("a failure");
        (&failure.message, failure.reason.as_str(), failure.exit_code)
    }

    /// The log.
    pub(crate) fn text(&self) -> String {
        self.log.text()
    }
}

/// So many seconds.
pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
