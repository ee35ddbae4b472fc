//! `run-single` (runner.md 2.4).

use super::Failure;
use super::options::commands::Invocation;
use super::options::entry;
use super::session;
use crate::config::{Config, Section, Value};
use crate::schedule::{SingleLimits, SingleOptions, run_single as run};

pub(super) fn run_single(invocation: &Invocation) -> Result<(), Failure> {
    let given = &invocation.given;
    let (config, config_path, system_id) = if let Some(name) = given.given_text("runner") {
        let path = invocation.config();
        let (mut config, system_id) = session::load(&path)
            .map_err(|error| Failure::Fatal(format!("Error loading config: {error}")))?;
        // What is global counts for the entry too, such as labels.
        config.retain(|entry| entry.name == name);
        if config.entries().is_empty() {
            let text = format!("could not find a runner with the name '{name}'");
            return Err(Failure::Fatal(format!("Error loading config: {text}")));
        }
        (config, Some(path), Some(system_id))
    } else {
        let mut config = Config::default();
        config
            .push(from_options(invocation))
            .map_err(|error| Failure::Fatal(error.to_string()))?;
        (config, None, None)
    };
    for (key, missing) in [
        ("url", "Missing URL"),
        ("token", "Missing Token"),
        ("executor", "Missing Executor"),
    ] {
        let entry = config.entries().first();
        if entry.is_none_or(|entry| entry.text(key).is_empty()) {
            return Err(Failure::Fatal(missing.to_owned()));
        }
    }
    config.say_idle_keys();
    say_left_out(&config);
    run(SingleOptions {
        config,
        config_path,
        system_id,
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
    let mut entries = config.runners().iter().zip(config.entries());
    if let Some((runner, section)) = entries.next() {
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
