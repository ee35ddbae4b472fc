//! `gauntlet run`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::args::RunArgs;
use super::output::{self, Report};
use super::select::{self, Item};
use crate::engine::{self, PlayOptions, Played, vectors};
use crate::events::log::json_lines;
use crate::process::RunnerProgram;
use crate::report::failure::{Hints, command};
use crate::report::{Line, Verdict};
use crate::scenario::ClockKind;

pub(super) fn run(args: &RunArgs) -> Result<u8, String> {
    let begin = Instant::now();
    let items = select::select(&args.what, args.clock)?;
    let program = match &args.runner_binary {
        Some(path) => RunnerProgram::Other(
            path.canonicalize()
                .map_err(|error| format!("--runner-binary {}: {error}", path.display()))?,
        ),
        None => RunnerProgram::this().map_err(|error| format!("path of this program: {error}"))?,
    };
    let results = play_all(&items, args, &program);
    if let Some(path) = &args.events {
        output::write(path, &event_file(&items, &results, args.seed))?;
    }
    let lines: Vec<Line> = items
        .iter()
        .zip(results)
        .map(|(item, result)| line(item, result))
        .collect();
    let events = args.events.as_ref().map(|path| path.display().to_string());
    Report {
        lines: &lines,
        seed: args.seed,
        took: begin.elapsed(),
        json: args.json,
        junit: args.junit.as_deref(),
        hints: &|line| {
            let seed = items
                .iter()
                .find(|item| item.name() == line.name)
                .map_or(0, |item| seed_of(item, args.seed));
            Hints {
                command: command(&line.name, line.clock, seed),
                events: events.clone(),
            }
        },
    }
    .finish()
}

fn seed_of(item: &Item, wanted: Option<u64>) -> u64 {
    match item {
        Item::Scenario(scenario, _) => wanted.unwrap_or(scenario.seed),
        Item::Vector(_) => wanted.unwrap_or_default(),
    }
}

type Result_ = Result<Played, String>;

/// Plays everything: several at once, because real time is mostly waiting. The results come in the
/// order of the items.
fn play_all(items: &[Item], args: &RunArgs, program: &RunnerProgram) -> Vec<Result_> {
    let bar = output::progress(items.len());
    let next = AtomicUsize::new(0);
    // Long ones first, so that none of them is alone at the end.
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| items[*index].clock() == ClockKind::Virtual);
    let results: Mutex<BTreeMap<usize, Result_>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..args
            .jobs
            .min(u16::try_from(items.len()).unwrap_or(u16::MAX))
        {
            scope.spawn(|| {
                while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let item = &items[*index];
                    let options = PlayOptions {
                        seed: seed_of(item, args.seed),
                        program: program.clone(),
                    };
                    bar.set_message(item.name());
                    let result = play(item, &options);
                    bar.inc(1);
                    if let Ok(mut results) = results.lock() {
                        results.insert(*index, result);
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    results
        .into_inner()
        .map(|results| results.into_values().collect())
        .unwrap_or_default()
}

fn play(item: &Item, options: &PlayOptions) -> Result_ {
    match item {
        Item::Scenario(scenario, clock) => engine::play(scenario, *clock, options),
        Item::Vector(vector) => vectors::play(vector, options.seed),
    }
    .map_err(|error| error.to_string())
}

fn line(item: &Item, result: Result_) -> Line {
    let (about, proves) = match item {
        Item::Scenario(scenario, _) => (scenario.about.clone(), scenario.proves.clone()),
        Item::Vector(vector) => (vectors::about(vector), vec![vectors::check_id(vector)]),
    };
    let (took, verdict) = match result {
        Ok(played) if played.mismatches.is_empty() => (played.took, Verdict::Passed),
        Ok(played) => (played.took, Verdict::Failed(played.mismatches)),
        Err(problem) => (std::time::Duration::ZERO, Verdict::Broken(problem)),
    };
    Line {
        name: item.name(),
        clock: Some(item.clock()),
        about,
        proves,
        took,
        verdict,
    }
}

/// All event logs, each behind a head line.
fn event_file(items: &[Item], results: &[Result_], seed: Option<u64>) -> String {
    let mut text = String::new();
    for (item, result) in items.iter().zip(results) {
        let head = serde_json::json!({
            "version": 1,
            "scenario": item.name(),
            "clock": item.clock().to_string(),
            "seed": seed_of(item, seed),
        });
        text.push_str(&head.to_string());
        text.push('\n');
        if let Ok(played) = result {
            text.push_str(&json_lines(&played.events));
        }
    }
    text
}
