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
    say_left_out(&config);
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

/// What `run` does with an entry and `run-single` does not, in the official runner either.
fn say_left_out(config: &Config) {
    for (runner, section) in config.runners().iter().zip(config.entries()) {
        let boot_verify = section
            .table("experimental")
            .and_then(|table| table.table("boot_verify"))
            .and_then(|table| table.boolean("enabled"));
        if boot_verify == Some(true) {
            tracing::warn!("run-single verifies no runner at boot: boot_verify has no effect");
        }
        if let Some(time) = runner.token_expires_at {
            tracing::warn!(
                token_expires_at = time.to_string(),
                "run-single replaces no token that expires; `gitlab-runner run` does"
            );
        }
    }
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
