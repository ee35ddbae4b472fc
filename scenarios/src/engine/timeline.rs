//! Takes the steps of a scenario, the same way in both clocks.

use std::fmt;

use tokio::time::Instant;

use super::server::Server;
use super::world;
use crate::events::{EventLog, What};
use crate::scenario::Scenario;
use crate::scenario::format::{ConditionFormat, RunFormat, SignalName, StepFormat};

/// A step that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    /// The step, in words.
    pub step: String,
    /// Why.
    pub problem: String,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}`: {}", self.step, self.problem)
    }
}

impl std::error::Error for StepError {}

/// What differs between the clocks.
pub(crate) trait Stage {
    /// Lets a held job end.
    fn finish(&mut self, job: i64, exit_code: i32) -> Result<(), String>;
    /// Sends a signal to a runner.
    fn signal(&mut self, runner: &str, signal: SignalName) -> Result<(), String>;
    /// Starts a runner.
    fn start(&mut self, runner: &str) -> Result<(), String>;
    /// Runs a command to its end and gives its exit code.
    async fn run(&mut self, run: &RunFormat) -> Result<i32, String>;
    /// Replaces a runner's configuration.
    fn configure(&mut self, runner: &str, config: &str) -> Result<(), String>;
    /// Makes a held job known.
    fn hold(&mut self, job: i64, format: &crate::scenario::world_format::JobFormat);
    /// Folder of the gate files of held jobs.
    fn gates(&self) -> &std::path::Path;
}

/// What the timeline waits for, for the message when it waits in vain.
pub(crate) type Waiting = std::sync::Arc<std::sync::Mutex<String>>;

/// Takes all steps, in order.
pub(crate) async fn play(
    scenario: &Scenario,
    server: &Server,
    stage: &mut impl Stage,
    waiting: &Waiting,
) -> Result<(), StepError> {
    for step in &scenario.timeline {
        let step = &step.value;
        let words = words(step);
        if let Ok(mut waiting) = waiting.lock() {
            waiting.clone_from(&words);
        }
        if let Some(at) = step.at {
            tokio::time::sleep_until(server.log().start() + at.0).await;
        }
        if let Some(condition) = &step.after {
            wait_for(&condition.value, server).await;
        }
        if step.actions().is_empty() {
            continue;
        }
        server.log().add(
            "harness",
            What::Step {
                step: words.clone(),
            },
        );
        take(step, server, stage)
            .await
            .map_err(|problem| StepError {
                step: words,
                problem,
            })?;
    }
    if let Ok(mut waiting) = waiting.lock() {
        "the end of the runners".clone_into(&mut waiting);
    }
    Ok(())
}

async fn wait_for(condition: &ConditionFormat, server: &Server) {
    let log = server.log();
    if let Some(count) = condition.picked {
        log.until(|log| log.picks().len() >= count).await;
    }
    if let Some(pattern) = &condition.event {
        let times = condition.times.unwrap_or(1);
        log.until(|log| log.count(pattern) >= times).await;
    }
    if let Some(trace) = &condition.trace {
        let has = |_: &EventLog| {
            let bytes = server.trace(trace.job);
            String::from_utf8_lossy(&bytes).contains(&trace.has)
        };
        log.until(has).await;
    }
    if condition.all_ended == Some(true) {
        log.until(|_| server.all_ended()).await;
    }
}

async fn take(step: &StepFormat, server: &Server, stage: &mut impl Stage) -> Result<(), String> {
    let text = |error: &dyn fmt::Display| error.to_string();
    if let Some(job) = step.finish {
        stage.finish(job, step.exit)?;
    }
    if let Some(job) = step.cancel {
        server
            .act(|world, now| world.cancel_job(now, job, step.force))
            .map_err(|error| text(&error))?;
    }
    if let Some(job) = step.play {
        server
            .act(|world, now| world.play_job(now, job))
            .map_err(|error| text(&error))?;
    }
    if let Some(fault) = &step.fault {
        let runner = fault
            .runner
            .as_deref()
            .map(|name| server.names().runner(name));
        let runner = runner.transpose().map_err(|error| text(&error))?;
        server
            .tap()
            .add_fault(fault, runner)
            .map_err(|error| text(&error))?;
    }
    if let Some(kind) = step.restore {
        server.tap().remove_faults(kind);
    }
    if let Some(time) = step.advance {
        tokio::time::sleep_until(Instant::now() + time.0).await;
    }
    if let Some(signal) = &step.signal {
        stage.signal(&signal.runner, signal.send)?;
    }
    if let Some(runner) = &step.start {
        stage.start(runner)?;
    }
    if let Some(run) = &step.run {
        let code = stage.run(run).await?;
        server.log().add(
            run.runner.clone(),
            What::Exited {
                command: run.args.first().cloned().unwrap_or_default(),
                code,
            },
        );
    }
    if let Some(configure) = &step.configure {
        stage.configure(&configure.runner, &configure.config)?;
    }
    for (id, job) in step.add.iter().flatten() {
        stage.hold(*id, job);
        let names = server.names();
        server
            .act(|world, now| world::add_job(world, *id, job, now, &names, stage.gates()))
            .map_err(|error| text(&error))?;
    }
    for (runner, paused) in step.pause.iter().flatten() {
        let change = mock_gitlab::world::setup::RunnerChange {
            paused: Some(*paused),
            ..Default::default()
        };
        let id = server
            .names()
            .runner(runner)
            .map_err(|error| text(&error))?;
        server
            .act(|world, now| world.set_runner(now, id, change))
            .map_err(|error| text(&error))?;
    }
    Ok(())
}

/// A step in words, for events and messages.
pub fn words(step: &StepFormat) -> String {
    let action = match step {
        StepFormat {
            finish: Some(job),
            exit: 0,
            ..
        } => format!("finish job {job}"),
        StepFormat {
            finish: Some(job),
            exit,
            ..
        } => format!("finish job {job} with {exit}"),
        StepFormat {
            cancel: Some(job), ..
        } => format!("cancel job {job}"),
        StepFormat {
            play: Some(job), ..
        } => format!("play job {job}"),
        StepFormat {
            fault: Some(fault), ..
        } => fault.words(),
        StepFormat {
            restore: Some(kind),
            ..
        } => format!("restore {}", kind.as_str()),
        StepFormat {
            advance: Some(time),
            ..
        } => format!("advance {time}"),
        StepFormat {
            signal: Some(signal),
            ..
        } => {
            format!("signal {} to {}", signal.send, signal.runner)
        }
        StepFormat {
            start: Some(runner),
            ..
        } => format!("start {runner}"),
        StepFormat { run: Some(run), .. } => {
            format!(
                "run {} {}",
                run.runner,
                run.args.first().map_or("", String::as_str)
            )
        }
        StepFormat {
            configure: Some(configure),
            ..
        } => format!("configure {}", configure.runner),
        StepFormat {
            add: Some(jobs), ..
        } => {
            let ids: Vec<String> = jobs.keys().map(ToString::to_string).collect();
            format!("add jobs {}", ids.join(" "))
        }
        StepFormat {
            pause: Some(runners),
            ..
        } => {
            let names: Vec<String> = runners
                .iter()
                .map(|(name, paused)| {
                    format!("{name} {}", if *paused { "paused" } else { "resumed" })
                })
                .collect();
            names.join(", ")
        }
        _ => "wait".to_owned(),
    };
    match (&step.after, step.actions().is_empty()) {
        (Some(condition), true) => format!("wait for {}", condition_words(&condition.value)),
        _ => action,
    }
}

fn condition_words(condition: &ConditionFormat) -> String {
    match condition {
        ConditionFormat {
            picked: Some(count),
            ..
        } => format!("{count} picks"),
        ConditionFormat {
            event: Some(event),
            times,
            ..
        } => {
            format!("{} event `{event}`", times.unwrap_or(1))
        }
        ConditionFormat {
            trace: Some(trace), ..
        } => {
            format!("`{}` in the log of job {}", trace.has, trace.job)
        }
        _ => "the end of all jobs".to_owned(),
    }
}
