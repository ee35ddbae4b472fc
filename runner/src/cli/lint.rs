//! `lint` (runner.md 2.2, RUN-CLI-21). It reads the file and changes nothing.

use std::fmt::Write as _;

use super::Failure;
use super::options::commands::Invocation;
use crate::config::Config;

pub(super) fn lint(invocation: &Invocation) -> Result<(), Failure> {
    let path = invocation.config();
    if !path.exists() {
        return Err(Failure::Fatal(format!(
            "config file not found: {}",
            path.display()
        )));
    }
    let config =
        Config::load(&path).map_err(|error| Failure::Fatal(format!("decoding config: {error}")))?;
    let mut problems = String::new();
    for (index, entry) in config.runners().iter().enumerate() {
        for (key, value) in [("token", &entry.token), ("url", &entry.url)] {
            if value.is_empty() {
                let _ = write!(
                    problems,
                    "\n- at '/runners/{index}/{key}': minLength: got 0, want 1"
                );
            }
        }
        if !["", "bash", "sh", "cmd", "powershell", "pwsh"].contains(&entry.shell.as_str()) {
            let _ = write!(
                problems,
                "\n- at '/runners/{index}/shell': value must be one of 'bash', 'cmd', 'powershell', 'pwsh', 'sh', ''"
            );
        }
    }
    if !problems.is_empty() {
        let here = std::env::current_dir().unwrap_or_default();
        return Err(Failure::Fatal(format!(
            "config schema validation failed: jsonschema validation failed with 'file://{}/config_schema.json#'{problems}",
            here.display()
        )));
    }
    let unknown = config.unknown_keys();
    if !unknown.is_empty() {
        let mut text = format!(
            "{} unknown key(s) found in {}:",
            unknown.len(),
            path.display()
        );
        for key in unknown {
            let _ = write!(text, "\n  unknown key: {key}");
        }
        return Err(Failure::Fatal(text));
    }
    tracing::info!("Configuration file is valid.");
    Ok(())
}
