//! `gauntlet replay`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::args::ReplayArgs;
use super::output::{self, Report};
use crate::engine::verdict::Mismatch;
use crate::process::RunnerProgram;
use crate::report::failure::{Hints, command};
use crate::report::{Line, Verdict};
use crate::session::plan::{self, Plan};
use crate::session::replay::{Options, replay as replay_one};
use crate::session::{Recording, library};

pub(super) fn replay(args: &ReplayArgs) -> Result<u8, String> {
    let begin = Instant::now();
    let program = match &args.runner_binary {
        Some(path) => RunnerProgram::Other(
            path.canonicalize()
                .map_err(|error| format!("--runner-binary {}: {error}", path.display()))?,
        ),
        None => RunnerProgram::this().map_err(|error| format!("path of this program: {error}"))?,
    };
    let recordings = select(&args.what, args.all)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("tokio runtime: {error}"))?;
    let bar = output::progress(recordings.len());
    let lines = runtime.block_on(async {
        let slots = Arc::new(Semaphore::new(usize::from(args.jobs)));
        let tasks: Vec<_> = recordings
            .into_iter()
            .map(|(recording, plan)| {
                let options = Options {
                    program: program.clone(),
                };
                let slots = Arc::clone(&slots);
                let bar = bar.clone();
                tokio::spawn(async move {
                    // The semaphore is never closed.
                    let _slot = slots.acquire().await;
                    let line = line(&recording, &plan, &options).await;
                    bar.inc(1);
                    line
                })
            })
            .collect();
        let mut lines = Vec::new();
        for task in tasks {
            lines.extend(task.await);
        }
        lines
    });
    bar.finish_and_clear();
    Report {
        lines: &lines,
        seed: None,
        took: begin.elapsed(),
        json: args.json,
        junit: args.junit.as_deref(),
        hints: &|line| Hints {
            command: command(&line.name, None, 0),
            events: None,
        },
    }
    .finish()
}

/// A recording that took less than this is played when nothing is named, s.
const QUICK_S: f64 = 15.0;

fn select(what: &[String], all: bool) -> Result<Vec<(Recording, Plan)>, String> {
    let mut plans = plan::plans()?;
    let mut recordings = Vec::new();
    if what.is_empty() {
        for name in library::names() {
            recordings.extend(library::load(name).map_err(|error| error.to_string())?);
        }
        let took = |recording: &Recording| -> f64 {
            recording
                .commands
                .iter()
                .map(|command| command.took_s)
                .sum()
        };
        recordings.retain(|recording| {
            let plan = plans.get(&recording.name);
            let steady = plan.is_none_or(|plan| plan.unsteady.is_none());
            steady && (all || took(recording) < QUICK_S)
        });
        // The longest first, so that none of them is left alone at the end.
        recordings.sort_by(|one, other| took(other).total_cmp(&took(one)));
    }
    for name in what {
        let known = library::load(name).map_err(|error| error.to_string())?;
        match known {
            Some(recording) => recordings.push(recording),
            None if Path::new(name).is_dir() => {
                let folder = Path::new(name);
                let recording = Recording::load(folder).map_err(|error| error.to_string())?;
                let file = folder.join("plan.yml");
                if file.exists() {
                    plans.insert(recording.name.clone(), plan::read(&file)?);
                }
                recordings.push(recording);
            }
            None => {
                return Err(format!(
                    "no recording `{name}`: expected a folder with a `session.har`, or one of {}",
                    library::names().collect::<Vec<_>>().join(", ")
                ));
            }
        }
    }
    Ok(recordings
        .into_iter()
        .map(|recording| {
            let plan = plans.get(&recording.name).cloned().unwrap_or_default();
            (recording, plan)
        })
        .collect())
}

async fn line(recording: &Recording, plan: &Plan, options: &Options) -> Line {
    let begin = Instant::now();
    let verdict = match replay_one(recording, plan, options).await {
        Ok((_, differences)) => match (&plan.open, differences.is_empty()) {
            (None, true) => plan.reason().map_or(Verdict::Passed, Verdict::Open),
            (Some(reason), false) => Verdict::Open(reason.clone()),
            (Some(reason), true) => Verdict::Failed(vec![Mismatch {
                what: "recordings/plans.yml says that this one is open".to_owned(),
                expected: vec![reason.clone()],
                seen: vec!["it replays clean: take the reason out".to_owned()],
            }]),
            (None, false) => Verdict::Failed(
                differences
                    .into_iter()
                    .map(|difference| Mismatch {
                        what: std::iter::once(difference.place)
                            .chain(
                                difference
                                    .context
                                    .iter()
                                    .map(|line| format!("      {line}")),
                            )
                            .collect::<Vec<_>>()
                            .join("\n"),
                        expected: difference.gone,
                        seen: difference.new,
                    })
                    .collect(),
            ),
        },
        Err(error) => Verdict::Broken(error.to_string()),
    };
    Line {
        name: recording.name.clone(),
        clock: None,
        about: recording.about.clone(),
        proves: Vec::new(),
        took: begin.elapsed(),
        verdict,
    }
}
