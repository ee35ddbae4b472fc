//! A whole runner in a process of its own, and the server that it polls.
//!
//! The server runs in this process; times are those of its events, so that what the measuring itself does
//! is not in them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use mock_gitlab::MockGitlab;
use mock_gitlab::library::{JobBuilder, ProjectHandle};
use mock_gitlab::world::event::EventKind;
use mock_gitlab::world::{Settings, World};
use protocol::JobStatus;
use tempfile::TempDir;

use crate::load::LoadError;

/// Name of the program.
const PROGRAM: &str = "gitlab-runner";
/// How it is made.
const HOW_TO_BUILD: &str = "cargo build --release -p runner";
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_mins(1);
/// Pause between two looks at the server's world.
const LOOK: Duration = Duration::from_millis(5);

/// A server, and a folder for what runs against it.
pub struct Machine {
    gitlab: MockGitlab,
    project: ProjectHandle,
    folder: TempDir,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("gitlab", &self.gitlab)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A server with these settings, one project and no jobs.
    ///
    /// # Errors
    ///
    /// When there is no port or no temporary folder.
    pub fn new(change: impl FnOnce(&mut Settings)) -> Result<Machine, LoadError> {
        let mut settings = Settings::default();
        change(&mut settings);
        let gitlab = MockGitlab::builder().settings(settings).start()?;
        let project = gitlab.project("group/demo").create()?;
        let folder = tempfile::Builder::new().prefix("benches-").tempdir()?;
        std::fs::create_dir(folder.path().join("home"))?;
        Ok(Machine {
            gitlab,
            project,
            folder,
        })
    }

    /// Where the runner works; removed when this is dropped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes `count` pending jobs that fetch no sources.
    ///
    /// # Errors
    ///
    /// A bug of the bench.
    pub fn add_jobs(
        &self,
        count: usize,
        fill: impl Fn(JobBuilder) -> JobBuilder,
    ) -> Result<(), LoadError> {
        for _ in 0..count {
            let job = self.project.job("test").variable("GIT_STRATEGY", "none");
            fill(job).create()?;
        }
        Ok(())
    }

    /// Drops the events so far.
    pub fn forget(&self) {
        self.gitlab.act(|world, _| drop(world.take_events()));
    }

    /// Waits until so many polls have been answered since [`Machine::forget`].
    ///
    /// # Errors
    ///
    /// When they do not come.
    pub fn wait_for_polls(&self, count: usize) -> Result<(), LoadError> {
        self.wait(&format!("{count} polls"), |world| {
            let polls = world.events().filter(|event| is_poll(&event.kind));
            Ok(polls.count() >= count)
        })
    }

    /// Waits until every job has succeeded.
    ///
    /// # Errors
    ///
    /// When one fails, or does not end.
    pub fn wait_for_success(&self) -> Result<(), LoadError> {
        self.wait("all jobs to end", |world| {
            let failed = world
                .jobs()
                .find(|job| job.status.is_complete() && job.status != JobStatus::Success);
            if let Some(job) = failed {
                let trace = world.trace(job.id);
                let start = trace.len().saturating_sub(2000);
                let log = String::from_utf8_lossy(&trace[start..]).into_owned();
                return Err(format!("job {} is {}; its log: {log}", job.id, job.status).into());
            }
            Ok(world.jobs().all(|job| job.status.is_complete()))
        })
    }

    fn wait(
        &self,
        what: &str,
        mut done: impl FnMut(&World) -> Result<bool, LoadError>,
    ) -> Result<(), LoadError> {
        let start = Instant::now();
        while !self.gitlab.act(|world, _| done(world))? {
            if start.elapsed() > LIMIT {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(10).collect();
                return Err(format!(
                    "waited {LIMIT:?} for {what}; the runner's last lines, newest first: {}",
                    tail.join("\n")
                )
                .into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// How long after `start` the first poll since [`Machine::forget`] came.
    pub fn first_poll_after(&self, start: SystemTime) -> Option<Duration> {
        let start = Timestamp::try_from(start).ok()?;
        let at = self.gitlab.act(|world, _| {
            let mut events = world.events();
            let poll = events.find(|event| is_poll(&event.kind));
            poll.map(|event| event.at)
        });
        between((start, at?))
    }

    /// Per job, the time from the answer to its poll to its final update.
    pub fn job_times(&self) -> Vec<Duration> {
        self.spans().into_iter().filter_map(between).collect()
    }

    /// From the answer to the first poll that gave a job to the last final update.
    pub fn whole_time(&self) -> Option<Duration> {
        let spans = self.spans();
        let first = spans.iter().map(|(from, _)| *from).min()?;
        let last = spans.iter().map(|(_, to)| *to).max()?;
        between((first, last))
    }

    /// From the answer to the first poll that gave a job to that to the last.
    pub fn taking_time(&self) -> Option<Duration> {
        let spans = self.spans();
        let first = spans.iter().map(|(from, _)| *from).min()?;
        let last = spans.iter().map(|(from, _)| *from).max()?;
        between((first, last))
    }

    /// Answer to the poll and final update of each job that has both.
    fn spans(&self) -> Vec<(Timestamp, Timestamp)> {
        self.gitlab.act(|world, _| {
            let mut picked = std::collections::BTreeMap::new();
            let mut spans = Vec::new();
            for event in world.events() {
                match &event.kind {
                    EventKind::Poll { job: Some(job), .. } => {
                        picked.insert(*job, event.at);
                    }
                    EventKind::JobUpdate { job, state, .. } if *state != "running" => {
                        spans.extend(picked.remove(job).map(|from| (from, event.at)));
                    }
                    _ => {}
                }
            }
            spans
        })
    }

    /// Stored bytes of all logs.
    pub fn trace_bytes(&self) -> u64 {
        self.gitlab
            .act(|world, _| world.jobs().map(|job| world.trace_size(job.id)).sum())
    }

    fn log(&self) -> PathBuf {
        self.folder().join("runner.log")
    }
}

fn is_poll(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Poll { .. })
}

fn between((from, to): (Timestamp, Timestamp)) -> Option<Duration> {
    Duration::try_from(to.duration_since(from)).ok()
}

/// What `config.toml` says.
#[derive(Clone, Debug)]
pub struct Entries {
    /// `concurrent`.
    pub concurrent: usize,
    /// `check_interval`, s.
    pub check_interval_s: u32,
    /// `request_concurrency` of each entry.
    pub request_concurrency: u32,
    /// `output_limit` of each entry, KiB; 0: the default.
    pub output_limit_kib: u32,
    /// Token of each entry.
    pub tokens: Vec<String>,
}

impl Entries {
    /// `count` entries, each a runner of its own of the server; everything else as it is without being
    /// set.
    ///
    /// # Errors
    ///
    /// A bug of the bench.
    pub fn new(machine: &Machine, count: usize) -> Result<Entries, LoadError> {
        let tokens: Result<Vec<String>, _> = (0..count)
            .map(|_| {
                machine
                    .gitlab
                    .runner()
                    .create()
                    .map(|runner| runner.token())
            })
            .collect();
        Ok(Entries {
            concurrent: 1,
            check_interval_s: 0,
            request_concurrency: 1,
            output_limit_kib: 0,
            tokens: tokens?,
        })
    }

    fn text(&self, url: &str) -> String {
        let mut text = format!(
            "concurrent = {}\ncheck_interval = {}\n",
            self.concurrent, self.check_interval_s
        );
        for (number, token) in self.tokens.iter().enumerate() {
            let _ = write!(
                text,
                "\n[[runners]]\n  name = \"bench-{number}\"\n  url = \"{url}\"\n  token = \"{token}\"\n  \
                 executor = \"shell\"\n  request_concurrency = {}\n  output_limit = {}\n",
                self.request_concurrency, self.output_limit_kib
            );
        }
        text
    }
}

/// A running runner; killed when dropped.
#[derive(Debug)]
pub struct RunnerProcess {
    child: Child,
}

impl RunnerProcess {
    /// Starts the program with these entries. Its log goes to a file, as under a service manager.
    ///
    /// # Errors
    ///
    /// When the program is missing or cannot be started.
    pub fn start(machine: &Machine, entries: &Entries) -> Result<RunnerProcess, LoadError> {
        let program = program()?;
        let config = machine.folder().join("config.toml");
        std::fs::write(&config, entries.text(machine.gitlab.url()))?;
        let home = machine.folder().join("home");
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(&config)
            .arg("--working-directory")
            .arg(machine.folder())
            .env_clear()
            .env("HOME", &home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(machine.log())?)
            .spawn()?;
        Ok(RunnerProcess { child })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for RunnerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the program, so that an old one is not measured. Without cargo, which says where it is when it
/// runs this program, the one that is there is taken.
///
/// # Errors
///
/// When it cannot be built.
pub fn build_program() -> Result<(), LoadError> {
    let Some(cargo) = std::env::var_os("CARGO").filter(|_| !cfg!(debug_assertions)) else {
        return Ok(());
    };
    let built = Command::new(cargo)
        .args(["build", "--release", "-p", "runner", "--bin", PROGRAM])
        .status()?;
    if built.success() {
        Ok(())
    } else {
        Err(format!("{HOW_TO_BUILD} failed").into())
    }
}

/// The program beside this one.
fn program() -> Result<PathBuf, LoadError> {
    let path = std::env::current_exe()?.with_file_name(PROGRAM);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!(
            "{} is missing, and these figures are its own: {HOW_TO_BUILD}",
            path.display()
        )
        .into())
    }
}
