use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mock_gitlab::MockGitlab;
use mock_gitlab::library::{JobHandle, ProjectHandle, RunnerHandle};
use mock_gitlab::world::{Settings, World};
use nix::sys::signal::Signal;
use protocol::JobStatus;
use runner::config::{Config, Value};
use scenarios::process::{RunnerProcess, RunnerProgram, Start};
use tempfile::TempDir;

/// Lines that a job prints.
pub(super) const LINES: usize = 60;
/// Variable by which every process of a runner is known: it is passed on to all of them.
const MARK: &str = "GAUNTLET_KILLED_TEST";
/// How long processes may take to be gone.
const GONE: Duration = Duration::from_secs(20);

/// One server for all points: each has its own runner and its own job there.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) gitlab: Arc<MockGitlab>,
    project: ProjectHandle,
}

impl Server {
    pub(super) fn start() -> Server {
        let settings = Settings {
            trace_interval_s: 1,
            ..Settings::default()
        };
        let gitlab = MockGitlab::builder()
            .settings(settings)
            .start()
            .expect("server");
        let project = gitlab.project("group/demo").create().expect("project");
        Server {
            gitlab: Arc::new(gitlab),
            project,
        }
    }
}

/// A folder with a runner's configuration, its runner and its job on the server.
pub(super) struct Desk {
    folder: TempDir,
    server: Server,
    name: String,
    pub(super) runner: RunnerHandle,
    pub(super) job: JobHandle,
    /// Token before the rotation, and the file with it.
    old_token: String,
    old_text: String,
}

impl Desk {
    /// `kills_at`: the job kills the runner with this line.
    pub(super) fn new(server: &Server, name: &str, kills_at: Option<usize>) -> Desk {
        Desk::with_script(server, name, script(), kills_at.unwrap_or(0))
    }

    pub(super) fn with_script(
        server: &Server,
        name: &str,
        script: Vec<String>,
        kills_at: usize,
    ) -> Desk {
        let folder = tempfile::tempdir().expect("temp");
        let runner = server
            .gitlab
            .runner()
            .tag(name)
            .tagged_only()
            .create()
            .expect("runner");
        let job = server.project.job("kill me").tag(name).script(script);
        let job = job
            .variable("KILLS_AT", &kills_at.to_string())
            .create()
            .expect("job");
        for sub in ["home", "tmp"] {
            fs::create_dir(folder.path().join(sub)).expect("folder");
        }
        // Given, so that logs are the same on every machine.
        fs::write(folder.path().join(".runner_system_id"), "s_0123456789ab").expect("system id");
        let old_token = runner.token();
        // Three quarters of its life are over: the token is replaced at once.
        let now = Timestamp::now();
        let day = SignedDuration::from_hours(24);
        let old_text = format!(
            "concurrent = 1\ncheck_interval = 1\n\n[[runners]]\n  name = \"main\"\n  url = \"{}\"\n  token = \"{old_token}\"\n  \
             token_obtained_at = {}\n  token_expires_at = {}\n  executor = \"shell\"\n",
            server.gitlab.url(),
            now - day * 9,
            now + day,
        );
        fs::write(folder.path().join("config.toml"), &old_text).expect("configuration");
        Desk {
            folder,
            server: server.clone(),
            name: name.to_owned(),
            runner,
            job,
            old_token,
            old_text,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn start(&self) -> RunnerProcess {
        let program = RunnerProgram::Own(env!("CARGO_BIN_EXE_gauntlet").into());
        let program = program.link_in(&self.path("bin")).expect("link");
        let config = self.path("config.toml").display().to_string();
        RunnerProcess::start(&Start {
            program: &program,
            args: &["run".to_owned(), "--config".to_owned(), config],
            folder: self.folder.path(),
            home: &self.path("home"),
            environment: &[
                (MARK.to_owned(), self.mark()),
                ("TMPDIR".to_owned(), self.path("tmp").display().to_string()),
            ],
            input: None,
        })
        .expect("start")
    }

    /// The folder's name is nobody else's.
    fn mark(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// Waits until the server has seen so many requests that mean something, or all that there are: how
    /// many patches a log takes depends on the machine's pace.
    pub(super) async fn requests(&self, count: usize) {
        let (runner, job) = (self.runner.id(), self.job.id());
        let what = format!("{count} requests of {}", self.name);
        let enough = move |world: &World| {
            let seen = world
                .events()
                .filter(|event| super::matters(&event.kind, runner, job));
            let ended = world
                .job(job)
                .is_some_and(|job| job.status == JobStatus::Success);
            ended || seen.count() >= count
        };
        // The caller knows how long is too long; a slow machine with 35 runners needs more than one wait.
        while self.server.gitlab.wait_until(&what, enough).await.is_err() {}
    }

    pub(super) async fn stop(&self, runner: &mut RunnerProcess) {
        runner.signal(Signal::SIGQUIT).expect("signal");
        let status = runner.wait().await.expect("end");
        assert_eq!(status.code(), Some(0), "{}", runner.terminal().text());
    }

    /// The file is the one of before, or the one with the token that the server knows by now.
    pub(super) fn config_is_whole(&self, when: &str) {
        let text = fs::read_to_string(self.path("config.toml")).expect("configuration");
        if text == self.old_text {
            return;
        }
        let mut new = Config::parse(&self.old_text).expect("old configuration");
        let token = self.runner.token();
        assert_ne!(
            token, self.old_token,
            "{when}: nothing was to be saved:\n{text}"
        );
        new.change(0, |entry| {
            entry.set("token", Value::Text(token));
            entry.unset("token_expires_at");
        })
        .expect("change");
        assert_eq!(timeless(&text), timeless(&new.to_toml()), "{when}");
    }

    /// Waits until no process is left that has the mark; then no script is in the temporary folder.
    pub(super) async fn nothing_left(&self) {
        let mark = format!("{MARK}={}", self.mark());
        let gone = async {
            while !marked(&mark).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let gone = tokio::time::timeout(GONE, gone).await.is_ok();
        assert!(gone, "{}: these are left: {:?}", self.name, marked(&mark));
        let files = fs::read_dir(self.path("tmp")).expect("temporary folder");
        for file in files.flatten() {
            // A file that is about to lose its name has nothing in it yet.
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            assert_eq!(size, 0, "{}: {} is left", self.name, file.path().display());
        }
    }
}

/// Command lines of processes whose first environment has `mark`.
fn marked(mark: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = processes.filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    });
    marked
        .map(|process| command_line(&process.path()))
        .collect()
}

fn command_line(process: &Path) -> String {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    format!(
        "{} {}",
        process.display(),
        words.collect::<Vec<_>>().join(" ")
    )
}

/// Children that do not go by themselves: one hears SIGTERM, one does not, one has a child of its own. They
/// hold no output of the job.
pub(super) fn children() -> [&'static str; 3] {
    [
        "sleep 1000 > /dev/null 2>&1 & one=$!",
        "(trap '' TERM; exec sleep 1000) > /dev/null 2>&1 & two=$!; disown",
        "bash -c 'sleep 1000 & trap \"kill $!\" TERM; wait' > /dev/null 2>&1 & three=$!",
    ]
}

/// Starts children, prints its lines for about four seconds, and ends them. With line `KILLS_AT` it kills the
/// runner, whose child the shell of the stage is.
fn script() -> Vec<String> {
    let mut script: Vec<String> = children().map(str::to_owned).into();
    script.push(format!(
        "for i in $(seq 1 {LINES}); do echo \"line $i\"; [ $i != $KILLS_AT ] || kill -KILL $PPID; sleep 0.06; done"
    ));
    // A job that ends leaves its silent children alone, as everywhere: this one takes them along.
    script.push("kill -TERM $one $three; kill -KILL $two; wait".to_owned());
    script
}

/// The lines of a log without what differs from run to run: time stamps, times of sections, the token.
pub(super) fn normalised(log: &str, desk: &Desk) -> Vec<String> {
    let tokens = [desk.old_token.clone(), desk.runner.token()];
    let lines = log.split_terminator('\n').map(|line| {
        let text = line.get(32..).unwrap_or(line);
        let mut text = text.to_owned();
        for mark in ["section_start:", "section_end:"] {
            if let Some(at) = text.find(mark) {
                let from = at + mark.len();
                let digits = text[from..].bytes().take_while(u8::is_ascii_digit).count();
                text.replace_range(from..from + digits, "TIME");
            }
        }
        for token in &tokens {
            text = text.replace(protocol::token::short(token), "TOKEN");
        }
        text
    });
    lines.collect()
}

/// The numbers of the job's lines.
pub(super) fn log_lines(lines: &[String]) -> Vec<usize> {
    let numbers = lines
        .iter()
        .filter_map(|line| line.strip_prefix("line ")?.parse().ok());
    numbers.collect()
}

/// How much of the log the runner knows to be stored, by its terminal: `sent-log=A-B` of records `ok`.
pub(super) fn sent_bytes(terminal: &str) -> u64 {
    let lines = terminal
        .lines()
        .filter(|line| line.contains("Appending trace to coordinator...ok"));
    let ends = lines.filter_map(|line| {
        let (_, range) = line.split_once("sent-log")?;
        let (_, range) = range.split_once('=')?;
        let range = range.split(' ').next()?;
        let last: u64 = range.split_once('-')?.1.parse().ok()?;
        Some(last + 1)
    });
    ends.max().unwrap_or(0)
}

/// A saved file without the time of the rotation.
fn timeless(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("token_obtained_at"));
    lines.collect::<Vec<_>>().join("\n")
}
