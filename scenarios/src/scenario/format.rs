//! The scenario file, member by member.

use std::collections::BTreeMap;
use std::fmt;

use mock_gitlab::fault::Endpoint;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::expect_format::ExpectFormat;
use super::fault_format::FaultFormat;
use super::time::Time;
use super::world_format::WorldFormat;

/// A scenario: one behaviour.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name, as that of its file.
    pub name: String,
    /// What happens, in one line.
    pub about: String,
    /// Ids of the checks that it proves.
    #[serde(default)]
    pub proves: Vec<String>,
    /// Clocks that it is meant for.
    #[serde(default = "both")]
    pub clocks: Vec<ClockKind>,
    /// Seed of everything random, unless the command line gives one.
    #[serde(default)]
    pub seed: u64,
    /// Longest time that it may take, in its own clock. A scenario that waits longer has failed.
    #[serde(default)]
    pub limit: Option<Time>,
    /// The server at the beginning.
    #[serde(default)]
    pub world: WorldFormat,
    /// Runners under test, by name.
    #[serde(default)]
    pub runners: BTreeMap<String, RunnerFormat>,
    /// What happens, step by step.
    #[serde(default)]
    pub timeline: Vec<Spanned<StepFormat>>,
    /// What must be seen.
    pub expect: ExpectFormat,
}

fn both() -> Vec<ClockKind> {
    vec![ClockKind::Virtual, ClockKind::Real]
}

/// A clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// One thread, a paused clock, no sockets, no processes.
    Virtual,
    /// Real processes on loopback.
    Real,
}

impl fmt::Display for ClockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClockKind::Virtual => "virtual",
            ClockKind::Real => "real",
        })
    }
}

/// A runner under test: one process, or one manager in virtual time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunnerFormat {
    /// Its `config.toml`. `${URL}` is the server's address, `${TOKEN:name}` the token of the server's
    /// runner of that name. Absent: there is no file, for runners that register themselves.
    #[serde(default)]
    pub config: Option<String>,
    /// Whether it starts at the beginning; else a `start` step does it.
    #[serde(default = "yes")]
    pub start: bool,
}

fn yes() -> bool {
    true
}

/// A step: when, and what. It is taken after the step before it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepFormat {
    /// Not before this time since the beginning.
    pub at: Option<Time>,
    /// Not before this was seen.
    pub after: Option<Spanned<ConditionFormat>>,
    /// Lets a held job end.
    pub finish: Option<i64>,
    /// Exit code of `finish`.
    pub exit: i32,
    /// A user cancels a job.
    pub cancel: Option<i64>,
    /// With `cancel`: also ends a job that is already canceling.
    pub force: bool,
    /// A user plays a manual job.
    pub play: Option<i64>,
    /// Something goes wrong on the server.
    pub fault: Option<FaultFormat>,
    /// The server answers these requests by itself again: ends the faults on them.
    pub restore: Option<Endpoint>,
    /// Time passes. In real time this waits.
    pub advance: Option<Time>,
    /// A runner gets a signal.
    pub signal: Option<SignalFormat>,
    /// A runner starts.
    pub start: Option<String>,
    /// A command of a runner, such as `register`, runs to its end. Real time only.
    pub run: Option<RunFormat>,
    /// A runner's configuration is replaced.
    pub configure: Option<ConfigureFormat>,
    /// Further jobs become pending.
    pub add: Option<BTreeMap<i64, super::world_format::JobFormat>>,
    /// The server pauses (true) or resumes (false) runners, by name.
    pub pause: Option<BTreeMap<String, bool>>,
}

impl StepFormat {
    /// Names of the actions that the step gives.
    pub fn actions(&self) -> Vec<&'static str> {
        [
            ("finish", self.finish.is_some()),
            ("cancel", self.cancel.is_some()),
            ("play", self.play.is_some()),
            ("fault", self.fault.is_some()),
            ("restore", self.restore.is_some()),
            ("advance", self.advance.is_some()),
            ("signal", self.signal.is_some()),
            ("start", self.start.is_some()),
            ("run", self.run.is_some()),
            ("configure", self.configure.is_some()),
            ("add", self.add.is_some()),
            ("pause", self.pause.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }
}

/// Something that a step waits for. Exactly one member is given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionFormat {
    /// So many jobs were handed out.
    pub picked: Option<usize>,
    /// An event that fits this pattern was seen, such as `job 1 * -> running`; `*` is any text.
    pub event: Option<String>,
    /// With `event`: so many of them.
    pub times: Option<usize>,
    /// The log of a job holds a text: `{job: 1, has: text}`.
    pub trace: Option<TraceConditionFormat>,
    /// Every job of the world has ended.
    pub all_ended: Option<bool>,
}

impl ConditionFormat {
    /// Names of the conditions that are given.
    pub fn given(&self) -> Vec<&'static str> {
        [
            ("picked", self.picked.is_some()),
            ("event", self.event.is_some()),
            ("trace", self.trace.is_some()),
            ("all_ended", self.all_ended.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }
}

/// A text in the log of a job, as the server has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConditionFormat {
    /// Job.
    pub job: i64,
    /// Text.
    pub has: String,
}

/// A signal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalFormat {
    /// Runner.
    pub runner: String,
    /// Signal.
    pub send: SignalName,
}

/// Signals that a runner obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignalName {
    /// Finish jobs, then end.
    Quit,
    /// Abort jobs, then end.
    Term,
    /// As `TERM`.
    Int,
    /// Reload the configuration.
    Hup,
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignalName::Quit => "QUIT",
            SignalName::Term => "TERM",
            SignalName::Int => "INT",
            SignalName::Hup => "HUP",
        })
    }
}

/// A command of a runner.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFormat {
    /// Runner, whose configuration the command uses.
    pub runner: String,
    /// Arguments; `${URL}`, `${TOKEN:name}`, `${REGISTRATION_TOKEN}` and `${CONFIG}` are replaced.
    pub args: Vec<String>,
}

/// A new configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigureFormat {
    /// Runner.
    pub runner: String,
    /// Its new `config.toml`.
    pub config: String,
}
