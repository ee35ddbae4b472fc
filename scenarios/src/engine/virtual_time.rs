//! Virtual time: the same runner and server code on one thread with a paused clock. Requests are
//! function calls, jobs are played by the scripted executor, and two runs with one seed do the same.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use protocol::{Features, JobPayload};
use runner::client::transport::BoxFuture;
use runner::client::{Transport, TransportError};
use runner::clock::TokioClock;
use runner::executor::Executor;
use runner::executor::scripted::{Release, ScriptedExecutor, ScriptedJob};
use runner::host::Host;
use runner::logging::Log;
use runner::random::Random;
use runner::schedule::{
    ExecutorInfo, ExecutorProvider, ExecutorRequest, Manager, ManagerOptions, MemoryConfig, Signal,
    SpoolKind, TransportFactory, TransportTarget,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber as _;

use super::job_plan;
use super::server::Server;
use super::timeline::{self, Stage, Waiting};
use super::verdict::Outcome;
use super::{EngineError, world};
use crate::events::{EventLog, What};
use crate::scenario::Scenario;
use crate::scenario::format::{RunFormat, SignalName};
use crate::scenario::world_format::JobFormat;

/// Longest time of a scenario, unless it says otherwise: a day, which is a moment here.
const LIMIT: Duration = Duration::from_hours(24);
/// Address of the server; nobody connects to it.
const URL: &str = "http://gitlab.example.com";

/// Plays a scenario.
pub async fn play(scenario: &Scenario, seed: u64) -> Result<Outcome, EngineError> {
    for (id, job) in all_jobs(scenario) {
        if let Some(problem) = job_plan::refuses_virtual(job, id) {
            return Err(EngineError::NotVirtual(problem));
        }
    }
    let log = EventLog::begin();
    let clock = super::play::virtual_clock();
    let server = super::mock_server(scenario.world.settings.clone(), URL, seed, log, clock);
    // Held jobs wait for their release, not for a file.
    let gates = Path::new("/gates");
    let names = server
        .act(|world, now| world::fill(world, &scenario.world, now, seed, gates))
        .map_err(EngineError::setup)?;
    server.set_names(names);
    let jobs = Jobs::default();
    for (id, job) in all_jobs(scenario) {
        jobs.add(id, job);
    }
    let mut stage = VirtualStage {
        server: server.clone(),
        jobs,
        seed,
        runners: BTreeMap::new(),
        configs: BTreeMap::new(),
    };
    let waiting = Waiting::default();
    let limit = scenario.limit.map_or(LIMIT, |limit| limit.0);
    let result = tokio::time::timeout(limit, stage.whole(scenario, &server, &waiting)).await;
    let outcome = stage.outcome(&server);
    match result {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Outcome {
            overdue: Some(super::waiting_text(&waiting, limit)),
            ..outcome
        }),
    }
}

fn all_jobs(scenario: &Scenario) -> impl Iterator<Item = (i64, &JobFormat)> {
    let world = &scenario.world;
    let loose = world.jobs.iter();
    loose
        .chain(world.pipelines.values().flat_map(|pipeline| &pipeline.jobs))
        .map(|(id, job)| (*id, job))
}

/// What each job does, and how held ones are let go. A clone is the same table.
#[derive(Clone, Debug, Default)]
struct Jobs(Arc<Mutex<BTreeMap<i64, (ScriptedJob, Release)>>>);

impl Jobs {
    fn add(&self, id: i64, job: &JobFormat) {
        let release = Release::new();
        let plan = job_plan::scripted(job, &release);
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(id, (plan, release));
    }

    fn plan(&self, id: i64) -> ScriptedJob {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A retried job has a new id; it does nothing and ends well.
        jobs.get(&id).map(|job| job.0.clone()).unwrap_or_default()
    }

    fn finish(&self, id: i64, exit_code: i32) -> Result<(), String> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, release) = jobs
            .get(&id)
            .ok_or_else(|| format!("there is no job {id}"))?;
        release.finish(exit_code);
        Ok(())
    }

    fn finish_all(&self) {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, release) in jobs.values() {
            release.finish(0);
        }
    }
}

/// Executors that play what the scenario says.
#[derive(Debug)]
struct Scripted(Jobs);

impl ExecutorProvider for Scripted {
    fn info(&self, name: &str) -> Option<ExecutorInfo> {
        (name == "shell").then(|| ExecutorInfo {
            features: Features::shell_executor(),
            default_shell: "bash",
        })
    }

    fn executor(&self, request: ExecutorRequest<'_>) -> Option<Box<dyn Executor>> {
        let payload: &JobPayload = request.payload;
        let plan = self.0.plan(payload.id.get());
        Some(Box::new(ScriptedExecutor::new(plan)))
    }
}

/// A request is a call of the server in the same process.
#[derive(Clone)]
pub struct InProcess(Server);

impl InProcess {
    /// The way to `server`.
    pub fn new(server: Server) -> InProcess {
        InProcess(server)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl Transport for InProcess {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            self.0.answer(request).await.map_err(|cut| TransportError {
                message: cut.to_string(),
            })
        })
    }
}

impl TransportFactory for InProcess {
    fn transport(&self, _: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError> {
        Ok(Arc::new(self.clone()))
    }
}

/// A started manager.
struct Running {
    signals: mpsc::Sender<Signal>,
    end: JoinHandle<i32>,
    terminal: Arc<Mutex<Vec<u8>>>,
    code: Option<i32>,
}

struct VirtualStage {
    server: Server,
    jobs: Jobs,
    seed: u64,
    runners: BTreeMap<String, Running>,
    configs: BTreeMap<String, MemoryConfig>,
}

impl VirtualStage {
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
        self.jobs.finish_all();
        for running in self.runners.values_mut() {
            // A manager that has ended takes no signal.
            let _ = running.signals.send(Signal::Quit).await;
        }
        for running in self.runners.values_mut() {
            if running.code.is_none() {
                running.code = (&mut running.end).await.ok();
            }
        }
    }

    fn outcome(&mut self, server: &Server) -> Outcome {
        for running in self.runners.values() {
            running.end.abort();
        }
        let terminal = self.runners.iter().map(|(name, running)| {
            let bytes = running
                .terminal
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            (name.clone(), String::from_utf8_lossy(&bytes).into_owned())
        });
        Outcome {
            events: server.log().events(),
            jobs: server.jobs(),
            terminal: terminal.collect(),
            exits: self
                .runners
                .iter()
                .filter_map(|(name, running)| Some((name.clone(), running.code?)))
                .collect(),
            overdue: None,
        }
    }

    fn options(&self, name: &str, log: Log, config: MemoryConfig) -> ManagerOptions {
        // Each runner has numbers of its own, whatever the others draw.
        let salt = name.bytes().fold(self.seed, |salt, byte| {
            salt.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let random = Random::from_seed(salt);
        ManagerOptions {
            config: Arc::new(config),
            transports: Arc::new(InProcess::new(self.server.clone())),
            executors: Arc::new(Scripted(self.jobs.clone())),
            clock: Arc::new(TokioClock::starting_at(super::play::virtual_base())),
            host: Host {
                hostname: name.to_owned(),
                platform: runner::host::platform(),
                architecture: runner::host::architecture(),
                working_directory: "/srv".into(),
                executable: "/usr/bin/gitlab-runner".into(),
                system_id: format!("s_{}", random.hex(6)),
            },
            random,
            spool: SpoolKind::Memory,
            log,
        }
    }
}

impl Stage for VirtualStage {
    fn finish(&mut self, job: i64, exit_code: i32) -> Result<(), String> {
        self.jobs.finish(job, exit_code)
    }

    fn signal(&mut self, runner: &str, signal: SignalName) -> Result<(), String> {
        let running = self
            .runners
            .get(runner)
            .ok_or_else(|| format!("runner `{runner}` does not run"))?;
        let signal = match signal {
            SignalName::Quit => Signal::Quit,
            SignalName::Term => Signal::Terminate,
            SignalName::Int => Signal::Interrupt,
            SignalName::Hup => Signal::Hangup,
        };
        // A runner that has ended gets no signal; its exit code tells.
        let _ = running.signals.try_send(signal);
        Ok(())
    }

    fn start(&mut self, runner: &str) -> Result<(), String> {
        let config = self
            .configs
            .get(runner)
            .cloned()
            .ok_or_else(|| format!("runner `{runner}` has no configuration"))?;
        let terminal = Arc::new(Mutex::new(Vec::new()));
        let clock = Arc::new(TokioClock::starting_at(super::play::virtual_base()));
        let log = Log::new(terminal.clone(), clock);
        let dispatch = log.dispatch();
        let (signals, receiver) = mpsc::channel(64);
        let manager = Manager::new(self.options(runner, log, config), receiver);
        let (events, name) = (self.server.log().clone(), runner.to_owned());
        events.add(runner, What::Started);
        let life = async move {
            let code = i32::from(manager.run().await.code());
            events.add(
                name,
                What::Exited {
                    command: String::new(),
                    code,
                },
            );
            code
        };
        let running = Running {
            signals,
            end: tokio::spawn(life.with_subscriber(dispatch)),
            terminal,
            code: None,
        };
        self.runners.insert(runner.to_owned(), running);
        Ok(())
    }

    async fn run(&mut self, run: &RunFormat) -> Result<i32, String> {
        Err(format!(
            "`{}` is a process of its own, which virtual time does not have: play it with `--clock real`",
            run.args.first().map_or("run", String::as_str)
        ))
    }

    fn configure(&mut self, runner: &str, config: &str) -> Result<(), String> {
        let text = self.server.names().expand(config, &[("URL", URL)]);
        match self.configs.get(runner) {
            Some(file) => file.set(Some(text)),
            None => {
                self.configs
                    .insert(runner.to_owned(), MemoryConfig::new(text));
            }
        }
        Ok(())
    }

    fn hold(&mut self, job: i64, format: &JobFormat) {
        self.jobs.add(job, format);
    }

    fn gates(&self) -> &Path {
        Path::new("/gates")
    }
}
