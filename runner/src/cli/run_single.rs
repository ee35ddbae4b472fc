//! `run-single` (runner.md 2.4).

use super::Failure;
use super::options::commands::Invocation;
use super::options::entry;
use crate::config::{Config, Section, Value};
use crate::schedule::{SingleLimits, SingleOptions, run_single as run};

pub(super) fn run_single(invocation: &Invocation) -> Result<(), Failure> {
    let given = &invocation.given;
    let (entry, config_path) = if let Some(name) = given.given_text("runner") {
        let path = invocation.config();
        let config = Config::load(&path)
            .map_err(|error| Failure::Fatal(format!("Error loading config: {error}")))?;
        config.say_schema_problems();
        let position = config.runners().iter().position(|entry| entry.name == name);
        let entry = position
            .and_then(|index| config.entries().get(index))
            .cloned()
            .ok_or_else(|| {
                let text = format!("could not find a runner with the name '{name}'");
                Failure::Fatal(format!("Error loading config: {text}"))
            })?;
        (entry, Some(path))
    } else {
        (from_options(invocation), None)
    };
    for (key, missing) in [
        ("url", "Missing URL"),
        ("token", "Missing Token"),
        ("executor", "Missing Executor"),
    ] {
        if entry.text(key).is_empty() {
            return Err(Failure::Fatal(missing.to_owned()));
        }
    }
    let mut config = Config::default();
    config
        .push(entry)
        .map_err(|error| Failure::Fatal(error.to_string()))?;
    config.say_idle_keys();
    run(SingleOptions {
        config,
        config_path,
        limits: SingleLimits {
            max_builds: count(given.integer("max-builds")),
            wait_timeout_s: count(given.integer("wait-timeout")),
        },
        log: invocation.log.clone(),
    })
    .map_err(Failure::Fatal)
}

/// A number of options; below zero counts as none.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn from_options(invocation: &Invocation) -> Section {
    let mut section = Config::new_entry();
    for key in ["name", "url", "token", "executor"] {
        section.set(key, Value::Text(invocation.given.text(key).to_owned()));
    }
    entry::apply(&invocation.options, &invocation.given, &mut section);
    section
}
