//! Real time: real runner processes, TCP on loopback, real bash, everything in a temporary folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use mock_gitlab::server::ServeOptions;
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::job_plan;
use super::server::Server;
use super::timeline::{self, Stage, Waiting};
use super::verdict::Outcome;
use super::{EngineError, PlayOptions, world};
use crate::events::{EventLog, What};
use crate::process::{RunnerProcess, Start, Terminal};
use crate::scenario::Scenario;
use crate::scenario::format::{RunFormat, SignalName};
use crate::scenario::world_format::JobFormat;

/// Longest time of a scenario, unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(25);
/// Longest time that a runner gets to end when all is over, before it is killed.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Plays a scenario with real processes.
pub async fn play(scenario: &Scenario, options: &PlayOptions) -> Result<Outcome, EngineError> {
    let temp = tempfile::Builder::new()
        .prefix("gauntlet-")
        .tempdir()
        .map_err(EngineError::io("temporary folder"))?;
    let folder = |name: &str| {
        let path = temp.path().join(name);
        fs::create_dir_all(&path)
            .map(|()| path)
            .map_err(EngineError::io(format!("temporary folder {name}")))
    };
    let gates = folder("gates")?;
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(EngineError::io("loopback port"))?;
    let address = listener
        .local_addr()
        .map_err(EngineError::io("loopback port"))?;
    let url = format!("http://{address}");
    let log = EventLog::begin();
    let server = super::mock_server(
        scenario.world.settings.clone(),
        &url,
        options.seed,
        log.clone(),
        super::wall_clock(),
    );
    let names = server
        .act(|world, now| world::fill(world, &scenario.world, now, options.seed, &gates))
        .map_err(EngineError::setup)?;
    server.set_names(names);
    let faces = tokio::spawn(serve(server.clone(), listener));

    let mut stage = RealStage {
        link: options
            .program
            .link_in(&temp.path().join("bin"))
            .map_err(EngineError::io("link to the runner"))?,
        root: temp.path().to_owned(),
        gates,
        url,
        server: server.clone(),
        runners: BTreeMap::new(),
        held: scenario
            .world
            .jobs
            .iter()
            .chain(scenario.world.pipelines.values().flat_map(|p| &p.jobs))
            .filter_map(|(id, job)| job.held.then_some(*id))
            .collect(),
    };
    let waiting = Waiting::default();
    let limit = scenario.limit.map_or(LIMIT, |limit| limit.0);
    let run = stage.whole(scenario, &server, &waiting);
    let result = tokio::time::timeout(limit, run).await;
    let overdue = result.is_err();
    let outcome = stage.outcome(&server).await;
    faces.abort();
    match result {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Outcome {
            overdue: overdue.then(|| super::waiting_text(&waiting, limit)),
            ..outcome
        }),
    }
}

/// A started runner.
struct Running {
    signals: mpsc::UnboundedSender<Signal>,
    exit: tokio::task::JoinHandle<i32>,
    terminal: Arc<Terminal>,
    code: Option<i32>,
}

struct RealStage {
    link: PathBuf,
    root: PathBuf,
    gates: PathBuf,
    url: String,
    server: Server,
    runners: BTreeMap<String, Running>,
    held: Vec<i64>,
}

impl RealStage {
    async fn whole(
        &mut self,
        scenario: &Scenario,
        server: &Server,
        waiting: &Waiting,
    ) -> Result<(), EngineError> {
        for (name, runner) in &scenario.runners {
            if let Some(config) = &runner.config {
                self.configure(name, config).map_err(EngineError::Stage)?;
            }
            if runner.start {
                self.start(name).map_err(EngineError::Stage)?;
            }
        }
        timeline::play(scenario, server, self, waiting)
            .await
            .map_err(EngineError::Step)?;
        self.end().await;
        Ok(())
    }

    /// Lets held jobs go, asks runners to end, waits for them.
    async fn end(&mut self) {
        for job in std::mem::take(&mut self.held) {
            let _ = self.finish(job, 0);
        }
        for running in self.runners.values() {
            let _ = running.signals.send(Signal::SIGQUIT);
        }
        for running in self.runners.values_mut() {
            if running.code.is_none() {
                running.code = (&mut running.exit).await.ok();
            }
        }
    }

    /// What was seen; runners that still live are killed.
    async fn outcome(&mut self, server: &Server) -> Outcome {
        for running in self.runners.values_mut() {
            if running.code.is_none() {
                let _ = running.signals.send(Signal::SIGKILL);
                let exit = tokio::time::timeout(LAST_GRACE, &mut running.exit).await;
                // -1: it had to be killed.
                running.code = exit.ok().and_then(Result::ok);
            }
        }
        Outcome {
            events: server.log().events(),
            jobs: server.jobs(),
            exits: self
                .runners
                .iter()
                .filter_map(|(name, running)| Some((name.clone(), running.code?)))
                .collect(),
            terminal: self
                .runners
                .iter()
                .map(|(name, running)| (name.clone(), running.terminal.text()))
                .collect(),
            overdue: None,
        }
    }

    fn runner_folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.root.join("runners").join(name);
        fs::create_dir_all(&folder).map_err(text)?;
        Ok(folder)
    }

    fn expand(&self, name: &str, text: &str) -> String {
        let config = self.root.join("runners").join(name).join("config.toml");
        let registration = self
            .server
            .act(|world, _| world.instance_registration_token().to_owned());
        self.server.names().expand(
            text,
            &[
                ("URL", &self.url),
                ("CONFIG", &config.display().to_string()),
                ("REGISTRATION_TOKEN", &registration),
            ],
        )
    }

    fn spawn(&self, name: &str, args: &[String]) -> Result<RunnerProcess, String> {
        let folder = self.runner_folder(name)?;
        let home = folder.join("home");
        fs::create_dir_all(&home).map_err(text)?;
        RunnerProcess::start(&Start {
            program: &self.link,
            args,
            folder: &folder,
            home: &home,
            environment: &[],
            input: None,
        })
        .map_err(|error| format!("{}: {error}", self.link.display()))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Stage for RealStage {
    fn finish(&mut self, job: i64, exit_code: i32) -> Result<(), String> {
        // Written beside and moved, so that a job never reads an empty file.
        let gate = job_plan::gate_file(&self.gates, job);
        let beside = gate.with_extension("new");
        fs::write(&beside, exit_code.to_string()).map_err(text)?;
        fs::rename(&beside, &gate).map_err(text)
    }

    fn signal(&mut self, runner: &str, signal: SignalName) -> Result<(), String> {
        let running = self
            .runners
            .get(runner)
            .ok_or_else(|| format!("runner `{runner}` does not run"))?;
        let signal = match signal {
            SignalName::Quit => Signal::SIGQUIT,
            SignalName::Term => Signal::SIGTERM,
            SignalName::Int => Signal::SIGINT,
            SignalName::Hup => Signal::SIGHUP,
        };
        // A runner that has ended gets no signal; its exit code tells.
        let _ = running.signals.send(signal);
        Ok(())
    }

    fn start(&mut self, runner: &str) -> Result<(), String> {
        let folder = self.runner_folder(runner)?;
        let args: Vec<String> = [
            "run",
            "--config",
            &folder.join("config.toml").display().to_string(),
            "--working-directory",
            &folder.display().to_string(),
        ]
        .map(str::to_owned)
        .into();
        let process = self.spawn(runner, &args)?;
        self.server.log().add(runner, What::Started);
        let (signals, receiver) = mpsc::unbounded_channel();
        let terminal = Arc::clone(process.terminal());
        let exit = tokio::spawn(watch(
            process,
            receiver,
            self.server.log().clone(),
            runner.to_owned(),
        ));
        let running = Running {
            signals,
            exit,
            terminal,
            code: None,
        };
        self.runners.insert(runner.to_owned(), running);
        Ok(())
    }

    async fn run(&mut self, run: &RunFormat) -> Result<i32, String> {
        let args: Vec<String> = run
            .args
            .iter()
            .map(|arg| self.expand(&run.runner, arg))
            .collect();
        let mut process = self.spawn(&run.runner, &args)?;
        let status = process.wait().await.map_err(text)?;
        process.drain().await;
        Ok(status.code().unwrap_or(-1))
    }

    fn configure(&mut self, runner: &str, config: &str) -> Result<(), String> {
        let folder = self.runner_folder(runner)?;
        fs::write(folder.join("config.toml"), self.expand(runner, config)).map_err(text)
    }

    fn hold(&mut self, job: i64, format: &JobFormat) {
        if format.held {
            self.held.push(job);
        }
    }

    fn gates(&self) -> &Path {
        &self.gates
    }
}

/// Passes signals on to a runner and waits for its end.
async fn watch(
    mut process: RunnerProcess,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    log: EventLog,
    name: String,
) -> i32 {
    let status: io::Result<_> = loop {
        tokio::select! {
            biased;
            status = process.wait() => break status,
            signal = signals.recv() => match signal {
                Some(signal) => {
                    let _ = process.signal(signal);
                }
                None => break process.wait().await,
            },
        }
    };
    process.drain().await;
    let code = status.ok().and_then(|status| status.code()).unwrap_or(-1);
    log.add(
        name,
        What::Exited {
            command: String::new(),
            code,
        },
    );
    code
}

/// Serves until the task is dropped. Resets and restarts are real ones.
async fn serve(server: Server, listener: TcpListener) {
    let options = ServeOptions {
        faults: Some(server.tap().faults().clone()),
        ..ServeOptions::default()
    };
    let router = axum::Router::new().fallback(move |request: Request<Body>| {
        let server = server.clone();
        async move { server.serve(request).await }
    });
    mock_gitlab::server::serve_with(listener, router, CancellationToken::new(), options).await;
}
