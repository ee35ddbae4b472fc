//! Plays a recording as the server to a real runner process, and keeps what the runner did.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::compare;
use super::difference::{self, Difference};
use super::git::GitError;
use super::place::Place;
use super::plan::{Plan, Step};
use super::recording::Recording;
use super::script::{Script, Stream};
use super::stage::Stage;
use super::stand_in::{Progress, Seen, StandIn};
use super::tls::TlsError;
use crate::process::{RunnerProcess, RunnerProgram, Start, Terminal};

/// How much longer than the recording a replay may take, s.
const SLACK_S: f64 = 30.0;
/// The same for a recording that is known not to replay yet.
const OPEN_SLACK_S: f64 = 3.0;
/// How long to wait for the terminal to say what it said before the signals of the recording.
const SETTLE: Duration = Duration::from_secs(5);

/// How to replay.
#[derive(Clone, Debug)]
pub struct Options {
    /// The runner under test.
    pub program: RunnerProgram,
}

/// What a runner did in a replay.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Where it ran.
    pub place: Place,
    /// Every exchange, in order.
    pub seen: Vec<Seen>,
    /// Log of each job, from the accepted patches.
    pub traces: BTreeMap<i64, Vec<u8>>,
    /// Whether log patches came that the recording does not have, because this machine is slower.
    pub slow: bool,
    /// Exit code of each command; `None` = it had to be killed, or a signal ended it.
    pub exits: Vec<Option<i32>>,
    /// Terminal of each command.
    pub terminal: Vec<String>,
    /// `config.toml` afterwards.
    pub config_after: Option<String>,
    /// Other files that the recording keeps, as they are afterwards.
    pub files: BTreeMap<String, String>,
    /// What the session still waited for when the time was over; empty = it ended by itself.
    pub overdue: Vec<String>,
}

/// Why a replay cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file system or the network says no.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
    /// A repository of the recording.
    #[error("repositories of the recording: {0}")]
    Git(#[from] GitError),
    /// Certificates for the server.
    #[error("certificates for the server: {0}")]
    Tls(TlsError),
}

pub(super) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ReplayError {
    let what = what.into();
    move |error| ReplayError::Io { what, error }
}

/// Plays a recording and compares. Differences that the plan wants are left out, and missed when they
/// are not there.
pub async fn replay(
    recording: &Recording,
    plan: &Plan,
    options: &Options,
) -> Result<(Replayed, Vec<Difference>), ReplayError> {
    let replayed = play(recording, plan, options).await?;
    let mut differences = compare::compare(recording, plan, &replayed);
    for wanted in plan.known() {
        wanted.take_from(&mut differences);
    }
    difference::shorten(&mut differences);
    Ok((replayed, differences))
}

/// Plays a recording to the runner.
pub async fn play(
    recording: &Recording,
    plan: &Plan,
    options: &Options,
) -> Result<Replayed, ReplayError> {
    let temp = tempfile::Builder::new()
        .prefix("replay-")
        .tempdir()
        .map_err(io_error("temporary folder"))?;
    let (stage, addresses) = Stage::set(recording, plan, options, temp.path()).await?;
    let mut replayed = Replayed {
        place: stage.place.clone(),
        seen: Vec::new(),
        traces: BTreeMap::new(),
        slow: false,
        exits: Vec::new(),
        terminal: Vec::new(),
        config_after: None,
        files: BTreeMap::new(),
        overdue: Vec::new(),
    };
    let mut servers = tokio::task::JoinSet::new();
    for listener in addresses.listeners {
        servers.spawn(Arc::clone(&stage.stand_in).serve(listener, addresses.tls.clone()));
    }
    for (index, command) in recording.commands.iter().enumerate() {
        let args: Vec<String> = command
            .args
            .iter()
            .map(|arg| stage.place.transpose(arg))
            .collect();
        if plan.one_second {
            same_second(&stage.root.join("config.toml")).map_err(io_error("config.toml"))?;
        }
        let input = plan.typed.get(&index);
        let input = input.map(|text| stage.place.transpose(text));
        let mut process = RunnerProcess::start(&Start {
            program: &stage.program,
            args: &args,
            folder: &stage.root,
            home: &stage.home,
            environment: &[("USER".to_owned(), "root".to_owned())],
            input: input.as_deref(),
        })
        .map_err(io_error(stage.program.display().to_string()))?;
        let slack_s = if plan.open.is_some() {
            OPEN_SLACK_S
        } else {
            SLACK_S
        };
        let limit = Duration::from_secs_f64(command.took_s + slack_s);
        let scene = Scene {
            stage: &stage,
            recording,
            plan,
            steps: plan
                .steps
                .iter()
                .filter(|step| step.command == index)
                .collect(),
            recorded: recording.terminal.get(index).map_or("", String::as_str),
        };
        let run = conduct(&mut process, &scene);
        if let Ok(status) = tokio::time::timeout(limit, run).await {
            let status = status.map_err(io_error("waiting for the runner"))?;
            replayed.exits.push(status.code());
        } else {
            replayed.overdue = missing(&stage.stand_in, plan);
            let _ = process.signal(Signal::SIGKILL);
            let _ = process.wait().await;
            replayed.exits.push(None);
        }
        process.drain().await;
        replayed.terminal.push(process.terminal().text());
    }
    servers.abort_all();
    let read = |name: &str| fs::read_to_string(stage.root.join(name)).ok();
    replayed.config_after = read("config.toml");
    for name in recording.files.keys() {
        replayed
            .files
            .extend(read(name).map(|text| (name.clone(), text)));
    }
    let mut progress = stage.stand_in.progress();
    replayed.seen = std::mem::take(&mut progress.seen);
    replayed.traces = std::mem::take(&mut progress.traces);
    replayed.slow = progress.slow;
    Ok(replayed)
}

/// Gives all tokens of a configuration the time at which the first was got.
fn same_second(path: &Path) -> io::Result<()> {
    const KEY: &str = "token_obtained_at = ";
    let Ok(text) = fs::read_to_string(path) else {
        // A command may be there to make it.
        return Ok(());
    };
    let times = text
        .lines()
        .filter_map(|line| Some(line.split_once(KEY)?.1));
    let Some(first) = times.min() else {
        return Ok(());
    };
    let lines = text.lines().map(|line| match line.split_once(KEY) {
        Some((indent, _)) => format!("{indent}{KEY}{first}\n"),
        None => format!("{line}\n"),
    });
    fs::write(path, lines.collect::<String>())
}

/// What one command is played with.
struct Scene<'a> {
    stage: &'a Stage,
    recording: &'a Recording,
    plan: &'a Plan,
    steps: Vec<&'a Step>,
    /// The recorded terminal of the command.
    recorded: &'a str,
}

/// Waits for the end of a command. On the way the steps of its plan are taken; a `run` without any
/// signal in its plan gets the recorded ones when all else has happened.
async fn conduct(
    process: &mut RunnerProcess,
    scene: &Scene<'_>,
) -> io::Result<std::process::ExitStatus> {
    let terminal = Arc::clone(process.terminal());
    let signals = process.signals();
    let script = async {
        for step in &scene.steps {
            scene.wait(step, &terminal).await;
            scene.edit(step)?;
            if let Some(signal) = step.signal {
                signals.send(signal.into())?;
            }
        }
        let rest = recorded_signals(scene.recorded);
        if !rest.is_empty() && scene.steps.iter().all(|step| step.signal.is_none()) {
            let stand_in = &scene.stage.stand_in;
            stand_in
                .until(|progress| done(stand_in.script(), scene.plan, progress))
                .await;
            // What the runner says of an answer comes after it, and a signal would cut it off.
            let gone = removed(scene.recorded);
            let said = scene.said_before_signals();
            let settled = terminal.until(|text| {
                removed(text) >= gone && compare::said(text, &scene.stage.place).is_superset(&said)
            });
            let _ = tokio::time::timeout(SETTLE, settled).await;
            for signal in rest {
                signals.send(signal)?;
            }
        }
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        biased;
        status = process.wait() => return status,
        done = script => done?,
    }
    process.wait().await
}

impl Scene<'_> {
    /// Waits until all conditions of a step hold.
    async fn wait(&self, step: &Step, terminal: &Terminal) {
        let stand_in = &self.stage.stand_in;
        let times = step.times.unwrap_or(1);
        stand_in
            .until(|progress| {
                let log = step.log.as_ref().is_none_or(|text| {
                    let holds = |log: &Vec<u8>| String::from_utf8_lossy(log).matches(text).count();
                    progress.traces.values().map(holds).sum::<usize>() >= times
                });
                let polls = step.polls.is_none_or(|least| {
                    let polls = progress.counts.iter();
                    let polls = polls.filter(|(stream, _)| matches!(stream, Stream::Poll(_)));
                    polls.map(|(_, count)| count).sum::<usize>() >= least
                });
                log && polls && (!step.all || done(stand_in.script(), self.plan, progress))
            })
            .await;
        if let Some(text) = &step.terminal {
            terminal
                .until(|seen| seen.matches(text.as_str()).count() >= times)
                .await;
        }
    }

    /// What the recorded terminal has before the first stop signal, but for what is known to be otherwise.
    fn said_before_signals(&self) -> BTreeSet<String> {
        let before = self.recorded.split_inclusive('\n');
        let before: String = before.take_while(|line| !line.contains(STOP)).collect();
        let mut said = compare::said(&before, &Place::recorded());
        let gone: Vec<&String> = self.plan.known().flat_map(|known| &known.gone).collect();
        said.retain(|line| {
            let line = difference::visible(line);
            !gone.iter().any(|text| line.contains(text.as_str()))
        });
        said
    }

    /// Changes `config.toml`.
    fn edit(&self, step: &Step) -> io::Result<()> {
        if !step.config_after && step.replace.is_none() && step.append.is_none() {
            return Ok(());
        }
        let (place, path) = (&self.stage.place, self.stage.root.join("config.toml"));
        let mut text = if step.config_after {
            place.transpose(self.recording.config_after.as_deref().unwrap_or_default())
        } else {
            fs::read_to_string(&path)?
        };
        for (old, new) in step.replace.iter().flatten() {
            text = text.replace(&place.transpose(old), &place.transpose(new));
        }
        if let Some(more) = &step.append {
            text.push_str(&place.transpose(more));
        }
        fs::write(&path, text)
    }
}

/// How many jobs the terminal says are gone.
fn removed(terminal: &str) -> usize {
    terminal.matches("Removed job from processing list").count()
}

/// What a runner says when it gets a signal to stop.
const STOP: &str = "received stop signal";

/// The signals that the recorded runner got, in order.
fn recorded_signals(terminal: &str) -> Vec<Signal> {
    terminal
        .lines()
        .filter(|line| line.contains(STOP))
        .filter_map(|line| {
            let at = line.find("stop-signal")?;
            let name = line[at..].rsplit('=').next()?;
            match name.split_whitespace().next()? {
                "quit" => Some(Signal::SIGQUIT),
                "terminated" => Some(Signal::SIGTERM),
                "interrupt" => Some(Signal::SIGINT),
                _ => None,
            }
        })
        .collect()
}

/// Whether a stream has to be walked to its end before the session is over. Patches and keep-alives
/// come by a timer, git asks as it likes.
fn counts(stream: &Stream, plan: &Plan) -> bool {
    !matches!(stream, Stream::Patch(_) | Stream::Running(_) | Stream::Git) && !plan.frees(stream)
}

fn done(script: &Script, plan: &Plan, progress: &Progress) -> bool {
    script
        .streams
        .iter()
        .filter(|(stream, _)| counts(stream, plan))
        .all(|(stream, recorded)| {
            progress.counts.get(stream).copied().unwrap_or_default() >= recorded.len()
        })
}

fn missing(stand_in: &StandIn, plan: &Plan) -> Vec<String> {
    let progress = stand_in.progress();
    stand_in
        .script()
        .streams
        .iter()
        .filter(|(stream, _)| counts(stream, plan))
        .filter_map(|(stream, recorded)| {
            let came = progress.counts.get(stream).copied().unwrap_or_default();
            (came < recorded.len()).then(|| format!("{stream}: {came} of {}", recorded.len()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_from_the_terminal() {
        let text = "\x1b[0;33mWARNING: [runWait] received stop signal  \x1b[0;m  \
            \x1b[0;33mbuilds\x1b[0;m=0 \x1b[0;33mstop-signal\x1b[0;m=quit\nother\n\
            [handleGracefulShutdown] received stop signal stop-signal=terminated\n";
        assert_eq!(recorded_signals(text), [Signal::SIGQUIT, Signal::SIGTERM]);
    }
}
