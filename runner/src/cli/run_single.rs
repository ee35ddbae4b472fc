//! `run-single` (runner.md 2.4).

use super::Failure;
use super::args::RunSingleArgs;
use super::register::apply;
use crate::config::{Config, Section, Value};
use crate::logging::Log;
use crate::schedule::{SingleLimits, SingleOptions, run_single as run};

pub(super) fn run_single(args: &RunSingleArgs, log: Log) -> Result<(), Failure> {
    let (entry, config_path) = if let Some(name) = &args.runner {
        let path = args.config.path();
        let config = Config::load(&path)
            .map_err(|error| Failure::Fatal(format!("Error loading config: {error}")))?;
        let position = config
            .runners()
            .iter()
            .position(|entry| entry.name == *name);
        let entry = position
            .and_then(|index| config.entries().get(index))
            .cloned()
            .ok_or_else(|| {
                let text = format!("could not find a runner with the name '{name}'");
                Failure::Fatal(format!("Error loading config: {text}"))
            })?;
        (entry, Some(path))
    } else {
        (from_options(args), None)
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
    run(SingleOptions {
        config,
        config_path,
        limits: SingleLimits {
            max_builds: args.max_builds,
            wait_timeout_s: args.wait_timeout,
        },
        log,
    })
    .map_err(Failure::Fatal)
}

fn from_options(args: &RunSingleArgs) -> Section {
    let mut entry = Config::new_entry();
    for (key, text) in [
        ("name", args.name.as_deref().unwrap_or_default()),
        ("url", &args.url),
        ("token", &args.token),
        ("executor", &args.executor),
    ] {
        entry.set(key, Value::Text(text.to_owned()));
    }
    apply(&args.entry, &mut entry);
    entry
}
